"""From moves to outbox entries: who is notified, storms, folding, keys."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Address, Alert
from alertd.core.alerts.audience import Audience, LinkTargets
from alertd.core.alerts.due import notified
from alertd.core.alerts.lifecycle import Move, end
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.routing import Route, route
from alertd.core.chart import Chart
from alertd.core.labels import Patterns
from alertd.core.messages.dispatch import Decisions
from alertd.core.messages.outbox import EntryState, OutboxEntry, delivery_key
from alertd.core.rules.base import Rule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.notify.delivery.order import ready
from tests.builders import rising_chart
from tests.core.builders import CRITICAL, HOUR, NOW, dispatcher, firing, move, rolling

ALL = Audience(default=("finops",), recipients={"finops": ("",), "mail": ("a@x.io", "b@x.io"), "oncall": ("",)})
OTHER = rolling(name="other")


def decide(
    moves: Sequence[Move],
    *,
    audience: Audience = ALL,
    waiting: Sequence[OutboxEntry] = (),
    first: bool = False,
    now: datetime = NOW,
) -> Decisions:
    return dispatcher(audience, now).decide(moves, alerts={}, silences=(), waiting=waiting, is_first_cycle=first)


def test_messages_then_link_the_pages_that_those_who_are_notified_have() -> None:
    """Alone, in a storm, and in what changes a message in its place."""
    audience = replace(ALL, targets=LinkTargets(status="https://alertd.example.com"), editors=frozenset({"finops"}))
    (one,) = decide(begin(1), audience=audience).entries
    (storm,) = decide(begin(6), audience=audience).entries
    alert = notified_alert("finops")
    acked = move(alert, replace(alert, acknowledged_by="dana"))
    requested = dispatcher(audience).entries_of_request([acked])
    targets = [[link.url for link in entry.message.links] for entry in (one, storm, *requested)]
    own = [f"https://alertd.example.com/alerts/{one.fingerprints[0]}"]
    told_page = [f"https://alertd.example.com/alerts/{alert.fingerprint}"]
    assert targets == [own, ["https://alertd.example.com/"], told_page, told_page]


def begin(count: int, rule: RollingSpend | None = None, *, value: int = 60) -> list[Move]:
    """So many alerts of one rule begin."""
    return [move(None, firing(str(value + n), owner=f"gpu-{n}", rule=rule), rule) for n in range(count)]


def notified_alert(*receivers: str, **parts: object) -> Alert:
    addresses = tuple(Address(name, to) for name in receivers for to in ALL.recipients.get(name, ("",)))
    return replace(notified(firing(), NotifyReason.FIRST, addresses, NOW), **parts)  # type: ignore[arg-type]


def ended(alert: Alert, rule: RollingSpend | None = None) -> Move:
    return move(alert, end(alert, reason="", now=NOW + HOUR), rule)


# --- charts ---------------------------------------------------------------------------------------------------------


def drawing(moves: Sequence[Move], audience: Audience) -> tuple[Decisions, list[str]]:
    """What was decided, and the alerts that were drawn, in that order."""
    drawn: list[str] = []

    def chart_of(alert: Alert, rule: Rule | None) -> Chart:
        drawn.append(dict(alert.group)["owner"])
        return rising_chart(title=f"of {dict(alert.group)['owner']}")

    drawer = replace(dispatcher(audience), chart_of=chart_of)
    decisions = drawer.decide(moves, alerts={}, silences=(), waiting=(), is_first_cycle=False)
    return decisions, drawn


def test_chart_when_several_are_notified_then_is_drawn_once_for_all() -> None:
    """Drawing costs more than words."""
    audience = replace(ALL, default=("finops", "mail"))
    decisions, drawn = drawing(begin(2), audience)
    assert sorted(drawn) == ["gpu-0", "gpu-1"]
    told_charts = [(e.fingerprints[0], e.message.chart.title) for e in decisions.entries if e.message.chart]
    assert len(told_charts) == 6
    assert len(set(told_charts)) == 2


def test_chart_when_it_would_not_be_shown_then_is_not_drawn() -> None:
    """A storm of a thousand alerts shows none, and what nobody is notified has none."""
    decisions, drawn = drawing(begin(6), ALL)
    assert [entry.message.chart for entry in decisions.entries] == [None]
    assert drawing(begin(1), replace(ALL, default=()))[1] == drawn == []


# --- routing --------------------------------------------------------------------------------------------------------

ROUTES = (
    Route(match=(("severity", Patterns(("critical",))),), notify=("finops", "oncall"), continue_=True),
    Route(match=(("team", Patterns(("res*",))), ("rule", Patterns(("!test-*",)))), notify=("mail", "finops")),
    Route(match=(("team", Patterns(("",))),), notify=("nobody",)),
    Route(match=(("env", Patterns(("prod",))),), notify=(), continue_=True),
)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param({"team": "research"}, ("mail", "finops"), id="the first match wins"),
        pytest.param({"team": "web"}, ("default",), id="no match: the default"),
        pytest.param(
            {"severity": "critical", "team": "research"}, ("finops", "oncall", "mail"), id="continue adds, each once"
        ),
        pytest.param({"severity": "critical", "team": "web"}, ("finops", "oncall"), id="continue and nothing after"),
        pytest.param({"team": "research", "rule": "test-1"}, ("default",), id="all matchers of a route must match"),
        pytest.param({}, ("nobody",), id="a label that is not there reads as empty"),
        pytest.param({"team": "web", "env": "prod"}, (), id="a route to nobody is a match"),
    ],
)
def test_route_when_labels_differ_then_receivers(labels: dict[str, str], receivers: tuple[str, ...]) -> None:
    """From the top, first match wins, `continue` goes on."""
    assert route(labels, ROUTES, default=("default",)) == receivers


def test_dispatch_when_routes_match_then_alert_labels_and_built_in_names_count() -> None:
    """Routes see severity, rule, type and account beside the alert's labels."""
    routes = (
        Route(
            match=(("severity", Patterns(("critical",))), ("type", Patterns(("rolling_spend",)))), notify=("oncall",)
        ),
        Route(match=(("owner", Patterns(("gpu-7",))), ("account", Patterns(("default",)))), notify=("mail", "gone")),
    )
    audience = replace(ALL, routes=routes)
    moves = [
        move(None, firing("120", owner="gpu-1")),
        move(None, firing("60", owner="gpu-7")),
        move(None, firing("60", owner="gpu-8")),
        move(None, firing("60", owner="gpu-9"), rolling(notify=("oncall", "gone"))),
    ]
    sent = {
        (dict(e.message.alerts[0].labels)["owner"], e.receiver, e.recipient)
        for e in decide(moves, audience=audience).entries
    }
    assert sent == {
        ("gpu-1", "oncall", ""),
        ("gpu-7", "mail", "a@x.io"),
        ("gpu-7", "mail", "b@x.io"),
        ("gpu-8", "finops", ""),
        ("gpu-9", "oncall", ""),
    }


