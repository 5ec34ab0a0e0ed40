"""Receivers are built from somebody's rules by somebody's code; neither may keep the others from being built."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from alertd.daemon import receivers
from alertd.daemon.receivers import build_notifiers, fallbacks, open_notifiers
from alertd.errors import RulesError
from alertd.notify.alertmanager import AlertmanagerNotifier
from alertd.notify.base import Dated
from alertd.notify.console import ConsoleNotifier
from alertd.notify.registry import notifier_class
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings
from tests.core.builders import NOW

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


SEVERAL = """
version: 1
receivers:
  - {name: bridge, type: webhook, url: "https://example.com/", fallback: mail}
  - {name: am, type: alertmanager, url: "https://am.example.com"}
  - {name: mail, type: email, to: [a@example.com]}
  - {name: finops, type: slack, channel: "#finops"}
  - {name: post, type: email, to: [b@example.com]}
defaults: {notify: [finops, am]}
"""
SETTINGS = Settings.model_construct(
    slack_bot_token=SecretStr("xoxb-1"), smtp_host="mail.example.com", smtp_from="alertd@example.com"
)


def loaded(tmp_path: Path, text: str = SEVERAL) -> LoadedRules:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return load_rules(path)


def test_fallback_when_none_is_named_then_the_first_other_of_the_defaults_then_of_the_file(tmp_path: Path) -> None:
    """What a receiver cannot take must reach somebody, and the same people at each time."""
    rules = loaded(tmp_path)
    others = {"bridge": "mail", "am": "finops", "mail": "finops", "finops": "am", "post": "finops"}
    assert fallbacks(rules) == others
    assert fallbacks(replace(rules, default_notify=("finops",)))["finops"] == "bridge"
    assert fallbacks(replace(rules, receivers=rules.receivers[:1])) == {"bridge": "mail"}
    assert fallbacks(replace(rules, receivers=rules.receivers[1:2], default_notify=("am",))) == {}


async def test_receivers_when_opened_then_they_go_by_the_checked_time_and_are_closed_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alertmanager is told until when an alert holds: by a wrong clock it would end at once."""
    closed: list[str] = []

    async def close(self: AlertmanagerNotifier) -> None:
        closed.append(self.name)

    monkeypatch.setattr(AlertmanagerNotifier, "close", close)
    async with AsyncExitStack() as stack:
        opened = open_notifiers(loaded(tmp_path), SETTINGS, stack, now=lambda: NOW)
        dated = [name for name, notifier in opened.items() if isinstance(notifier, Dated)]
        assert dated == ["am"]
        assert [notifier.now() for notifier in opened.values() if isinstance(notifier, Dated)] == [NOW]
        assert closed == []
    assert closed == ["am"]
    with pytest.raises(RulesError, match="finops"):
        async with AsyncExitStack() as stack:
            open_notifiers(loaded(tmp_path), Settings.model_construct(), stack, now=lambda: NOW)
    assert closed == ["am", "am"], "what was built before a fault is closed, too"
