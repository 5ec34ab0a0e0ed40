"""Receivers are built from somebody's rules by somebody's code; neither may keep the others from being built."""

from pathlib import Path

import pytest

from alertd.daemon import receivers
from alertd.daemon.receivers import build_notifiers
from alertd.notify.console import ConsoleNotifier
from alertd.notify.registry import notifier_class
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings

RULES = """
version: 1
receivers: [{name: odd, type: console}, {name: finops, type: webhook, url: "https://example.com/"}]
"""


@pytest.mark.parametrize("error", [ValueError("canary-secret"), SystemExit("canary-secret"), MemoryError()], ids=repr)
def test_receiver_when_the_code_of_its_type_fails_then_a_problem_at_its_place_and_the_others_are_built(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a traceback from `alertd check`; the error's text is not shown, for it may repeat a secret."""

    class Odd(ConsoleNotifier):
        def __init__(self, *_: object) -> None:
            raise error

    monkeypatch.setattr(receivers, "notifier_class", lambda kind: Odd if kind == "console" else notifier_class(kind))
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    notifiers, problems = build_notifiers(load_rules(path), Settings.model_construct())
    assert list(notifiers) == ["finops"]
    (problem,) = problems
    text = f"the receiver type console failed on this receiver: {type(error).__name__}; report it to its author"
    assert (problem.line, problem.text) == (3, f'receiver "odd": {text}')