def test_dispatch_when_nothing_is_due_then_changes_are_stored_and_nothing_is_sent() -> None:
    """An observed value is a change; an untouched alert is none."""
    alert = notified_alert("finops")
    seen = replace(alert, value=alert.value + 1)
    decisions = decide([move(alert, seen), move(alert, alert)])
    assert (decisions.alerts, decisions.entries, [m.before for m in decisions.moves]) == ((seen,), (), [alert])


# --- ends -----------------------------------------------------------------------------------------------------------


def test_end_when_routes_have_changed_then_goes_to_those_who_were_notified() -> None:
    """Whoever heard the alarm hears that it is over, and nobody else."""
    (sent,) = decide([ended(notified_alert("oncall", "gone"), rolling(notify=("finops",)))]).entries
    assert (sent.receiver, sent.message.reason, sent.message.is_resolved) == ("oncall", NotifyReason.RESOLVED, True)


def test_end_when_nobody_was_notified_of_the_beginning_then_nobody_hears_of_it() -> None:
    """An end is never notified before its beginning: a receiver that came later was not notified."""
    silent = replace(ALL, default=())
    begun = decide([move(None, firing())], audience=silent)
    assert begun.entries == ()
    assert decide([ended(begun.alerts[0])]).entries == ()


def test_rise_when_routed_elsewhere_then_the_end_goes_to_both() -> None:
    """The first receiver still believes that it fires."""
    routes = (Route(match=(("severity", Patterns(("critical",))),), notify=("oncall",)),)
    audience = replace(ALL, routes=routes)
    first = decide([move(None, firing())], audience=audience).alerts[0]
    worse = replace(first, severity=CRITICAL)
    risen = decide([move(first, worse)], audience=audience)
    assert [e.receiver for e in risen.entries] == ["oncall"]
    over = decide([ended(risen.alerts[0])], audience=audience)
    assert [e.receiver for e in over.entries] == ["finops", "oncall"]


