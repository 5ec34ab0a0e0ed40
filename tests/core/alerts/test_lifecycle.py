"""The life of an alert as sequences: values in, states out."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Address, Alert, AlertState, Sample
from alertd.core.alerts.lifecycle import Move, end_orphans, step, step_rule
from alertd.core.labels import Patterns
from alertd.core.rules.base import Share
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from tests.core.builders import (
    CRITICAL,
    HOUR,
    NOW,
    RUNNING,
    WARNING,
    Desk,
    Row,
    desk_with,
    firing,
    group,
    rolling,
    row,
    sample,
    usd,
)

NEXT = timedelta(minutes=10)


def state_of(alert: Alert | None) -> str:
    """The state as the tables write it: none, pending, warning, critical, resolved."""
    if alert is None:
        return "none"
    return alert.severity.label if alert.state is AlertState.FIRING else alert.state.value


def live(samples: list[Sample], rule: RollingSpend, every: timedelta = NEXT) -> list[Alert | None]:
    """Step one alert through samples, one each cycle."""
    alerts: list[Alert | None] = []
    for number, seen in enumerate(samples):
        alerts.append(step(alerts[-1] if alerts else None, seen, rule, NOW + number * every))
    return alerts


def spent(owner: str, value: str, account: str = "default") -> Row:
    """A charge within the window."""
    return row(RUNNING - 3, value, owner=owner, account=account)


def read(text: str, rule: RollingSpend) -> Sample:
    """`60`, `60?` from incomplete data, `60!` from incomplete data in which a credit may be missing."""
    value = text.rstrip("?!")
    return sample(value, rule, complete=value == text, may_raise=not text.endswith("!"))


@pytest.mark.parametrize(
    ("values", "states"),
    [
        pytest.param("49.99 50", "none warning", id="reaching the threshold exactly fires"),
        pytest.param("50 46", "warning warning", id="above resolve_below it keeps firing"),
        pytest.param("50 45", "warning warning", id="at resolve_below exactly it keeps firing"),
        pytest.param("50 44.9999999999", "warning resolved", id="below resolve_below it resolves"),
        pytest.param("46", "none", id="between resolve_below and the threshold nothing begins"),
        pytest.param("50 100", "warning critical", id="the severity rises at its threshold exactly"),
        pytest.param("100 90", "critical critical", id="at the critical resolve_below exactly it stays critical"),
        pytest.param("100 89.99", "critical warning", id="below it the severity is left"),
        pytest.param("100 89.99 95", "critical warning warning", id="once left it takes the whole threshold again"),
        pytest.param("100 89.99 100", "critical warning critical", id="and is taken again"),
        pytest.param("100 44", "critical resolved", id="from critical straight to the end"),
        pytest.param("50 44 46", "warning resolved resolved", id="once resolved it takes the whole threshold again"),
        pytest.param("50 44 50", "warning resolved warning", id="and begins anew"),
        pytest.param("0 0", "none none", id="nothing"),
        pytest.param("-5", "none", id="a credit"),
        pytest.param("50?", "warning", id="incomplete data may begin an alert"),
        pytest.param("50! 49!", "none none", id="not where a credit may be missing"),
        pytest.param("50 100?", "warning critical", id="incomplete data may raise the severity"),
        pytest.param("50 100!", "warning warning", id="not where a credit may be missing, to a higher severity"),
        pytest.param("50 0?", "warning warning", id="incomplete data never ends an alert"),
        pytest.param("50 0! 0", "warning warning resolved", id="complete data does"),
        pytest.param("100 60?", "critical critical", id="incomplete data never lowers the severity"),
        pytest.param("100 60! 60", "critical critical warning", id="complete data does so"),
        pytest.param("100 95?", "critical critical", id="incomplete between the thresholds"),
        pytest.param("44? 0?", "none none", id="incomplete and low: nothing to begin"),
        pytest.param("50 44 0? 0", "warning resolved resolved resolved", id="what ended stays ended"),
    ],
)
def test_alert_when_values_come_then_states(values: str, states: str) -> None:
    """Reached by `>=`, left under resolve_below; missing data can hide spend but never invent it."""
    rule = rolling()
    assert [state_of(a) for a in live([read(v, rule) for v in values.split()], rule)] == states.split()


@pytest.mark.parametrize(
    ("values", "states"),
    [
        pytest.param("50 50 50", "pending pending warning", id="it fires when it has held for `for` exactly"),
        pytest.param("50 49 50 50", "pending resolved pending pending", id="a break starts the wait anew"),
        pytest.param("50 49? 50", "pending pending warning", id="incomplete data is no break"),
        pytest.param("50 49! 50", "pending pending warning", id="nor where a credit may be missing"),
        pytest.param("50? 50? 50?", "pending pending warning", id="incomplete data may fire it"),
        pytest.param("50 50 50!", "pending pending pending", id="not where a credit may be missing: it waits on"),
        pytest.param("50 50 100", "pending pending critical", id="it fires with the severity of the moment"),
        pytest.param("100 100 60", "pending pending warning", id="also a lower one"),
        pytest.param("100 100 60?", "pending pending critical", id="but not by incomplete data"),
        pytest.param("50 50 50 44", "pending pending warning resolved", id="and lives on as any other"),
    ],
)
def test_alert_when_it_must_hold_first_then_pending(values: str, states: str) -> None:
    """`for: 20m` at a poll each 10 minutes: the third sample fires."""
    rule = rolling(for_=timedelta(minutes=20))
    assert [state_of(a) for a in live([read(v, rule) for v in values.split()], rule)] == states.split()


@pytest.mark.parametrize(
    ("values", "states"),
    [
        pytest.param("50 44 44 44", "warning warning warning resolved", id="it fires on for as long, exactly"),
        pytest.param("50 44 50 44 44", "warning warning warning warning warning", id="its return begins the wait anew"),
        pytest.param("50 44 46 44 44", "warning warning warning warning warning", id="so does what is still held"),
        pytest.param("50 44 0? 44", "warning warning warning resolved", id="incomplete data changes nothing"),
        pytest.param("50 44 0? 0?", "warning warning warning warning", id="it ends by complete data only"),
        pytest.param("100 60 44 44", "critical warning warning warning", id="a lower severity needs no wait"),
        pytest.param("50 44 100", "warning warning critical", id="a rise is a return"),
    ],
)
def test_alert_when_it_is_kept_firing_then_ends_so_long_after_its_condition(values: str, states: str) -> None:
    """`keep_firing_for: 20m` at a poll each 10 minutes: a value that comes and goes is one alert."""
    rule = rolling(keep_firing_for=timedelta(minutes=20))
    assert [state_of(a) for a in live([read(v, rule) for v in values.split()], rule)] == states.split()


def test_pending_when_incomplete_data_shows_less_then_keeps_its_severity() -> None:
    """A lower severity comes from complete data only, told or not."""
    rule = rolling(for_=HOUR)
    _, after = live([sample("100"), sample("60", complete=False)], rule)
    assert after is not None
    assert (state_of(after), after.severity) == ("pending", CRITICAL)


@pytest.mark.parametrize(
    ("share", "value", "state"),
    [
        pytest.param(Fraction(1), "49.99", "resolved", id="100%: left as soon as it is not reached"),
        pytest.param(Fraction(1, 3), "16.6666666667", "warning", id="a third: rounded up to the next unit"),
        pytest.param(Fraction(1, 3), "16.6666666666", "resolved", id="a third: below"),
        pytest.param(Fraction(0), "0", "warning", id="0%: never left by spend"),
    ],
)
def test_alert_when_resolve_below_differs_then_its_share_counts(share: Fraction, value: str, state: str) -> None:
    """The boundary is exact for shares that no decimal holds: judged by the rule itself, not by the test's sample."""
    rule = rolling(resolve_below=Share(share))
    before = firing("60", rule=rule)
    (seen,) = rule.evaluate(desk_with(spent("gpu-1", value)).facts(), {before.group: before})
    assert state_of(step(before, seen, rule, NOW + NEXT)) == state


