"""What users write: rules, tests of rules, templates, settings and secrets."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from alertd.errors import RulesError, SettingsError
from alertd.notify.secret import SecretError, SecretPlaces
from alertd.rules_file.load import load_rules
from alertd.rules_file.summary import SummaryError, compile_summary
from alertd.rules_test.suite import load_tests
from alertd.settings.model import load_settings
from alertd.settings.outgoing.connections import Outgoing
from tests.core.builders import firing
from tests.fuzz.engine import Entrance, plain

ROOT = Path(__file__).parents[1]
_PROXIED = ("https://api.novita.ai/v3", "http://10.1.2.3:8080/hook", "https://[::1]/", "http://example.com")


def of_users(folder: Path) -> list[Entrance]:
    """Return every kind of file, text and variable that users write."""
    return [
        _rules(folder / "rules"),
        _rules_tests(folder / "rules"),
        _templates(),
        _settings(folder / "settings"),
        _secret_files(folder / "settings"),
        _proxies(),
    ]


def _read(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml"))]


def _rules(folder: Path) -> Entrance:
    path = folder / "rules.yaml"

    def take(data: bytes) -> str:
        path.write_bytes(data)
        try:
            return str(len(load_rules(path).rules))
        except RulesError as error:
            return str(error).partition(": ")[2]

    starter = (ROOT.parent / "alertd/rules_file/starter.yaml").read_bytes()
    return Entrance(name="rules", seeds=[starter, *_read("rules/good")], take=plain(take), few=15)


def _rules_tests(folder: Path) -> Entrance:
    path = folder / "tests.yaml"
    (folder / "tested.yaml").write_bytes((ROOT / "rules/tests/rules.yaml").read_bytes())

    def take(data: bytes) -> str:
        path.write_bytes(data)
        try:
            return str(len(load_tests(path).tests))
        except RulesError as error:
            return str(error).partition(": ")[2]

    seeds = [seed.replace(b"../rules.yaml", b"tested.yaml") for seed in _read("rules/tests/good")]
    return Entrance(name="rules-tests", seeds=seeds, take=plain(take))


def _templates() -> Entrance:
    alert = firing("61.25")

    def take(data: bytes) -> str:
        try:
            compiled = compile_summary(data.decode("utf-8", "replace"))
            return f"rendered {len(compiled.render(alert)) > 0}"
        except SummaryError as error:
            return str(error)

    seeds = [
        b"{{ owner_name }} spent {{ value }} of {{ threshold }}",
        b"{% if value > threshold %}{{ labels['team'] | upper }}{% else %}{{ '%.2f' | format(value) }}{% endif %}",
        b"{{ value | usd }} {{ (value / threshold) | pct }} {{ [1, 2] | join(',') }} {{ top[0].owner }}",
        b"{{ value * 3 + 1 - threshold // 2 }} {{ owner ~ '!' }} {{ labels.x or 'none' }}",
    ]
    return Entrance(name="templates", seeds=seeds, take=plain(take))


def _settings(folder: Path) -> Entrance:
    """As lines of `.env`, and the same as variables."""

    def take(data: bytes) -> str:
        (folder / ".env").write_bytes(data)
        lines = data.decode("utf-8", "replace").replace("\0", "").splitlines()
        pairs = dict(line.split("=", 1) for line in lines if line.startswith("ALERTD_") and "=" in line)
        outcomes = list[str]()
        with _in(folder):
            for variables in ({}, pairs):
                try:
                    with _environment(variables), redirect_stderr(io.StringIO()):
                        outcomes.append(load_settings().log_level)
                except SettingsError as error:
                    outcomes.append(str(error))
        return " ".join(outcomes)

    seeds = [
        b"ALERTD_POLL_INTERVAL=10m\nALERTD_SMTP_HOST=smtp.example.com\nALERTD_SMTP_PORT=587\nALERTD_LOG_LEVEL=info\n",
        b"export ALERTD_HTTP_LISTEN='[::1]:9464'\nALERTD_EXTERNAL_URL=\"https://a.example.com/x\" # why\n\nOTHER=1\n",
        b"ALERTD_SLACK_USERS=U04ABCDEF,<@U04ABCDEG|ann>\nALERTD_SMTP_FROM=B <a@b.org>\nALERTD_SMTP_EHLO=[::1]\n",
        b"ALERTD_DATABASE_URL=postgresql://u:p@[::1]:5432/x?sslmode=require\nALERTD_NOVITA_BASE_URL=https://api.novita.ai\n",
    ]
    return Entrance(name="settings", seeds=seeds, take=plain(take))


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if name})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _secret_files(folder: Path) -> Entrance:
    """Keys and tokens, as editors and other programs write them."""
    path = folder / "secret"
    places = SecretPlaces(environment={}, folder=folder, setting=lambda _name: None)

    def take(data: bytes) -> str:
        path.write_bytes(data)
        try:
            return f"{len(places.read(variable=None, file=path.name, noun='token') or '')}"
        except SecretError as error:
            said = str(error)
        # What stands in a secret's file is shown nowhere.
        held = data.decode("latin-1").strip()
        assert len(held) < 12 or held not in said, said
        return said

    seeds = [b"sk-4711\n", "\ufeffsk-4711\r\n".encode(), "sk-4711".encode("utf-16"), b"# key\nsk-4711\n"]
    return Entrance(name="secret-files", seeds=seeds, take=plain(take))


def _proxies() -> Entrance:
    """The variables of the system that name proxies and certificates, one a line."""

    def take(data: bytes) -> str:
        lines = data.decode("utf-8", "replace").replace("\0", "").splitlines()
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            outgoing = Outgoing.from_environment(variables)
        except SettingsError as error:
            return str(error)
        ways = [outgoing.proxy_for(url) for url in _PROXIED]
        return f"{[way is None for way in ways]} {len(outgoing.warnings)}"

    seeds = [
        b"HTTPS_PROXY=http://u:p@proxy.example.com:3128\nNO_PROXY=localhost,.example.com,10.0.0.0/8,[::1]:80,*\n",
        b"http_proxy=socks5://[::1]:1080\nno_proxy=a.b:443 ; *.c\nALL_PROXY=https://p/\n",
        b"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\nSSL_CERT_DIR=/etc/ssl/certs:/nonexistent\n",
    ]
    return Entrance(name="proxies", seeds=seeds, take=plain(take))