# --- storms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "first", "sizes"),
    [
        pytest.param(begin(5), False, [1] * 5, id="five of one rule: one by one"),
        pytest.param(begin(6), False, [6], id="six of one rule: one message"),
        pytest.param(begin(5) + begin(5, OTHER), False, [1] * 10, id="five each of two rules: one by one"),
        pytest.param(begin(6) + begin(2, OTHER), False, [6, 1, 1], id="six of one and two of another"),
        pytest.param(begin(2), True, [1, 1], id="first cycle: two"),
        pytest.param(begin(3), True, [3], id="first cycle: three are one message"),
        pytest.param(begin(2) + begin(1, OTHER), True, [3], id="first cycle: whatever their rules"),
    ],
)
def test_dispatch_when_many_are_due_then_one_message(moves: list[Move], first: bool, sizes: list[int]) -> None:
    """A hundred messages at once are none."""
    entries = decide(moves, first=first).entries
    assert sorted((len(e.fingerprints) for e in entries), reverse=True) == sizes
    assert all(len(e.message.alerts) == len(e.fingerprints) for e in entries)
    assert len({e.key for e in entries}) == len(entries)


def test_storm_when_counted_then_per_receiver() -> None:
    """Six in all, but no more than five for anybody."""
    near, far = rolling(notify=("finops",)), rolling(notify=("oncall",))
    moves = [replace(m, rule=far if n < 3 else near) for n, m in enumerate(begin(6))]
    assert [(e.receiver, len(e.fingerprints)) for e in decide(moves).entries] == [("finops", 1)] * 3 + [
        ("oncall", 1)
    ] * 3


def test_storm_when_sent_then_the_worst_and_largest_come_first() -> None:
    """The list is cut after twenty: what is cut must be the least."""
    moves = [
        move(None, firing(value, owner=f"gpu-{n}")) for n, value in enumerate(["60", "150", "70", "120", "80", "90"])
    ]
    (sent,) = decide(moves).entries
    assert [facts.value for facts in sent.message.alerts] == ["150", "120", "90", "80", "70", "60"]
    assert sent.message.severity is CRITICAL


# --- keys -----------------------------------------------------------------------------------------------------------


def test_key_when_decided_again_then_the_same_and_else_never() -> None:
    """The key tells repeats of one message from another message, for ever."""
    audience = replace(ALL, default=("finops", "mail"))
    alert = notified_alert("finops", "mail")
    worse = replace(alert, severity=CRITICAL)
    situations = [[move(None, firing())], [move(alert, worse)], [ended(alert)], begin(6), begin(6, OTHER)]
    situations += [[move(None, replace(firing(), episode=2))], [move(None, firing(owner="gpu-2"))]]
    keys = [[e.key for e in decide(moves, audience=audience).entries] for moves in situations]
    assert keys == [[e.key for e in decide(moves, audience=audience).entries] for moves in situations]
    assert [len(k) for k in keys] == [3] * len(situations)
    assert len({key for k in keys for key in k}) == 3 * len(situations)
    later = decide(situations[0], audience=audience, now=NOW + HOUR).entries
    assert not {e.key for e in later} & set(keys[0])