def test_alert_when_it_fires_again_then_a_new_episode() -> None:
    """Its key and its thread must be new, and whoever was notified of the old one was not notified of this."""
    rule = rolling()
    old = replace(
        firing(), notified_at=NOW, notified_to=(Address("finops", ""),), repeat_count=3, acknowledged_by="dana"
    )
    ended = step(old, sample("0"), rule, NOW + NEXT)
    again = step(ended, sample("70"), rule, NOW + 2 * NEXT)
    assert ended is not None
    assert again is not None
    assert (old.episode, ended.episode, again.episode) == (1, 1, 2)
    assert (ended.resolved_at, ended.notified_to) == (NOW + NEXT, (Address("finops", ""),))
    assert (again.started_at, again.fired_at, again.resolved_at) == (NOW + 2 * NEXT, NOW + 2 * NEXT, None)
    assert (again.notified_at, again.notified_to, again.repeat_count, again.acknowledged_by) == (None, (), 0, None)
    assert again.fingerprint == old.fingerprint


def test_alert_when_observed_then_value_peak_and_threshold_follow() -> None:
    """The message shows the present value, the highest ever and the threshold of the present severity."""
    rule = rolling()
    alerts = live([sample("60"), sample("120"), sample("80"), sample("0")], rule)
    assert [(str(a.value), str(a.peak), str(a.threshold)) for a in alerts if a is not None] == [
        ("60", "60", "50"),
        ("120", "120", "100"),
        ("80", "120", "50"),
        ("0", "120", "50"),
    ]


