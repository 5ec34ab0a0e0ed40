"""Who is notified: the person behind an owner, what stands in where there is none, and what each of them is shown."""

from dataclasses import replace

import pytest

from alertd.core.alert import Address
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.routing import Route
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Escalation
from alertd.core.severity import Severity
from tests.core.builders import CRITICAL, HOUR, NOW, firing, rolling, withheld
from tests.core.stage import Stage, match

FIRST = NotifyReason.FIRST
PEOPLE = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-dana*",)), slack="U04DANA", email="dana@x.io"),
        Owner(match=Patterns(("gpu-kim*",)), email="kim@x.io"),
        Owner(match=Patterns(("gpu-ghost",)), name="ghost"),
    )
)
OFFICE = Audience(
    default=("finops",),
    recipients={"finops": ("#finops",), "mail": ("a@x.io",), "oncall": ("",)},
    owners=PEOPLE,
    contacts={"slack": "finops", "email": "mail"},
    editors=frozenset({"finops"}),
)
DANA, KIM = Address("finops", "U04DANA"), Address("mail", "kim@x.io")
FINOPS, ONCALL, MAIL = Address("finops", "#finops"), Address("oncall", ""), Address("mail", "a@x.io")
TO_OWNER = rolling(notify=("owner",), repeat_interval=None)
TO_ROUTES_OWNER = Route(notify=("owner",))
TO_ONCALL = Route(notify=("oncall",))


@pytest.mark.parametrize(
    ("owner", "notify", "parts", "addresses"),
    [
        pytest.param("gpu-dana-1", ("owner",), {}, (DANA,), id="Slack before mail"),
        pytest.param("gpu-kim-1", ("owner",), {}, (KIM,), id="mail where there is no Slack id"),
        pytest.param(
            "gpu-dana-1",
            ("owner",),
            {"contacts": {"email": "mail"}},
            (Address("mail", "dana@x.io"),),
            id="no Slack app",
        ),
        pytest.param("gpu-dana-1", ("owner",), {"contacts": {}}, (FINOPS,), id="nothing can write to people"),
        pytest.param("gpu-kim-1", ("owner",), {"contacts": {"slack": "finops"}}, (FINOPS,), id="only what he has not"),
        pytest.param("gpu-ghost", ("owner",), {}, (FINOPS,), id="known, but without an address"),
        pytest.param("gpu-9", ("owner",), {}, (FINOPS,), id="unknown: the default"),
        pytest.param("", ("owner",), {}, (FINOPS,), id="spend without an owner"),
        pytest.param("gpu-9", ("owner",), {"routes": (TO_ONCALL,)}, (ONCALL,), id="unknown: the routes first"),
        pytest.param("gpu-9", (), {"routes": (TO_ROUTES_OWNER,)}, (FINOPS,), id="unknown by a route: the default"),
        pytest.param("gpu-dana-1", (), {"routes": (TO_ROUTES_OWNER,)}, (DANA,), id="by a route"),
        pytest.param("gpu-dana-1", (), {"default": ("owner",)}, (DANA,), id="by default"),
        pytest.param("gpu-9", (), {"default": ("owner",)}, (FINOPS,), id="unknown by default: the first receiver"),
        pytest.param("gpu-9", ("owner", "oncall"), {}, (ONCALL,), id="with another: that one is enough"),
        pytest.param("gpu-dana-1", ("owner", "finops"), {}, (DANA, FINOPS), id="with another: both, in order"),
        pytest.param(
            "gpu-dana-1",
            ("finops", "owner", "finops", "gone"),
            {"recipients": {"finops": ("U04DANA", "#finops")}},
            (DANA, FINOPS),
            id="each address once; a receiver that is gone is none",
        ),
    ],
)
def test_owner_in_notify_when_looked_up_then_addresses(
    owner: str, notify: tuple[str, ...], parts: dict[str, object], addresses: tuple[Address, ...]
) -> None:
    """The person where possible, else where the rest goes: there is always somebody to notify."""
    audience = replace(OFFICE, **parts)  # type: ignore[arg-type]
    assert audience.of(firing(owner=owner), rolling(notify=notify), FIRST) == addresses


@pytest.mark.parametrize(
    ("reason", "addresses"),
    [
        pytest.param(NotifyReason.RESOLVED, (DANA, Address("mail", "old@x.io")), id="an end: whoever was told"),
        pytest.param(NotifyReason.CORRECTED, (DANA,), id="a correction: of those who can be shown it"),
        pytest.param(NotifyReason.ESCALATED, (ONCALL,), id="an escalation: the further ones only"),
        pytest.param(NotifyReason.REPEAT, (FINOPS, ONCALL), id="a repeat: all, after the escalation"),
    ],
)
def test_audience_when_the_reason_differs_then_others_are_notified(
    reason: NotifyReason, addresses: tuple[Address, ...]
) -> None:
    """What was notified binds more than what the file says now; a receiver that was removed cannot be notified."""
    notified_to = (DANA, Address("mail", "old@x.io"), Address("removed", ""))
    alert = replace(firing(), notified_to=notified_to, escalated_at=NOW)
    rule = rolling(notify=("finops",), escalate=Escalation(after=HOUR, notify=("oncall", "oncall")))
    assert OFFICE.of(alert, rule, reason) == addresses


