"""The image, the compose file and the Kubernetes manifests fit the program and each other."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alertd import __version__
from alertd.cli.root import COMMANDS, run
from alertd.rules_file.load import load_rules
from alertd.settings.listen import OPEN_PATHS, parse_listen
from alertd.settings.model import Settings
from alertd.settings.sources import PREFIX

ROOT = Path(__file__).parent.parent
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{PREFIX}SECRETS_DIR"}
IMAGE = f"alertd:{__version__}"
USER = "10001:10001"
STATE, RULES = "/var/lib/alertd", "/etc/alertd"


def dockerfile() -> list[tuple[str, str]]:
    """Return (instruction, the rest) of each line, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last_stage() -> list[tuple[str, str]]:
    lines = dockerfile()
    return lines[max(n for n, (word, _) in enumerate(lines) if word == "FROM") :]


def of(word: str) -> str:
    """Return the one line of the last stage that begins with a word."""
    (found,) = [rest for name, rest in last_stage() if name == word]
    return found


def test_image_when_built_then_from_what_is_there_and_nothing_else() -> None:
    """A file that is copied and ignored, or missing, is found by a build, which few have at hand."""
    copied = {
        source
        for word, rest in dockerfile()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert {source for source in copied if not (ROOT / source).exists()} == set()


def test_image_when_it_runs_then_as_a_plain_user_with_one_folder_to_write() -> None:
    """What an orchestrator with a read-only root and no capabilities asks for."""
    assert of("USER") == USER
    assert of("VOLUME") == of("WORKDIR") == STATE
    environment = dict(re.findall(r"(\w+)=(\S+)", of("ENV")))
    assert environment["ALERTD_DATABASE_URL"] == f"sqlite:///{STATE}/alertd.db"
    assert environment["ALERTD_RULES"] == f"{RULES}/rules.yaml"
    assert environment["PYTHONUNBUFFERED"] == environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert {name for name in environment if name.startswith(PREFIX)} <= SETTINGS
    assert f'version="{__version__}"' in of("LABEL")
    # Without a token it must not listen beyond loopback: nothing of the image may ask for that.
    default = parse_listen(Settings.model_fields["http_listen"].default, token="")
    assert default is not None
    assert "ALERTD_HTTP_LISTEN" not in environment
    assert of("EXPOSE") == str(default.port)


def test_image_when_checked_then_by_commands_that_exist() -> None:
    """A health check that fails for another reason restarts what is well."""
    assert yaml.safe_load(of("ENTRYPOINT")) == ["alertd"]
    (command,) = yaml.safe_load(of("CMD"))
    check = yaml.safe_load(of("HEALTHCHECK").partition("CMD ")[2])
    assert check == ["alertd", "healthcheck"]
    assert {command, check[1]} <= set(COMMANDS)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def test_compose_when_read_then_fits_the_image_and_the_settings() -> None:
    """A secret under a name that is no setting is a key that is not set."""
    stack = compose()
    service = stack["services"]["alertd"]
    assert (service["image"], service["user"]) == (IMAGE, USER)
    assert service["healthcheck"]["test"] == ["CMD", "alertd", "healthcheck"]
    assert {name.upper() for name in service["secrets"]} <= SETTINGS
    assert set(service["secrets"]) == set(stack["secrets"])
    assert set(service["environment"]) <= SETTINGS
    targets = [volume.split(":")[1] for volume in service["volumes"]]
    assert targets == [STATE, RULES]


def test_compose_when_it_runs_then_without_rights() -> None:
    """Whoever gets into it gets no further."""
    service = compose()["services"]["alertd"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def manifests() -> dict[str, dict[str, Any]]:
    """Return the Kubernetes objects by kind."""
    text = (ROOT / "deploy" / "kubernetes" / "alertd.yaml").read_text(encoding="utf-8")
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture
def in_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pod's rules and settings, with every secret of the manifest filled in; returns the folder of secrets."""
    (container,) = pod()["containers"]
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in manifests()["Secret"]["stringData"]:
        begins = "xoxb-" if name == "alertd_slack_bot_token" else ""
        (secrets / name).write_text(begins + "filled-in-by-the-administrator", encoding="utf-8")
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(secrets))
    rules = tmp_path / "rules.yaml"
    rules.write_text(manifests()["ConfigMap"]["data"]["rules.yaml"], encoding="utf-8")
    monkeypatch.setenv("ALERTD_RULES", str(rules))
    monkeypatch.chdir(tmp_path)
    return secrets


def test_kubernetes_when_secrets_are_filled_in_then_rules_and_settings_are_valid(
    in_the_pod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is applied first must run."""
    assert (run(["check"]), capsys.readouterr().err) == (0, "")
    assert load_rules(Path(os.environ["ALERTD_RULES"])).warnings == ()
    assert {name.upper() for name in manifests()["Secret"]["stringData"]} <= SETTINGS
    (container,) = pod()["containers"]
    assert {variable["name"] for variable in container["env"]} <= SETTINGS


@pytest.mark.parametrize("name", sorted(manifests()["Secret"]["stringData"]))
def test_kubernetes_when_a_secret_is_left_empty_then_the_check_names_it(
    in_the_pod: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest as it stands holds no secret: who forgets one must be notified which."""
    (in_the_pod / name).write_text("", encoding="utf-8")
    run(["check"])
    assert name.upper() in capsys.readouterr().err


def test_kubernetes_when_probed_then_at_pages_that_need_no_token() -> None:
    """A probe that is refused restarts a pod that is well."""
    (container,) = pod()["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    listen = parse_listen(environment["ALERTD_HTTP_LISTEN"], token="any-token-of-16-or-more")
    assert listen is not None
    assert not listen.is_loopback
    (port,) = container["ports"]
    assert port["containerPort"] == listen.port
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["path"] for probe in probes.values()} == OPEN_PATHS
    assert probes["readinessProbe"]["path"] == "/readyz"
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    (served,) = manifests()["Service"]["spec"]["ports"]
    assert served["targetPort"] == port["name"]


def test_kubernetes_when_it_runs_then_one_pod_without_rights() -> None:
    """Two daemons on one database are refused by alertd, and a rollout would never end."""
    deployment = manifests()["Deployment"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == USER
    (container,) = pod()["containers"]
    assert container["image"] == IMAGE
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (mounts["state"], mounts["rules"]) == (STATE, RULES)
    assert set(mounts) == {volume["name"] for volume in pod()["volumes"]}
    assert {"name": "ALERTD_SECRETS_DIR", "value": mounts["secrets"]} in container["env"]