def test_step_when_nothing_is_open_and_nothing_reached_then_the_same_object() -> None:
    """Nothing to store: quiet groups cost nothing."""
    rule = rolling()
    ended = step(firing(), sample("0"), rule, NOW)
    assert step(None, sample("49"), rule, NOW) is None
    assert step(ended, sample("49"), rule, NOW) is ended


# --- edits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "edited", "state", "reason"),
    [
        pytest.param("60", rolling("70"), "resolved", "threshold raised by edit", id="raised: resolved"),
        pytest.param("110", rolling("50", "200"), "warning", "threshold raised by edit", id="raised: less severe"),
        pytest.param("60", rolling("40", "55"), "critical", "threshold lowered by edit", id="lowered: more severe"),
        pytest.param("60", rolling("40"), "warning", "", id="lowered: nothing moves, nothing to explain"),
        pytest.param("60", rolling(None, "100"), "resolved", "rule edited", id="the severity is gone"),
        pytest.param(
            "46", rolling(resolve_below=Share(Fraction(1))), "resolved", "rule edited", id="another key of meaning"
        ),
        pytest.param("44", rolling(description="x", notify=("a",)), "resolved", "", id="words only: the bills did it"),
        pytest.param("44", rolling(), "resolved", "", id="no edit"),
    ],
)
def test_alert_when_its_rule_is_edited_then_judged_anew_with_the_reason(
    value: str, edited: RollingSpend, state: str, reason: str
) -> None:
    """An alert that changes without a change of spend must say why."""
    before = firing("110" if value == "110" else "60")
    after = step(before, sample(value, edited), edited, NOW + NEXT)
    assert after is not None
    assert (state_of(after), after.reason) == (state, reason)


def test_alert_when_spend_ends_it_although_the_threshold_was_lowered_then_no_false_reason() -> None:
    """A lowered threshold cannot end an alert, so it must not be named as why it ended."""
    after = step(firing(), sample("10", rolling("40")), rolling("40"), NOW + NEXT)
    assert after is not None
    assert state_of(after) == "resolved"
    assert after.reason != "threshold lowered by edit"


def test_alert_when_spend_raises_it_although_the_threshold_was_raised_then_no_false_reason() -> None:
    """Nor can a raised one make it worse."""
    edited = rolling("55", "110")
    after = step(firing(), sample("120", edited), edited, NOW + NEXT)
    assert after is not None
    assert after.severity is CRITICAL
    assert after.reason != "threshold raised by edit"


def test_alert_when_the_edit_takes_effect_only_with_complete_data_then_still_with_the_reason() -> None:
    """Data may be incomplete right after an edit; the end that follows is the edit's all the same."""
    edited = rolling("70")
    waiting = step(firing(), sample("60", edited, complete=False), edited, NOW + NEXT)
    after = step(waiting, sample("60", edited), edited, NOW + 2 * NEXT)
    assert after is not None
    assert (state_of(after), after.reason) == ("resolved", "threshold raised by edit")


def test_digest_when_only_the_order_changes_then_the_same() -> None:
    """An edit of order changes no meaning."""
    one = rolling(group_by=("owner", "category"))
    other = rolling(thresholds={CRITICAL: usd("100"), WARNING: usd("50")}, group_by=("category", "owner"))
    assert one.digest() == other.digest()


@pytest.mark.parametrize(
    ("edited", "same"),
    [
        pytest.param(rolling(description="x", runbook_url="https://x", labels=(("a", "b"),)), True, id="words"),
        pytest.param(rolling(notify=("a",), send_resolved=False, repeat_interval=None), True, id="receivers"),
        pytest.param(rolling("51"), False, id="a threshold"),
        pytest.param(rolling(window=timedelta(hours=48)), False, id="the window"),
        pytest.param(rolling(for_=HOUR), False, id="for"),
        pytest.param(rolling(group_by=("team",)), False, id="group_by"),
    ],
)
def test_digest_when_edited_then_meaning_decides(edited: RollingSpend, same: bool) -> None:
    """It tells an edit from a change of the bills."""
    assert (edited.digest() == rolling().digest()) is same


# --- a rule's alerts together ---------------------------------------------------------------------------------------


def judge(rule: RollingSpend, desk: Desk, alerts: list[Alert]) -> list[Move]:
    """Evaluate and step a rule as a cycle does."""
    stored = {alert.fingerprint: alert for alert in alerts}
    watched = {a.group: a for a in alerts if a.state is not AlertState.RESOLVED}
    return step_rule(rule, rule.evaluate(desk.facts(), watched), stored, watched, NOW + NEXT)


