"""What stands in deploy/ fits the program and the platforms that read it."""

import configparser
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from alertd.core.times import parse_duration
from alertd.daemon.service import STOP_PATIENCE
from alertd.settings.sources import PREFIX
from tests.help.documents import DOCUMENTS, ROOT, text_of

DEPLOY = ROOT / "deploy"


def test_slack_manifest_asks_for_what_is_used_and_stays_within_slacks_limits() -> None:
    """A scope too few breaks a feature at night; one too many is refused by a careful admin."""
    manifest = yaml.safe_load((DEPLOY / "slack-app-manifest.yaml").read_text(encoding="utf-8"))
    # https://docs.slack.dev/reference/app-manifest
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
    (command,) = manifest["features"]["slash_commands"]
    assert (command["command"], len(command["command"]) <= 32) == ("/alertd", True)
    assert len(command["usage_hint"]) <= 1000
    assert "url" not in command, "with Socket Mode there is none"
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == {
        "chat:write",
        "channels:read",
        "channels:history",
        "groups:read",
        "groups:history",
        "im:write",
        "im:history",
        "usergroups:read",
        "commands",
    }
    settings = manifest["settings"]
    assert settings["interactivity"]["is_enabled"] is settings["socket_mode_enabled"] is True


def test_pictures_of_the_documents_then_are_there_small_and_described() -> None:
    """A page that loads slowly, or says nothing to who cannot see it, is not read."""
    shown = []
    for path in DOCUMENTS:
        pictures = re.findall(r'<img src="([^"]+)" width="480" alt="[^"]{80,}">', text_of(path))
        assert text_of(path).count("<img") == len(pictures), path
        shown += [(path.parent / name).resolve() for name in pictures]
    assert sorted(shown) == sorted((DEPLOY / "pictures").iterdir())
    assert all(picture.stat().st_size < 120_000 for picture in shown)


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_rules_by_promtool_when_something_breaks_then_fire_and_only_then(tmp_path: Path) -> None:
    """Promtool judges with its own engine, on made series."""
    for path in (DEPLOY / "prometheus-rules.yaml", Path(__file__).parent / "prometheus_rules.test.yaml"):
        shutil.copy(path, tmp_path)
    for arguments in (["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus_rules.test.yaml"]):
        ran = subprocess.run([str(PROMTOOL), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_rules_when_read_then_use_documented_metrics_and_each_has_its_test() -> None:
    """A rule on a metric that was renamed never fires again, and nobody notices."""
    rules = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    reference = text_of(ROOT / "alertd" / "help" / "metrics.md")
    used = {name for rule in rules for name in re.findall(r"alertd_[a-z_]+", rule["expr"])}
    assert used
    assert {name for name in used if name not in reference} == set()
    tests = yaml.safe_load((Path(__file__).parent / "prometheus_rules.test.yaml").read_text(encoding="utf-8"))["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules}


UNIT = DEPLOY / "systemd" / "alertd.service"
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
needs_systemd_analyze = pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is not installed (systemd)")


def analyzed(*arguments: str) -> str:
    """Return what systemd-analyze says of the unit; it must exit 0."""
    ran = subprocess.run([str(SYSTEMD_ANALYZE), *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@needs_systemd_analyze
def test_unit_by_systemds_own_check_then_without_a_complaint(tmp_path: Path) -> None:
    """A directive with a typing error is ignored by systemd, and so is the protection that it was to give."""
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("/opt/alertd/bin/alertd") == 1
    unit = tmp_path / "alertd.service"
    # It also looks for the program, which is not installed here.
    unit.write_text(text.replace("/opt/alertd/bin/alertd", "/bin/true"), encoding="utf-8")
    assert analyzed("verify", str(unit)) == ""


@needs_systemd_analyze
def test_unit_by_systemds_own_measure_then_hardly_exposed() -> None:
    """It holds API keys: of 10.0 points of exposure it keeps what a program that talks to the network needs."""
    analyzed("security", "--offline=true", "--threshold=15", str(UNIT))


def test_unit_when_read_then_fits_what_the_program_does() -> None:
    """The unit promises what the program must keep."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    # Beats come four times within it, and stopping takes less than ten seconds.
    assert parse_duration(service["WatchdogSec"].replace("min", "m")) >= timedelta(minutes=1)
    assert int(service["TimeoutStopSec"]) > STOP_PATIENCE.total_seconds() + 2
    assert service["ExecStart"].split()[1:] == ["run"]
    prefix, folder = service["LoadCredential"].split(":")
    assert (f"{prefix}_".upper(), folder) == (PREFIX, "/etc/alertd/secrets")


@pytest.mark.parametrize(
    "name", ["deploy/constraints.txt", "deploy/build.txt", ".ci/requirements.txt", ".ci/tools.txt"]
)
def test_pins_when_installed_then_each_has_its_digests_and_names_no_registry(name: str) -> None:
    """What is installed is what was tested, byte for byte, wherever it is fetched from."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text


def test_pins_when_compared_then_the_image_and_the_tests_run_the_same_versions() -> None:
    """A version that no test has seen must not be in the image."""

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([A-Za-z0-9._-]+==[^ ;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pins("deploy/constraints.txt") <= pins(".ci/requirements.txt")


def test_npm_when_installed_then_by_digest_and_without_scripts() -> None:
    """A package of npm may run what it likes while it is installed."""
    lock = json.loads((ROOT / ".ci/npm/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    assert "npm ci --ignore-scripts" in (ROOT / ".ci/run").read_text(encoding="utf-8")