def test_escalation_when_it_names_the_owner_then_that_person_or_the_routes() -> None:
    """Somebody hears it in any case."""
    rule = rolling(notify=("finops",), escalate=Escalation(after=HOUR, notify=("owner",)))
    assert OFFICE.of(firing(owner="gpu-dana-1"), rule, NotifyReason.ESCALATED) == (DANA,)
    routed = replace(OFFICE, routes=(TO_ONCALL,))
    assert routed.of(firing(owner="gpu-9"), rule, NotifyReason.ESCALATED) == (ONCALL,)


def test_audience_when_the_rule_is_gone_then_routes_decide() -> None:
    """An alert outlives its rule by its end."""
    assert OFFICE.of(firing(), None, FIRST) == (FINOPS,)


def test_routes_when_they_match_a_fingerprint_then_taken() -> None:
    """They see what silences see."""
    alert = firing()
    audience = replace(OFFICE, routes=(Route(match=match(fingerprint=alert.fingerprint), notify=("oncall",)),))
    assert audience.of(alert, rolling(), FIRST) == (ONCALL,)


def test_held_until_when_critical_or_another_receiver_then_not() -> None:
    """Only what is below critical, and only who asked for it."""
    always = QuietHours(days=frozenset(range(7)))
    audience = replace(OFFICE, quiet_hours={"finops": (always,)})
    assert audience.held_until("finops", Severity.WARNING, NOW) is not None
    assert audience.held_until("finops", CRITICAL, NOW) is None
    assert audience.held_until("mail", Severity.WARNING, NOW) is None


# --- what each is shown ---------------------------------------------------------------------------------------------


def test_owners_when_each_has_alerts_then_each_is_notified_of_their_own_only() -> None:
    """Nobody reads of other people's spend; what nobody stands behind goes to finance."""
    stage = Stage(rule=TO_OWNER, audience=OFFICE)
    stage.cycle({"gpu-dana-1": "60", "gpu-dana-2": "60", "gpu-kim-1": "60", "gpu-9": "60"})
    assert sorted((one.to, one.owners) for one in stage.notified) == [
        (FINOPS, ("gpu-9",)),
        (DANA, ("gpu-dana-1",)),
        (DANA, ("gpu-dana-2",)),
        (KIM, ("gpu-kim-1",)),
    ]


def test_owners_when_one_has_many_then_that_persons_storm_lists_only_theirs() -> None:
    """Storms are counted for each address, not for the receiver."""
    stage = Stage(rule=TO_OWNER, audience=OFFICE)
    stage.cycle({**{f"gpu-dana-{n}": "60" for n in range(6)}, **{f"gpu-kim-{n}": "60" for n in range(5)}})
    notified = [(one.to, one.entry.message.reason, len(one.owners)) for one in stage.notified]
    assert notified.count((DANA, NotifyReason.STORM, 6)) == 1
    assert notified.count((KIM, NotifyReason.FIRST, 1)) == 5
    assert len(notified) == 6
    (storm,) = (one for one in stage.notified if one.to == DANA)
    assert not any("kim" in line for line in storm.entry.message.lines)


def test_first_look_when_owners_are_notified_then_each_gets_one_list_of_their_own() -> None:
    """A fresh install must not show everybody everything."""
    stage = Stage(rule=TO_OWNER, audience=OFFICE, is_fresh=True)
    stage.cycle({**{f"gpu-dana-{n}": "60" for n in range(3)}, **{f"gpu-kim-{n}": "60" for n in range(3)}})
    assert {(one.to, len(one.owners)) for one in stage.notified} == {(DANA, 3), (KIM, 3)}


def test_end_when_the_owner_has_changed_since_then_goes_to_whom_was_notified() -> None:
    """Who heard that it fires must hear that it does not; the new one hears of the next."""
    stage = Stage(rule=TO_OWNER, audience=OFFICE)
    stage.cycle({"gpu-dana-1": "60"})
    kim = OwnerDirectory((Owner(match=Patterns(("gpu-dana*",)), email="kim@x.io"),))
    stage.audience = replace(OFFICE, owners=kim)
    stage.cycle({"gpu-dana-1": "120"})
    stage.cycle({"gpu-dana-1": "44"})
    assert stage.reached("gpu-dana-1") == [
        (DANA, "firing warning"),
        (KIM, "severity raised critical"),
        (DANA, "resolved critical"),
        (KIM, "resolved critical"),
    ]


def test_nobody_when_a_route_leads_nowhere_then_said_beside_the_alert_and_notified_when_it_leads_somewhere() -> None:
    """An empty list tells nobody; whoever is named later hears of the beginning, not of a rise or an end."""
    stage = Stage(audience=replace(OFFICE, routes=(Route(notify=()),)))
    stage.lives("60 120 44 60")
    assert stage.notified == []
    assert withheld(stage.of()) == "no route leads to a receiver"
    stage.audience = OFFICE
    assert stage.lives("60 44") == [["firing warning"], ["resolved warning"]]