def test_delivery_key_when_parts_differ_then_differs() -> None:
    """The parts do not run into each other."""
    assert delivery_key("a", "bc") != delivery_key("ab", "c")
    assert len(delivery_key("a")) == 32


def test_entry_when_made_then_due_at_once_and_of_its_alert() -> None:
    """What the worker needs to order it."""
    alert = firing()
    (sent,) = decide([move(None, alert)]).entries
    assert (sent.group, sent.fingerprints, sent.state) == (alert.fingerprint, (alert.fingerprint,), EntryState.PENDING)
    assert (sent.not_before, sent.created_at, sent.attempts, sent.id) == (NOW, NOW, 0, 0)
    assert (sent.message.title, sent.receiver) == (
        "gpu-1 spent $60 (warning from $50.00)",
        "finops",
    )


# --- folding --------------------------------------------------------------------------------------------------------

LATE = "Delivered late: firing (warning) 2026-01-10 12:05 UTC."


def waits(**parts: object) -> OutboxEntry:
    """The beginning of the usual alert, not delivered yet."""
    (sent,) = decide([move(None, firing())]).entries
    return replace(sent, **{"id": 7, **parts})  # type: ignore[arg-type]


def test_fold_when_the_beginning_waits_then_the_end_reports_both() -> None:
    """What waited is folded, not dropped, and not notified twice."""
    decisions = decide([ended(notified_alert("finops"))], waiting=[waits()], now=NOW + HOUR)
    (sent,) = decisions.entries
    assert (sent.message.history, sent.message.reason) == ((LATE,), NotifyReason.RESOLVED)
    assert decisions.folded == {sent.key: (7,)}


class Counted(list[OutboxEntry]):
    """Waiting entries that count how often somebody goes through them all."""

    passes = 0

    def __iter__(self) -> Iterator[OutboxEntry]:
        self.passes += 1
        return super().__iter__()


@pytest.mark.parametrize("number", [3, 300])
def test_fold_when_many_end_then_the_outbox_is_gone_through_as_often_as_for_few(number: int) -> None:
    """Each new message went through the whole outbox: after an outage of Slack, minutes for nothing."""
    beginnings = [firing(owner=f"gpu-{n}") for n in range(number)]
    waiting = Counted(replace(decide([move(None, alert)]).entries[0], id=n) for n, alert in enumerate(beginnings, 1))
    moves = [ended(replace(notified_alert("finops"), fingerprint=alert.fingerprint)) for alert in beginnings[:3]]
    decisions = decide(moves, waiting=waiting, now=NOW + HOUR)
    assert sorted(decisions.folded.values()) == [(1,), (2,), (3,)]
    assert waiting.passes <= 2


def test_fold_when_the_beginning_waits_then_a_repeat_becomes_the_beginning() -> None:
    """Its reader hears of the alert for the first time."""
    alert = notified_alert("finops")
    (sent,) = decide([move(alert, alert)], waiting=[waits()], now=NOW + 24 * HOUR).entries
    assert (sent.message.reason, sent.message.history) == (NotifyReason.FIRST, (LATE,))


def test_fold_when_several_wait_then_all_are_notified_in_order() -> None:
    """A receiver that was down for long is notified of its complete history once."""
    alert = notified_alert("finops")
    worse = replace(alert, severity=CRITICAL)
    raised = decide([move(alert, worse)], waiting=[waits()], now=NOW + HOUR)
    again = replace(raised.entries[0], id=8)
    decisions = decide([ended(raised.alerts[0])], waiting=[again], now=NOW + 2 * HOUR)
    assert decisions.entries[0].message.history == (
        LATE,
        "Delivered late: firing (critical) 2026-01-10 13:05 UTC.",
    )
    both = decide([ended(raised.alerts[0])], waiting=[waits(), replace(again, message=waits().message)])
    assert list(both.folded.values()) == [(7, 8)]


