"""Which alerts offer an action, what asking for it makes, and what cannot be asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.actions import Act, Action, ActionRequest, ActionState, Verb
from alertd.core.alert import Alert, AlertState, Billed, Rate
from alertd.core.alerts.acting import NO_ACTIONS, Acting, act, latest_of, offer_of, parse_action, said, undo_of
from alertd.core.alerts.requests import RequestError, RequestTextError
from alertd.core.money import Usd
from alertd.core.resources import Resource, ResourceKind
from tests.core.builders import HOUR, NOW, firing, rolling, usd

MINUTE = timedelta(minutes=1)
KEY = ("default", "gpu-1")
RULE = rolling(actions=("stop",))
ALERT = replace(firing(), rate=Rate(per_hour=usd("7.30"), through=NOW, is_billed=True))


def a_resource(**parts: object) -> Resource:
    """An instance as a list has it."""
    plain = Resource(
        account="default",
        id="gpu-1",
        kind=ResourceKind.INSTANCE,
        name="notebook-9",
        status="running",
        product="H100",
        gpus=1,
        started_at=None,
        stopped_at=None,
        keep_days=7,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def acting(*requests: ActionRequest, **parts: object) -> Acting:
    plain = Acting(
        actions={"stop": Action(name="stop", accounts=frozenset({"default"}), approvers=("U04ABCDEF",))},
        instances={KEY: a_resource()},
        requests=requests,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def asked(**parts: object) -> Act:
    plain = Act(id="a1b2c3d4", fingerprint=ALERT.fingerprint, by="dana", person="cli:dana")
    return replace(plain, **parts)  # type: ignore[arg-type]


def made(**parts: object) -> ActionRequest:
    row, is_new = act(asked(id="00000001"), ALERT, RULE, acting(), NOW)
    assert is_new
    return replace(row, **parts)  # type: ignore[arg-type]


def done() -> ActionRequest:
    return made(state=ActionState.DONE, finished_at=NOW + MINUTE)


def refused(request: Act, known: Acting, *, alert: Alert = ALERT, rule: object = RULE, at: timedelta = HOUR) -> str:
    with pytest.raises(RequestError) as caught:
        act(request, alert, rule, known, NOW + at)  # type: ignore[arg-type]
    return str(caught.value)


def test_offer_when_the_owner_is_an_instance_that_runs_then_says_what_comes_of_it() -> None:
    """What it is, what it costs, and what stays billed."""
    offer = offer_of(ALERT, RULE, acting())
    assert offer is not None
    assert (offer.verb, offer.action, offer.name) == (Verb.STOP, "stop", "notebook-9")
    assert "$7.30 an hour" in " ".join(offer.consequences)


@pytest.mark.parametrize(
    ("alert", "rule", "known"),
    [
        pytest.param(ALERT, rolling(), acting(), id="the rule names no action"),
        pytest.param(ALERT, None, acting(), id="the rule is gone"),
        pytest.param(ALERT, RULE, NO_ACTIONS, id="nothing is known"),
        pytest.param(ALERT, RULE, acting(instances={}), id="no list has it"),
        pytest.param(ALERT, RULE, acting(instances={KEY: a_resource(status="exited")}), id="stopped"),
        pytest.param(replace(ALERT, account="lab"), RULE, acting(), id="another account's"),
        pytest.param(replace(ALERT, account="default, lab"), RULE, acting(), id="of two accounts"),
        pytest.param(replace(ALERT, group=()), RULE, acting(), id="of everybody"),
        pytest.param(replace(ALERT, state=AlertState.RESOLVED), RULE, acting(), id="resolved"),
        pytest.param(replace(ALERT, state=AlertState.PENDING), RULE, acting(), id="pending"),
        pytest.param(ALERT, RULE, acting(made()), id="asked for already"),
    ],
)
def test_offer_when_there_is_nothing_to_stop_then_none(alert: Alert, rule: object, known: Acting) -> None:
    """A button that can only fail is none."""
    assert offer_of(alert, rule, known) is None  # type: ignore[arg-type]


def test_request_when_asked_then_a_row_that_nobody_has_called() -> None:
    """Who, when, what it cost until then."""
    row = made()
    assert (row.state, row.key, row.by, row.requested_at) == (ActionState.REQUESTED, KEY, "dana", NOW)
    assert "billed through" in row.cost
    assert row.called_at is None


def test_name_when_the_rules_file_has_one_then_it_is_the_one_that_is_shown() -> None:
    """One owner has one name wherever it stands; the id beside it tells instances apart."""
    named = replace(ALERT, labels=(*ALERT.labels, ("owner_name", "trainer-a")))
    offer = offer_of(named, RULE, acting())
    assert offer is not None
    assert offer.name == "trainer-a"
    assert act(asked(), named, RULE, acting(), NOW)[0].name == "trainer-a"


def test_request_when_it_becomes_a_row_then_each_field_has_its_own_value() -> None:
    """What is called, shown and judged later is this row alone."""
    alert = replace(
        ALERT,
        started_at=NOW - 3 * HOUR,
        fired_at=NOW - 2 * HOUR,
        as_of=NOW - HOUR,
        billed=Billed(total=usd("12.50"), held=usd("99")),
    )
    row, is_new = act(asked(), alert, RULE, acting(), NOW)
    assert is_new
    assert row == ActionRequest(
        id="a1b2c3d4",
        verb=Verb.STOP,
        action="stop",
        fingerprint=ALERT.fingerprint,
        account="default",
        owner="gpu-1",
        name="notebook-9",
        by="dana",
        person="cli:dana",
        requested_at=NOW,
        cost="$12.50 since 2026-01-10 09:05 UTC, billed through 2026-01-10 11:05 UTC",
    )


def test_request_when_the_action_has_no_key_for_the_account_then_refused() -> None:
    """A key of one account stops nothing in another."""
    elsewhere = {"stop": Action(name="stop", accounts=frozenset({"lab"}), approvers=("U04ABCDEF",))}
    assert refused(asked(), acting(actions=elsewhere)) == 'action "stop" has no key for account "default"'
    assert offer_of(ALERT, RULE, acting(actions=elsewhere)) is None


def test_offer_when_requests_of_others_are_open_then_made_all_the_same() -> None:
    """Only the instance's own request stands in the way, among many too."""
    others = (made(id="2", owner="gpu-2"), made(id="3", account="lab"), done())
    assert offer_of(ALERT, RULE, acting(*others)) is not None
    assert offer_of(ALERT, RULE, acting(*others, made(id="4"))) is None


