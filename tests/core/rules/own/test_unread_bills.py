"""The alert that alertd raises of itself."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import AlertState, Sample
from alertd.core.alerts.lifecycle import step
from alertd.core.hours import HourRange, hour_of
from alertd.core.rules.facts import Facts
from alertd.core.rules.own.unread_bills import Blindness
from alertd.core.spend.ledger import CategoryBook
from tests.core.builders import CRITICAL, HOUR, NOW, SETTLE, Desk

RULE = Blindness.watching(poll_interval=timedelta(minutes=10), settle_delay=SETTLE, notify=("finops",))
LIMIT = timedelta(minutes=140)
GROUP = (("account", "default"),)


def read_at(*reads: tuple[str, datetime]) -> Desk:
    desk = Desk()
    for category, at in reads:
        desk.read([], HourRange(hour_of(at) - 24, hour_of(at) + 1), at, category=category)
    return desk


def judge(facts: Facts, *, watched: bool = False) -> list[Sample]:
    return RULE.evaluate(facts, (GROUP,) if watched else ())


@pytest.mark.parametrize(
    ("age", "blind"),
    [
        pytest.param(LIMIT - timedelta(seconds=1), False, id="a second before"),
        pytest.param(LIMIT, True, id="two poll intervals and the settle delay, exactly"),
        pytest.param(30 * HOUR, True, id="for long"),
        pytest.param(-HOUR, False, id="a clock that was set back"),
    ],
)
def test_account_when_not_read_for_long_then_blind(age: timedelta, blind: bool) -> None:
    """No complete read means that new spend raises no alarm."""
    samples = judge(read_at(("gpu", NOW - age)).facts())
    assert [s.reached for s in samples] == ([CRITICAL] if blind else [])


def test_account_when_one_category_is_not_read_then_blind() -> None:
    """A complete read is of all categories: the oldest counts."""
    (sample,) = judge(read_at(("gpu", NOW), ("llm", NOW - 5 * HOUR)).facts())
    assert (str(sample.value), sample.headline) == (
        "5",
        'alertd cannot read the bills of account "default" for 5 h: no complete read',
    )


@pytest.mark.parametrize(
    ("since", "blind"),
    [
        pytest.param(NOW - LIMIT, True, id="tried for long enough"),
        pytest.param(NOW - HOUR, False, id="just begun"),
        pytest.param(None, False, id="nothing tried"),
    ],
)
def test_account_when_never_read_then_counted_from_the_first_attempt(since: datetime | None, blind: bool) -> None:
    """A daemon that could never read must not stay quiet about it."""
    desk = Desk()
    desk.books["default", "gpu"] = CategoryBook(account="default", category="gpu")
    assert bool(judge(replace(desk.facts(), watched_since=since))) is blind


def test_account_when_its_key_is_refused_then_blind_at_once_with_the_remedy() -> None:
    """Waiting does not mend a key."""
    facts = replace(read_at(("gpu", NOW)).facts(), refused={"default": "set NOVITA_PROD_KEY"})
    (sample,) = judge(facts)
    assert sample.headline == 'alertd cannot read the bills of account "default": the API refuses its key'
    assert (sample.facts, sample.is_complete) == ((("What to do", "set NOVITA_PROD_KEY"),), True)
    # "0 h, critical from 2.3 h" would look like a mistake.
    assert sample.value == 0
    assert not sample.thresholds


def test_blind_alert_when_read_again_then_resolved() -> None:
    """The end is notified in its own words."""
    (blind,) = judge(read_at(("gpu", NOW - LIMIT)).facts())
    alert = step(None, blind, RULE, NOW)
    (seen,) = judge(read_at(("gpu", NOW)).facts(), watched=True)
    after = step(alert, seen, RULE, NOW)
    assert after is not None
    assert (after.state, after.headline) == (
        AlertState.RESOLVED,
        'The bills of account "default" can be read again',
    )


def test_blind_sample_when_categories_fail_then_says_why() -> None:
    """The first five, with what the API said and when each was last read."""
    desk = Desk()
    for number in range(6):
        category = f"c{number}"
        desk.read([], HourRange(hour_of(NOW) - 24, hour_of(NOW) - 9), NOW - 5 * HOUR, category=category)
        desk.fail(HourRange(hour_of(NOW) - 24, hour_of(NOW) + 1), category=category)
    (sample,) = judge(replace(desk.facts(), watched_since=NOW - 9 * HOUR))
    assert sample.facts == tuple((f"c{n}", "HTTP 500; last read never") for n in range(5))
    assert sample.as_of == NOW
    late = read_at(("gpu", NOW - 5 * HOUR))
    late.fail(HourRange(hour_of(NOW) - 24, hour_of(NOW) + 1))
    (sample,) = judge(late.facts())
    assert sample.facts == (("gpu", "HTTP 500; last read 2026-01-10 07:05 UTC"),)
    assert sample.as_of == (NOW - 7 * HOUR).replace(minute=0)


def test_accounts_when_several_then_each_its_own() -> None:
    """One refused key says nothing of the others."""
    desk = read_at(("gpu", NOW))
    desk.read([], HourRange(hour_of(NOW) - 24, hour_of(NOW) - 9), NOW - 10 * HOUR, account="dev")
    facts = replace(desk.facts(), watched_since=NOW - 10 * HOUR)
    assert [s.account for s in judge(facts)] == ["dev"]
    assert RULE.group_keys == ("account",)
    assert RULE.notify == ("finops",)
