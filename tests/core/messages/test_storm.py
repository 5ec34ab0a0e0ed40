"""Many alerts in one message: who is named, in what order, where each line leads, and what may be pressed."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from alertd.core.alert import Address, Alert, Billed, Unit
from alertd.core.alerts.audience import LinkTargets
from alertd.core.alerts.due import notified
from alertd.core.alerts.lifecycle import end
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.compose import compose_alert
from alertd.core.messages.message import Link, Message, plain_text
from alertd.core.messages.storm import compose_storm, with_worst
from alertd.core.money import Usd
from alertd.core.muted import Muted, MuteKind
from alertd.core.owners import OwnerDirectory
from alertd.core.severity import Severity
from tests.core.alerts.test_acting import acting
from tests.core.builders import HOUR, NOW, firing, move, rolling, usd

PAGES = LinkTargets(status="https://alertd.example.com/x")


def storm(values: Sequence[str], *, ended: int = 0, rules: int = 1, first: bool = False) -> Message:
    """A storm of alerts, the last of which have ended."""
    moves = []
    for n, value in enumerate(values):
        rule = rolling(name=f"rule-{n % rules}")
        alert = notified(firing(value, owner=f"gpu-{n}", rule=rule), NotifyReason.FIRST, (Address("a", ""),), NOW)
        after = end(alert, reason="", now=NOW) if n >= len(values) - ended else alert
        moves.append((move(alert, after, rule), after.headline))
    return compose_storm(moves, is_first_cycle=first, now=NOW)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        pytest.param(storm(["60", "60", "120"] + ["60"] * 3), "gpu-2 spent $120, and 5 more", id="one rule"),
        pytest.param(
            storm(["70", "60", "60", "60", "60", "90"], ended=2),
            "gpu-0 spent $70, and 3 more; 2 ended",
            id="some have ended",
        ),
        pytest.param(storm(["60"] * 6, ended=5), "gpu-0 spent $60; 5 ended", id="all but one have ended"),
        pytest.param(storm(["60"] * 5 + ["90"], ended=6), "gpu-5 spent $90, and 5 more ended", id="all have ended"),
        pytest.param(
            storm(["60"] * 3 + ["70"], rules=3, first=True),
            "gpu-3 spent $70, and 3 more in the first poll of these bills",
            id="the first cycle",
        ),
    ],
)
def test_storm_title_then_names_the_worst_by_money_and_counts_the_rest(message: Message, title: str) -> None:
    """It is the only line that many will read."""
    assert message.title == title
    assert message.is_resolved is title.endswith("more ended")


def test_storm_title_when_the_worst_has_a_long_name_then_the_count_is_still_there() -> None:
    """A phone shows the beginning; a name of a bill must not push the rest out."""
    alert = replace(firing("900"), headline="n" * 400)
    message = compose_storm([(move(None, alert), alert.headline)] * 6, is_first_cycle=False, now=NOW)
    assert message.title.endswith("…, and 5 more")
    assert len(message.title) < 200


def test_storm_when_more_than_twenty_then_lists_the_largest_and_counts_the_rest() -> None:
    """Every alert is still there for machines."""
    message = storm(["60"] * 20 + ["75", "120", "990"], ended=1)
    assert len(message.lines) == 21
    assert message.lines[0] == "CRITICAL: gpu-21 spent $120 (critical from $100.00)"
    assert message.lines[1] == "WARNING: gpu-20 spent $75 (warning from $50.00)"
    assert message.lines[-1] == "… and 3 more; `alertd alerts` lists all."
    assert len(message.alerts) == 23
    short = storm(["60", "70", "80"], ended=1)
    assert short.lines[2] == "RESOLVED: gpu-2 spent $80"
    assert short.footer == "rules rule-0"


def of_unit(value: str, unit: Unit, owner: str, **parts: object) -> Alert:
    alert = replace(firing("60", owner=owner), value=Decimal(value), unit=unit, headline=owner)
    return replace(alert, **parts)  # type: ignore[arg-type]


def test_storm_of_several_units_then_by_money_and_not_by_number() -> None:
    """90 hours are less than $60, unless they cost more; a balance is no spend, the lower the worse."""
    billed = Billed(total=usd("500"), held=Usd(0))
    alerts = [
        of_unit("90", Unit.HOURS, "hours", severity=Severity.CRITICAL),
        of_unit("60", Unit.USD, "dollars"),
        of_unit("90", Unit.USD, "balance of 90", is_below=True),
        of_unit("9", Unit.USD, "balance of 9", is_below=True),
        of_unit("2", Unit.RATIO, "half spent", billed=billed),
    ]
    message = compose_storm([(move(None, one), one.headline) for one in alerts], is_first_cycle=True, now=NOW)
    named = [line.partition(": ")[2].partition(" (")[0] for line in message.lines]
    assert named == ["half spent", "dollars", "hours", "balance of 9", "balance of 90"]
    assert message.severity is Severity.CRITICAL


def test_storm_then_links_the_overview_and_each_line_its_own_alert() -> None:
    """Twenty lines are twenty places to go to; text has the place below its line."""
    alerts = [firing(str(value), owner=f"gpu-{value}") for value in range(100, 130)]
    moves = [(move(None, alert), alert.headline) for alert in alerts]
    message = compose_storm(moves, is_first_cycle=False, now=NOW, targets=PAGES)
    pages = [f"https://alertd.example.com/x/alerts/{facts.fingerprint}" for facts in message.alerts]
    assert message.links == (Link(text="Status page", url="https://alertd.example.com/x/"),)
    assert [facts.url for facts in message.alerts] == pages
    assert message.linked_lines() == (*zip(message.lines[:20], pages, strict=False), (message.lines[20], ""))
    lines = plain_text(message, limit=50_000).splitlines()
    assert lines[lines.index(message.lines[7]) + 1] == pages[7]
    assert message.lines[20] in plain_text(message, limit=1900), "what is said goes before where it leads"
    assert compose_storm(moves, is_first_cycle=False, now=NOW).links == ()


def test_storm_when_the_worst_is_an_instance_that_runs_then_may_be_stopped_and_no_other() -> None:
    """The largest is what a press is worth most for; a row of buttons for twenty would be pressed by mistake."""
    rule = rolling(actions=("stop",))
    alerts = [firing("70", owner="gpu-2"), firing("120"), firing("80", owner="gpu-3")]
    moves = [(move(None, alert, rule), alert.headline) for alert in alerts]
    message = compose_storm(moves, is_first_cycle=True, now=NOW, acting=acting())
    offers = [facts.offer.name if facts.offer is not None else "" for facts in message.alerts]
    assert offers == ["notebook-9", "", ""]


def test_storm_when_its_worst_changed_then_shows_that_and_the_others_as_they_were() -> None:
    """What somebody did stands below the line that it is about; every line still leads where it led."""
    sent = replace(storm(["70", "60", "60"]), line_urls=("https://a", "https://b", "https://c"))
    alert = firing("70", owner="gpu-0", rule=rolling(name="rule-0"))
    done = replace(alert, acknowledged_by="dana", acknowledged_at=NOW + HOUR)
    for after, first, more in (
        (done, sent.lines[0], ("Acknowledged by dana, 2026-01-10 13:05 UTC.",)),
        (
            replace(alert, muted=Muted(kind=MuteKind.SILENCE, id="12ab", by="dana")),
            sent.lines[0],
            ("Notifications suppressed: silenced by dana until the alert ends.",),
        ),
        (end(alert, reason="", now=NOW + HOUR), "RESOLVED: gpu-0 spent $70", ()),
    ):
        shown = compose_alert(
            after,
            rolling(name="rule-0"),
            NotifyReason.UPDATED,
            headline=after.headline,
            owners=OwnerDirectory(),
            now=NOW + HOUR,
            timezone="UTC",
        )
        now = with_worst(sent, shown)
        assert now.lines[0].startswith(first)
        assert now.lines[1:] == (*more, *sent.lines[1:])
        assert [url for line, url in now.linked_lines() if url] == ["https://a", "https://b", "https://c"]
        assert now.linked_lines()[-1] == (sent.lines[-1], "https://c")
        assert now.alerts == (*shown.alerts, *sent.alerts[1:])
        assert (now.title, now.reason) == (sent.title, NotifyReason.STORM)