def test_step_rule_when_groups_differ_then_each_has_its_own_life() -> None:
    """One ends, one goes on, one begins, one never was."""
    rows = [spent("gpu-2", "60"), spent("gpu-3", "70"), spent("gpu-4", "1")]
    moves = judge(rolling(), desk_with(*rows), [firing(owner="gpu-1"), firing(owner="gpu-2")])
    assert sorted((dict(m.after.group)["owner"], m.arrow) for m in moves) == [
        ("gpu-1", "firing (warning) -> resolved"),
        ("gpu-2", ""),
        ("gpu-3", "none -> firing (warning)"),
    ]


def test_step_rule_when_group_by_changes_then_the_old_alert_ends_once_with_the_reason() -> None:
    """Two ends of one alert would be two messages with one key."""
    moves = judge(rolling(group_by=("category",)), desk_with(spent("gpu-1", "60")), [firing()])
    ended = [m for m in moves if m.after.group == group()]
    assert [(m.after.state, m.after.reason) for m in ended] == [(AlertState.RESOLVED, "group_by changed by edit")]
    assert [m.after.group for m in moves if m not in ended] == [(("category", "gpu"),)]


def test_step_rule_when_group_by_is_only_reordered_then_the_alert_goes_on() -> None:
    """The same group by another order of its labels is the same alert, with the same spend."""
    desk = desk_with(spent("gpu-1", "60"))
    before = [m.after for m in judge(rolling(group_by=("owner", "category")), desk, [])]
    moves = judge(rolling(group_by=("category", "owner")), desk, before)
    assert [(m.before, m.arrow) for m in moves] == [(before[0], "")]


def test_end_orphans_when_rules_are_gone_then_resolved_with_the_reason() -> None:
    """Alerts of a deleted rule must not stay open for ever."""
    kept, off = rolling(), rolling(name="off", enabled=False)
    alerts = [firing(), firing(rule=off), firing(rule=rolling(name="gone")), firing(rule=rolling(name="old"))]
    alerts[3] = replace(alerts[3], state=AlertState.RESOLVED)
    pending = replace(firing(owner="gpu-2", rule=rolling(name="gone")), state=AlertState.PENDING)
    stored = {a.fingerprint: a for a in (*alerts, pending)}
    moves = end_orphans(stored, {"gpu-24h": kept, "off": off}, {"default"}, NOW + NEXT)
    assert [(m.after.rule, m.after.reason, m.after.state, m.rule) for m in moves] == [
        ("off", "rule disabled", AlertState.RESOLVED, off),
        ("gone", "rule removed", AlertState.RESOLVED, None),
        ("gone", "rule removed", AlertState.RESOLVED, None),
    ]
    assert {m.after.resolved_at for m in moves} == {NOW + NEXT}


@pytest.mark.parametrize(
    ("account", "accounts", "reason"),
    [
        pytest.param("dev", ["prod"], "account removed", id="its only account is gone"),
        pytest.param("dev, prod", ["prod"], None, id="one of its accounts is left"),
        pytest.param("dev, prod", ["test"], "account removed", id="all of its accounts are gone"),
        pytest.param("", ["prod"], None, id="an alert of no account"),
    ],
)
def test_end_orphans_when_an_account_is_gone_then_its_alerts_end(
    account: str, accounts: list[str], reason: str | None
) -> None:
    """Nobody reads its bills any more, so nothing else would ever end them."""
    alert = replace(firing(), account=account)
    moves = end_orphans({alert.fingerprint: alert}, {"gpu-24h": rolling()}, accounts, NOW)
    assert [m.after.reason for m in moves] == ([reason] if reason else [])


@pytest.mark.parametrize(
    "wanted",
    [pytest.param((), id="all accounts"), pytest.param(("*",), id="all by a glob"), pytest.param(("dev",), id="it")],
)
def test_judged_when_an_account_is_gone_then_its_spend_raises_no_alert(wanted: tuple[str, ...]) -> None:
    """Its alert was ended as "account removed": spend that is still held must not begin it again each cycle."""
    rule = rolling(group_by=("account",), account=Patterns(wanted))
    desk = desk_with(spent("gpu-1", "60", "dev"), spent("gpu-2", "1", "prod"))
    del desk.books["dev", "gpu"]
    assert [m.arrow for m in judge(rule, desk, [])] == []


def test_arrow_when_states_change_then_as_logs_write_it() -> None:
    """One form for logs and explanations."""
    before, rule = firing(), rolling()
    assert Move(before=None, after=before, rule=rule).arrow == "none -> firing (warning)"
    worse = replace(before, severity=Severity.CRITICAL)
    assert Move(before=before, after=worse, rule=rule).arrow == "firing (warning) -> firing (critical)"
    same = Move(before=before, after=replace(before, value=before.value + 1), rule=rule)
    assert (same.arrow, same.is_change) == ("", True)
    assert not Move(before=before, after=before, rule=rule).is_change