def test_latest_when_an_alert_came_again_then_of_its_present_life() -> None:
    """What was stopped for yesterday's alert says nothing of today's."""
    requests = (made(id="1", requested_at=NOW), made(id="3", requested_at=NOW + HOUR), made(id="2"))
    of_another = made(id="4", fingerprint="f" * 16, requested_at=NOW + 2 * HOUR)
    known = acting(*requests, of_another)
    found = latest_of(replace(ALERT, started_at=NOW), known)
    assert found is not None
    assert found.id == "3"
    assert latest_of(replace(ALERT, started_at=NOW + HOUR + MINUTE), known) is None
    assert latest_of(replace(ALERT, started_at=NOW + HOUR), known) == found


def test_undo_when_it_was_stopped_twice_then_the_last_stop_is_undone_by_whoever_made_it() -> None:
    """The first one was undone long ago, by somebody else."""
    started = {"verb": Verb.START, "state": ActionState.DONE, "finished_at": NOW + 12 * MINUTE}
    first = made(id="1", state=ActionState.DONE, finished_at=NOW + MINUTE)
    back = made(id="2", requested_at=NOW + 10 * MINUTE, **started)
    second = made(
        id="3",
        requested_at=NOW + 2 * HOUR,
        by="kim",
        person="cli:kim",
        state=ActionState.DONE,
        finished_at=NOW + 2 * HOUR,
    )
    known = acting(first, back, second)
    undo = asked(id="4", undo=True)
    assert "was stopped by kim" in refused(undo, known, at=2 * HOUR + MINUTE)
    row, is_new = act(replace(undo, by="kim", person="cli:kim"), ALERT, RULE, known, NOW + 2 * HOUR + MINUTE)
    assert (is_new, row.verb, row.by, row.requested_at) == (True, Verb.START, "kim", NOW + 2 * HOUR + MINUTE)
    assert (row.state, row.called_at, row.finished_at, row.detail, row.cost) == (
        ActionState.REQUESTED,
        None,
        None,
        "",
        "",
    )