@pytest.mark.parametrize(
    ("parts", "folds"),
    [
        pytest.param({"state": EntryState.PENDING, "attempts": 3}, True, id="attempts that certainly did not arrive"),
        pytest.param({"state": EntryState.BLOCKED}, True, id="blocked by its configuration"),
        pytest.param({"state": EntryState.SENDING}, False, id="under way"),
        pytest.param({"state": EntryState.UNKNOWN, "unknowns": 1}, False, id="it may have arrived"),
        pytest.param({"state": EntryState.PENDING, "unknowns": 1}, False, id="pending, but it may have arrived before"),
        pytest.param({"state": EntryState.BLOCKED, "unknowns": 2}, False, id="blocked, but it may have arrived"),
        pytest.param({"receiver": "mail"}, False, id="another receiver"),
        pytest.param({"recipient": "x"}, False, id="another recipient"),
        pytest.param({"fingerprints": ("f",)}, False, id="another alert"),
        pytest.param({"fingerprints": (firing().fingerprint, "f")}, False, id="a storm"),
    ],
)
def test_fold_when_the_waiting_one_may_have_arrived_then_left_alone(parts: dict[str, object], folds: bool) -> None:
    """What may have been seen is not notified again as new; the newer one waits behind it."""
    decisions = decide([ended(notified_alert("finops"))], waiting=[waits(**parts)])
    assert bool(decisions.folded) is folds
    assert decisions.entries[0].message.history == ((LATE,) if folds else ())


def test_fold_when_one_of_several_may_have_arrived_then_none_is_folded() -> None:
    """Order would break otherwise."""
    waiting = [waits(state=EntryState.UNKNOWN, unknowns=1), waits(id=8)]
    assert decide([ended(notified_alert("finops"))], waiting=waiting).folded == {}


def test_fold_when_a_storm_is_new_then_it_takes_nothing_over() -> None:
    """Its list tells the alerts as they are now; what waits goes out before it."""
    of_each = [waits(id=n, fingerprints=(m.after.fingerprint,)) for n, m in enumerate(begin(6), start=1)]
    decisions = decide(begin(6), waiting=of_each)
    assert [len(e.fingerprints) for e in decisions.entries] == [6]
    assert decisions.folded == {}


@pytest.mark.parametrize(
    ("many", "waiting", "sizes"),
    [
        pytest.param(7, 1, [6, 1], id="one of them"),
        pytest.param(14, 6, [8, 6], id="several of them: two messages"),
        pytest.param(6, 4, [2, 4], id="most of them"),
        pytest.param(5, 1, [1] * 5, id="too few for a storm"),
    ],
)
def test_storm_when_some_of_its_alerts_wait_for_an_earlier_message_then_the_others_do_not(
    many: int, waiting: int, sizes: list[int]
) -> None:
    """The answer to one message was lost, and an hour of waiting for it was one for everything bundled with it."""
    moves = begin(many)
    ahead = [
        waits(id=n, fingerprints=(m.after.fingerprint,), state=EntryState.BLOCKED, unknowns=2, not_before=NOW + HOUR)
        for n, m in enumerate(moves[:waiting], start=1)
    ]
    entries = decide(moves, waiting=ahead).entries
    assert [len(e.fingerprints) for e in entries] == sizes
    assert len({e.key for e in entries}) == len(entries)
    (sent,) = ready([*ahead, *(replace(e, id=100 + n) for n, e in enumerate(entries))], NOW).values()
    assert sent.id >= 100


def test_storm_when_only_an_edit_waits_then_it_is_one() -> None:
    """An edit changes a message that was sent before, whenever it is made."""
    edit = waits()
    edit = replace(edit, message=replace(edit.message, reason=NotifyReason.UPDATED))
    assert [len(e.fingerprints) for e in decide(begin(6), waiting=[edit]).entries] == [6]


def test_dispatch_when_repeated_with_another_clock_then_created_at_follows() -> None:
    """`now` is handed down, never asked."""
    later = NOW + timedelta(days=3)
    decisions = decide([move(None, firing())], now=later)
    assert decisions.entries[0].message.created_at == later
    assert decisions.alerts[0].notified_at == later
