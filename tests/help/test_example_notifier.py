"""The example notifier of CONTRIBUTING works, as a class and as an installed plugin."""

import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from alertd.core.messages.compose import compose_test
from alertd.notify.base import Delivered, Envelope
from tests.builders import FakeContext
from tests.e2e.forked import Forked
from tests.help.documents import CONTRIBUTING, blocks, text_of

(SOURCE,) = (text for text in blocks(CONTRIBUTING, "python") if "alertd.notify.base" in text)
(ENTRY_POINTS,) = (text for text in blocks(CONTRIBUTING, "toml") if "alertd.notifiers" in text)


def test_example_notifier_works_as_an_installed_plugin(tmp_path: Path) -> None:
    """Entry point, keys of the rules file and a message through it: as its author will try it."""
    (tmp_path / "my_package.py").write_text(SOURCE, encoding="utf-8")
    metadata = tmp_path / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    points = tomllib.loads(ENTRY_POINTS)["project"]["entry-points"]
    section = "".join(
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in points.items()
    )
    (metadata / "entry_points.txt").write_text(section, encoding="utf-8")
    (receiver,) = re.findall(r"`(\{name: journal.*?\})`", text_of(CONTRIBUTING))
    (tmp_path / "rules.yaml").write_text(f"version: 1\nreceivers:\n  - {receiver}\n", encoding="utf-8")

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    out, err = tmp_path / "stdout", tmp_path / "stderr"
    for arguments in (("check", "rules.yaml"), ("send-test", "journal")):
        assert Forked(arguments, folder=tmp_path, env=environment, out=out, err=err).wait(60) == 0, err.read_text()

    assert 'alertd can reach receiver "journal"' in (tmp_path / "alerts.txt").read_text(encoding="utf-8")


async def test_example_notifier_works(tmp_path: Path) -> None:
    """The plugin of CONTRIBUTING is one that runs."""
    namespace: dict[str, object] = {}
    exec(compile(SOURCE, "CONTRIBUTING.md", "exec"), namespace)
    config = namespace["FileConfig"](path=str(tmp_path / "out.txt"))  # type: ignore[operator]
    notifier = namespace["FileNotifier"]("file", config, FakeContext())  # type: ignore[operator]
    message = compose_test("file", now=datetime(2026, 1, 1, tzinfo=UTC))

    outcome = await notifier.send(Envelope(message=message, key="k", recipient=""))

    assert outcome == Delivered()
    assert 'alertd can reach receiver "file"' in (tmp_path / "out.txt").read_text(encoding="utf-8")
