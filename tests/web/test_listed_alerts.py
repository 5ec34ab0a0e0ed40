"""All alerts as the page lists them: in which order, and that they are put in order again only when one changed."""

from dataclasses import replace

from alertd.core.alert import AlertState
from alertd.web.listed_alerts import ListedAlerts
from tests.core.builders import CRITICAL, HOUR, NOW, firing


def test_alerts_when_none_changed_then_nothing_is_put_in_order_again() -> None:
    """Thousands of open alerts must not be sorted for each visitor."""
    alerts = (firing(owner="a"), firing(owner="b"))
    listed = ListedAlerts(alerts)
    assert listed.renewed(tuple(alerts)) is listed
    for others in ((alerts[0], replace(alerts[1], headline="more")), alerts[:1], (*alerts, firing(owner="c"))):
        assert [*listed.renewed(others)] == [*others]


def test_alerts_then_the_worst_and_longest_first_and_the_last_ended_first() -> None:
    """Who looks at fifty of thousands must see what is urgent."""
    mild = replace(firing(owner="mild"), fired_at=NOW - 2 * HOUR)
    long = replace(firing(owner="long"), severity=CRITICAL, fired_at=NOW - 3 * HOUR)
    short = replace(firing(owner="short"), severity=CRITICAL, fired_at=NOW)
    waits = replace(firing(owner="waits"), state=AlertState.PENDING, fired_at=None)
    ends = [
        replace(
            firing(owner=f"ended-{n}"), fingerprint=f"{n:016}", state=AlertState.RESOLVED, resolved_at=NOW - n * HOUR
        )
        for n in range(3)
    ]
    never = replace(ends[0], fired_at=None)
    listed = ListedAlerts((mild, long, never, *ends, waits, short))
    assert listed.firing == [long, short, mild]
    assert listed.pending == [waits]
    assert listed.ended_since(NOW - HOUR, 10) == ends[:2]
    assert listed.ended_since(NOW - 9 * HOUR, 1) == ends[:1]