@pytest.mark.parametrize(("state", "may_again"), [(ActionState.FAILED, True), (ActionState.DONE, False)])
def test_undo_when_it_was_tried_before_then_again_only_where_it_failed(state: ActionState, *, may_again: bool) -> None:
    """An API that refused once may take it the second time."""
    started = made(
        id="2", verb=Verb.START, requested_at=NOW + 2 * MINUTE, state=state, finished_at=NOW + 3 * MINUTE, detail="busy"
    )
    known, undo = acting(done(), started), asked(id="4", undo=True)
    if may_again:
        assert act(undo, ALERT, RULE, known, NOW + 5 * MINUTE)[1]
    else:
        assert "already been started again" in refused(undo, known, at=5 * MINUTE)


@pytest.mark.parametrize("rate", ["0", "-3"])
def test_offer_when_nothing_is_spent_at_the_moment_then_names_no_cost(rate: str) -> None:
    """A credit of the last hours is no price, and nothing billed is not nothing to pay."""
    offer = offer_of(replace(ALERT, rate=Rate(per_hour=usd(rate), through=NOW, is_billed=True)), RULE, acting())
    assert offer is not None
    assert "what it costs an hour is not known" in " ".join(offer.consequences)


@pytest.mark.parametrize(
    ("verb", "state", "text"),
    [
        pytest.param(
            Verb.STOP,
            ActionState.CALLING,
            "notebook-9 is being stopped already: asked for by dana 2026-01-10 12:05 UTC, calling (request 00000001).",
            id="under way",
        ),
        pytest.param(
            Verb.START,
            ActionState.STARTING,
            "notebook-9 is being started again already: asked for by dana 2026-01-10 12:05 UTC, starting "
            "(request 00000001).",
            id="a start under way",
        ),
        pytest.param(
            Verb.STOP,
            ActionState.FAILED,
            "notebook-9: this was asked for already, and is failed: the API refused.",
            id="over",
        ),
    ],
)
def test_answer_when_it_was_asked_for_already_then_says_how_it_stands(
    verb: Verb, state: ActionState, text: str
) -> None:
    """Who asks second hears of the first."""
    assert said(made(verb=verb, state=state, detail="the API refused"), is_new=False) == text
    new = f"Request 00000001: {verb} notebook-9 (gpu-1); `alertd actions` says what comes of it."
    assert said(made(verb=verb), is_new=True) == new


@pytest.mark.parametrize("state", [state for state in ActionState if not state.is_final])
def test_request_when_one_is_open_then_that_one_answers(state: ActionState) -> None:
    """Two people press at three in the morning: one call."""
    first = made(state=state)
    row, is_new = act(asked(by="kim", person="cli:kim"), ALERT, RULE, acting(first), NOW + MINUTE)
    assert (row, is_new) == (first, False)


@pytest.mark.parametrize("state", [state for state in ActionState if state.is_final])
def test_request_when_the_last_one_is_over_then_a_new_row(state: ActionState) -> None:
    """What failed or stayed unknown may be asked anew."""
    _, is_new = act(asked(), ALERT, RULE, acting(made(state=state, finished_at=NOW)), NOW + HOUR)
    assert is_new


def test_request_when_delivered_twice_then_the_same_row_even_after_its_end() -> None:
    """Slack repeats what it thinks was not heard."""
    first = done()
    assert act(asked(id=first.id), ALERT, RULE, acting(first), NOW + HOUR) == (first, False)


@pytest.mark.parametrize(
    ("request_", "known", "text"),
    [
        pytest.param(asked(action="stpo"), acting(), 'has no action "stpo"; it has stop', id="another name"),
        pytest.param(asked(), acting(actions={}), 'has no action "stop"', id="gone from the rules"),
        pytest.param(asked(episode=7), acting(), "has already ended", id="a button of yesterday"),
        pytest.param(asked(), acting(instances={}), "in no list of instances", id="no instance"),
        pytest.param(
            asked(),
            acting(instances={KEY: a_resource(status="exited")}),
            "notebook-9 does not run: it is exited",
            id="stopped already",
        ),
    ],
)
def test_request_when_it_cannot_be_done_then_says_why(request_: Act, known: Acting, text: str) -> None:
    """The person who asks is told in words what is missing."""
    assert text in refused(request_, known)


