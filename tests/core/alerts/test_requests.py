"""What people ask for: acknowledgements and silences, what they change, and what cannot be done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.alert import AlertState
from alertd.core.alert_event import Acknowledged, SilenceEnded, Suppressed, Unacknowledged
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.mutes import NO_RECEIVER, silenced
from alertd.core.alerts.request_outcome import RequestOutcome, find_alert
from alertd.core.alerts.requests import (
    LONGEST_SILENCE,
    Acknowledge,
    AddSilence,
    ExpireSilence,
    Request,
    RequestError,
    RequestTextError,
    SilenceText,
    parse_silence,
)
from alertd.core.alerts.silence import Silence
from alertd.core.rules.own.broken_rules import RulesBroken
from tests.core.builders import HOUR, NOW, firing, rolling, silenced_by, usd, withheld
from tests.core.stage import TEAM, Stage, a_silence, match

NAME = firing().fingerprint
TWIN = NAME[:6] + "0000000000"
ENDS = NOW + 24 * HOUR


def stage(*owners: str, **parts: object) -> Stage:
    """Alerts that fire and were notified."""
    made = replace(Stage(), **parts)  # type: ignore[arg-type]
    made.cycle(dict.fromkeys(owners or ("gpu-1",), "60"))
    return made


def refused(made: Stage, request: Request) -> str:
    alerts, silences = dict(made.alerts), dict(made.silences)
    with pytest.raises(RequestError) as caught:
        made.ask(request)
    assert (made.alerts, made.silences) == (alerts, silences)
    return str(caught.value)


def adding(**parts: object) -> AddSilence:
    plain = AddSilence(id="51133ce0", matchers=match(owner="gpu-1"), by="dana")
    return replace(plain, **parts)  # type: ignore[arg-type]


# --- which alert ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [4, 7, 16])
def test_fingerprint_when_cut_then_found(length: int) -> None:
    """Nobody types sixteen digits."""
    made = stage("gpu-1", "gpu-2")
    assert find_alert(made.alerts, NAME[:length]).fingerprint == NAME


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param(NAME[:3], f'there is no alert "{NAME[:3]}"; write at least 4 of its digits', id="too short"),
        pytest.param("", 'there is no alert ""; write at least 4 of its digits', id="nothing"),
        pytest.param("ffffffff", 'there is no alert "ffffffff"; `alertd alerts --all` lists them', id="unknown"),
        pytest.param(NAME[:5], f'"{NAME[:5]}" is the beginning of 2 alerts; write more of it', id="ambiguous"),
        pytest.param(NAME + "0", f'there is no alert "{NAME}0"; `alertd alerts --all` lists them', id="too long"),
    ],
)
def test_fingerprint_when_it_names_no_alert_then_says_what_to_write(written: str, text: str) -> None:
    """Place, value, remedy."""
    made = stage()
    made.alerts[TWIN] = replace(made.of(), fingerprint=TWIN)
    assert refused(made, Acknowledge(fingerprint=written, by="dana")) == text


# --- acknowledge ----------------------------------------------------------------------------------------------------


def test_ack_when_it_fires_then_noted_with_who_and_when() -> None:
    """One alert changes, and its history says so."""
    made = stage()
    outcome = made.ack()
    assert outcome.text == (
        f"gpu-24h ({NAME}) is acknowledged: gpu-1 spent $60. It is not repeated until its severity rises."
    )
    assert (outcome.change, len(outcome.alerts), outcome.silences) == (Acknowledged(by="dana"), 1, ())
    assert (made.of().acknowledged_by, made.of().acknowledged_at) == ("dana", made.now)


def test_ack_when_it_is_pending_then_noted_too() -> None:
    """Whoever sees it coming may say so."""
    made = stage(rule=rolling(for_=5 * HOUR))
    made.ack()
    assert made.of().acknowledged_by == "dana"


def test_ack_when_done_already_then_the_first_one_keeps_it() -> None:
    """Pressed twice, or by two people: no error, and no change."""
    made = stage()
    made.ack()
    again = made.ask(Acknowledge(fingerprint=NAME, by="kim"))
    text = f"gpu-24h ({NAME}) was acknowledged by dana already: gpu-1 spent $60"
    assert again == RequestOutcome(text=text, change=None)
    assert made.of().acknowledged_by == "dana"


def test_ack_when_taken_back_then_as_before() -> None:
    """And who took it back is in the history."""
    made = stage()
    before = made.of()
    made.ack()
    undone = made.ask(Acknowledge(fingerprint=NAME, by="kim", undo=True))
    assert undone.text == f"gpu-24h ({NAME}): acknowledgement taken back by kim. It is repeated again."
    assert (undone.change, made.of()) == (Unacknowledged(by="kim"), before)


def test_ack_when_it_makes_no_sense_then_refused() -> None:
    """What ended needs nobody, and what nobody has cannot be given back."""
    made = stage()
    undo = Acknowledge(fingerprint=NAME, by="dana", undo=True)
    assert refused(made, undo) == f"gpu-24h ({NAME}) is not acknowledged"
    made.cycle({"gpu-1": "44"})
    for request in (undo, Acknowledge(fingerprint=NAME, by="dana")):
        text = f"gpu-24h ({NAME}) has already ended 2026-01-10 14:05 UTC: there is nothing to acknowledge"
        assert refused(made, request) == text
    made.alerts[NAME] = replace(made.of(), resolved_at=None)
    assert "has already ended:" in refused(made, undo)


# --- silences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param(
            {"matchers": (), "ends_at": ENDS},
            "a silence without matchers would withhold everything; name at least one, like owner=gpu-1",
            id="no matchers",
        ),
        pytest.param(
            {},
            "a silence needs an end: 24h, month-end, resolved, a time like 2026-12-01T08:00Z, or an amount like +$200",
            id="no end",
        ),
        pytest.param(
            {"ends_at": NOW},
            "the silence would have ended at 2026-01-10 12:05 UTC, which is in the past; choose a later time",
            id="a past end",
        ),
        pytest.param(
            {"ends_at": NOW + HOUR},
            "the silence would have ended at 2026-01-10 13:05 UTC, which is in the past; choose a later time",
            id="an end now",
        ),
        pytest.param(
            {"matchers": match(owner="gpu-9"), "until_resolved": True},
            "nothing that fires now matches; without a firing alert the silence needs a time: --for 24h",
            id="until the end of nothing",
        ),
        pytest.param(
            {"matchers": match(owner="gpu-9"), "until_spend": usd("5"), "ends_at": ENDS},
            "nothing that fires now matches; without a firing alert the silence needs a time: --for 24h",
            id="an amount of nothing",
        ),
    ],
)
def test_silence_when_it_makes_no_sense_then_refused(parts: dict[str, object], text: str) -> None:
    """Each text says what to write instead; nothing is kept of it."""
    assert refused(stage(), adding(**parts)) == text


def test_silence_when_it_is_to_end_by_an_amount_then_only_money_can_be_counted() -> None:
    """Days go by without anybody spending."""
    made = stage()
    made.rule = RulesBroken(name="gpu-24h")  # type: ignore[assignment]
    request = adding(until_spend=usd("5"))
    text = f"gpu-24h ({NAME}) counts no money, so no amount ends its silence; choose a time"
    assert refused(made, request) == text
    made.rule = rolling(name="another")
    assert refused(made, request) == (
        f"gpu-24h ({NAME}): its rule cannot be read now, which says what an amount is to it; "
        "choose a time, or fix the rules file (`alertd check`)"
    )


def test_silence_when_added_then_says_what_it_withholds() -> None:
    """The answer shows a matcher that catches more than was meant."""
    made = stage(*(f"gpu-{n}" for n in range(7)))
    outcome = made.silence(matchers=match(rule="gpu-*"), ends_at=ENDS)
    lines = outcome.text.splitlines()
    assert lines[0] == "Silence 51133ce0 until 2026-01-11 12:05 UTC withholds 7 firing now:"
    assert [line.split()[1] for line in lines[1:6]] == ["warning"] * 5
    assert lines[6] == "  … and 2 more"
    assert len(outcome.alerts) == 7
    assert outcome.change == Suppressed(muted=silenced(outcome.silences[0]))


def test_silence_when_nothing_matches_yet_then_says_so_and_waits() -> None:
    """A silence before the training run begins is the usual case."""
    outcome = stage().silence(matchers=match(owner="gpu-9"), ends_at=ENDS)
    assert outcome.text.endswith("withholds what will match: nothing that fires now does.")
    assert outcome.alerts == ()


def test_silence_when_a_label_is_misspelt_then_says_which_there_are() -> None:
    """It would withhold nothing, and nobody would know why."""
    outcome = stage().silence(matchers=match(onwer="gpu-1"), ends_at=ENDS)
    assert 'No alert so far has the label "onwer"; the labels are account, fingerprint, owner, rule' in outcome.text
    assert "No alert so far" not in Stage().silence(matchers=match(onwer="gpu-1"), ends_at=ENDS).text


def test_silence_when_bound_then_to_what_fires_now_with_its_amount() -> None:
    """Each alert has its own count: from what its group was billed by now."""
    made = stage("gpu-1", "gpu-2")
    made.cycle({"gpu-2": "80"})
    outcome = made.silence(matchers=match(owner="gpu-*"), until_spend=usd("200"))
    (silence,) = outcome.silences
    billed = {bound.fingerprint: bound.billed for bound in silence.bound}
    assert billed == {made.of("gpu-1").fingerprint: 0, made.of("gpu-2").fingerprint: usd("20")}
    assert silence.further == usd("200")
    assert outcome.text.startswith("Silence 51133ce0 until $200.00 more are spent withholds 2 firing now:")


def test_silence_when_another_alert_is_touched_by_something_else_then_it_has_no_part_in_the_history() -> None:
    """The story of an alert must not tell of a silence that never was about it."""
    made = stage("gpu-1", "gpu-2", "gpu-3")
    made.silence("aaaaaaaa", matchers=match(owner="gpu-2"), ends_at=made.now + HOUR)
    made.alerts[made.of("gpu-3").fingerprint] = replace(made.of("gpu-3"), muted=NO_RECEIVER)
    made.now += 2 * HOUR
    outcome = made.silence(ends_at=ENDS)
    assert [alert.fingerprint for alert in outcome.alerts] == [NAME]
    assert withheld(made.of("gpu-3")) == "no route leads to a receiver"


def test_silence_when_a_longer_one_holds_then_ending_either_leaves_the_other() -> None:
    """Two people silenced it; one changes their mind."""
    made = stage()
    made.silence("aaaaaaaa", ends_at=ENDS)
    assert made.silence("bbbbbbbb", ends_at=ENDS - HOUR).alerts == ()
    made.expire("aaaaaaaa")
    assert silenced_by(made.of()) == "bbbbbbbb"
    made.expire("bbbbbbbb")
    assert withheld(made.of()) == ""


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("5113", None, id="the beginning"),
        pytest.param("51133ce0", None, id="whole"),
        pytest.param("511", 'there is no active silence "511"; write at least 4 of its digits', id="too short"),
        pytest.param("ffff", 'there is no active silence "ffff"; `alertd silence list` shows them', id="there is none"),
        pytest.param("dddd", '"dddd" is the beginning of 2 active silences; write more of it', id="two of them"),
        pytest.param("eeee0000", 'there is no active silence "eeee0000"; `alertd silence list` shows them', id="ended"),
        pytest.param("0ld00000", 'there is no active silence "0ld00000"; `alertd silence list` shows them', id="over"),
    ],
)
def test_expire_when_named_then_ended_or_refused(written: str, text: str | None) -> None:
    """Only what still holds can be ended."""
    made = stage()
    others: list[Silence] = [a_silence(id=name, matchers=match(owner="x")) for name in ("dddd0000", "dddd1111")]
    others += [a_silence(id="eeee0000", expired_at=NOW), a_silence(id="0ld00000", ends_at=NOW + timedelta(minutes=1))]
    made.silences |= {one.id: one for one in others}
    made.silence()
    request = ExpireSilence(id=written, by="kim")
    if text is not None:
        assert refused(made, request) == text
        return
    outcome = made.ask(request)
    assert outcome.text == "Silence 51133ce0 is ended. What it withheld and still fires is sent at the next poll."
    assert outcome.change == SilenceEnded(id="51133ce0", by="kim")
    assert made.silences["51133ce0"].expired_at == made.now
    assert [(alert.fingerprint, withheld(alert)) for alert in outcome.alerts] == [(NAME, "")]


def test_silence_when_the_alert_is_inhibited_too_then_shown_by_the_silence() -> None:
    """And by its inhibition again when the silence is over."""
    muting = Inhibition(when=match(owner="gpu-2"), mute=match(owner="gpu-1"))
    made = Stage(audience=replace(TEAM, inhibitions=(muting,)))
    made.cycle({"gpu-1": "60", "gpu-2": "60"})
    assert withheld(made.of()).startswith("inhibited by")
    made.silence(ends_at=ENDS)
    assert withheld(made.of()).startswith("silenced by")
    made.expire()
    assert withheld(made.of()).startswith("inhibited by")


def test_requests_when_the_alert_has_ended_then_silences_do_not_touch_it() -> None:
    """What does not fire is withheld by nothing."""
    made = stage()
    made.cycle({"gpu-1": "44"})
    assert made.silence(ends_at=ENDS).alerts == ()
    assert (made.of().state, withheld(made.of())) == (AlertState.RESOLVED, "")


def test_silence_when_it_has_several_ends_then_the_first_of_them_counts_to_the_second() -> None:
    """Whoever gives a duration and a day means both; what is written in lines is one line in histories."""

    def written(**parts: str) -> AddSilence:
        plain = SilenceText(matchers=("owner=gpu-1",), by="dana\n", comment="run\n 12", **parts)
        return parse_silence(plain, id="3f9a1c02", now=NOW)

    for lasting, until, ends in (
        ("1h", "2026-01-11T00:00Z", NOW + HOUR),
        ("90d", "2026-01-11T00:00Z", datetime(2026, 1, 11, tzinfo=UTC)),
        ("", "month-end", datetime(2026, 2, 1, tzinfo=UTC)),
    ):
        found = written(lasting=lasting, until=until)
        assert (found.ends_at, found.by, found.comment) == (ends, "dana", "run 12")
    last = NOW + LONGEST_SILENCE
    assert written(until=f"{last:%Y-%m-%dT%H:%MZ}").ends_at == last
    with pytest.raises(RequestTextError, match="the longest is"):
        written(until=f"{last + timedelta(minutes=1):%Y-%m-%dT%H:%MZ}")