def test_request_when_the_rule_has_several_actions_then_one_must_be_named() -> None:
    """Nobody guesses what is to be stopped."""
    both = rolling(actions=("stop", "halt"))
    assert "several actions: stop and halt" in refused(asked(), acting(), rule=both)
    row, _ = act(asked(action="stop"), ALERT, both, acting(), NOW)
    assert row.action == "stop"


# --- start again ---------------------------------------------------------------------------------------------------


def test_start_when_asked_by_who_stopped_then_a_row_of_its_own() -> None:
    """The undo of one's own stop, and of nothing else."""
    stopped = replace(done(), called_at=NOW, detail="stopped: the API says exited")
    row, is_new = act(asked(undo=True, by="dana d"), ALERT, RULE, acting(stopped), NOW + HOUR)
    assert is_new
    assert row == ActionRequest(
        id="a1b2c3d4",
        verb=Verb.START,
        action="stop",
        fingerprint=ALERT.fingerprint,
        account="default",
        owner="gpu-1",
        name="notebook-9",
        by="dana d",
        person="cli:dana",
        requested_at=NOW + HOUR,
    )


def test_start_when_an_hour_has_passed_since_it_stopped_then_no_more() -> None:
    """The hour counts from when it had stopped, which may be long after it was asked for; its end is within."""
    slow = replace(done(), finished_at=NOW + 10 * MINUTE)
    _, is_new = act(asked(undo=True), ALERT, RULE, acting(slow), NOW + HOUR + 10 * MINUTE)
    assert is_new
    text = refused(asked(undo=True), acting(slow), at=HOUR + 11 * MINUTE)
    assert "was stopped 2026-01-10 12:15 UTC: alertd starts again within an hour" in text


@pytest.mark.parametrize(
    ("request_", "requests", "at", "text"),
    [
        pytest.param(asked(), (), HOUR, "nothing was stopped", id="nothing was stopped"),
        pytest.param(asked(), (made(),), HOUR, "nothing was stopped", id="not stopped yet"),
        pytest.param(asked(person="cli:kim"), (done(),), HOUR, "stopped by dana, who alone", id="somebody else"),
        pytest.param(asked(person="slack:dana"), (done(),), HOUR, "who alone", id="the same name elsewhere"),
        pytest.param(asked(), (done(),), HOUR + 2 * MINUTE, "within an hour", id="too late"),
        pytest.param(
            asked(),
            (done(), replace(done(), id="2", verb=Verb.START)),
            HOUR,
            "already been started again",
            id="started already",
        ),
    ],
)
def test_start_when_it_cannot_be_asked_for_then_says_why(
    request_: Act, requests: tuple[ActionRequest, ...], at: timedelta, text: str
) -> None:
    """An hour, the same person, once."""
    assert text in refused(replace(request_, undo=True), acting(*requests), at=at)


def test_start_when_pressed_twice_then_the_first_answers() -> None:
    """One call for a start, too."""
    first, _ = act(asked(undo=True), ALERT, RULE, acting(done()), NOW + MINUTE)
    second = act(asked(id="99999999", undo=True), ALERT, RULE, acting(done(), first), NOW + 2 * MINUTE)
    assert second == (first, False)


@pytest.mark.parametrize("state", ActionState)
def test_undo_when_offered_then_only_of_a_stop_that_is_done(state: ActionState) -> None:
    """What is unknown may still run."""
    found = undo_of(made(state=state))
    assert (found is not None) is (state is ActionState.DONE)
    assert undo_of(replace(done(), verb=Verb.START)) is None


def test_text_when_read_then_held_to_the_bounds_of_all_requests() -> None:
    """The same digits and names as an acknowledgement."""
    assert parse_action(asked(fingerprint="ABCD"), episode="3") == asked(fingerprint="abcd", episode=3)
    with pytest.raises(RequestTextError):
        parse_action(asked(by="  "))
    with pytest.raises(RequestTextError):
        parse_action(asked(by="dana\x1b[1m"))


def test_cost_when_counted_then_of_the_alert() -> None:
    """What it cost until somebody acted."""
    assert ALERT.billed is None or ALERT.billed.total >= Usd(0)
    assert ALERT.headline in made().cost
