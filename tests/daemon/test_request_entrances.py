"""Commands, the slash command, buttons and forms accept the same requests, and refuse the same with the same words."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request, RequestError, end_parts
from alertd.core.alerts.silence import Silence
from alertd.notify.slack.actions import read_press, request_of
from alertd.notify.slack.commands import SlackCommands
from alertd.web.pages import acknowledgement, silence
from tests.cli.request_desk import NOW, Desk, desk, full
from tests.core.builders import HOUR

__all__ = ["desk", "full"]
OPTIONS = {"lasting": "--for", "until": "--until", "until_spend": "--until-spend"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A silence as somebody asks for it."""

    matchers: tuple[str, ...] = ()
    """Those beside the alert's own fingerprint, where the interface takes any."""
    end: str = "24h"
    comment: str = "why"
    by: str = "dana"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came of it."""

    text: str
    added: list[Silence] = field(default_factory=list)


def by_command(made: Desk, asked: Asked, alert: str) -> Answer:
    known = {one.id for one in made.silences()}
    ends = [f"{OPTIONS[part]}={text}" for part, text in end_parts(asked.end).items()]
    words = [*(asked.matchers or (alert,)), *ends, f"--comment={asked.comment}", f"--by={asked.by}"]
    code, out, err = made.run("silence", "add", *words)
    added = [one for one in made.silences() if one.id not in known]
    assert (code == 0) == bool(added), err
    assert "Traceback" not in err
    return Answer(text=out + err, added=added)


def carried_out(made: Desk, ask: Callable[[], Request]) -> Answer:
    known = set(made.stage.silences)
    try:
        text = made.stage.ask(ask()).text
    except RequestError as error:
        text = f"Not done: {error}"
    return Answer(text=text, added=[one for name, one in made.stage.silences.items() if name not in known])


def by_slash(made: Desk, asked: Asked, alert: str) -> Answer:
    known = set(made.stage.silences)

    async def carry_out(request: Request) -> RequestOutcome:
        return made.stage.ask(request)

    commands = SlackCommands(alerts=list, spent=None, carry_out=carry_out, now=lambda: NOW)  # type: ignore[arg-type]
    line = " ".join(["silence", *(asked.matchers or (alert,)), asked.end, asked.comment])
    text = asyncio.run(commands.answer(line, asked.by))
    return Answer(text=text, added=[one for name, one in made.stage.silences.items() if name not in known])


def press(action: str, value: str, by: str) -> dict[str, object]:
    return {
        "type": "block_actions",
        "user": {"id": "U1", "username": by, "team_id": "T1"},
        "channel": {"id": "C1"},
        "actions": [{"action_id": action, "action_ts": "1.2", "value": value}],
    }


def by_button(made: Desk, asked: Asked, alert: str) -> Answer:
    payload = press("alertd_silence", f"{asked.end}|{alert}|1", asked.by)
    return carried_out(made, lambda: request_of(read_press(payload), now=NOW))


def by_form(made: Desk, asked: Asked, alert: str) -> Answer:
    fields = {"length": asked.end, "comment": asked.comment, "episode": "1"}
    return carried_out(made, lambda: silence(alert, fields, by=asked.by, now=NOW, timezone="UTC"))


ENTRANCES = {"command": by_command, "slash": by_slash, "button": by_button, "form": by_form}
WITH_MATCHERS = ("command", "slash")
WITH_COMMENT = ("command", "slash", "form")


def ask(made: Desk, entrance: str, asked: Asked, alert: str | None = None) -> Answer:
    return ENTRANCES[entrance](made, asked, made.stage.of("plain").fingerprint if alert is None else alert)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("end", "ends_at"),
    [
        pytest.param("90m", "2026-01-10T16:00:00+00:00", id="a while"),
        pytest.param("1d12h", "2026-01-12T02:30:00+00:00", id="a while in two parts"),
        pytest.param("3660d", "2036-01-18T14:30:00+00:00", id="the longest"),
        pytest.param("day-end", "2026-01-11T00:00:00+00:00", id="the day"),
        pytest.param("week-end", "2026-01-12T00:00:00+00:00", id="the week"),
        pytest.param("month-end", "2026-02-01T00:00:00+00:00", id="the month"),
        pytest.param("quarter-end", "2026-04-01T00:00:00+00:00", id="the quarter"),
        pytest.param("2026-01-12T08:00+01:00", "2026-01-12T07:00:00+00:00", id="a time"),
        pytest.param("resolved", None, id="the alert's end"),
        pytest.param("+$200", None, id="an amount"),
        pytest.param("$1,200.50", None, id="an amount with a comma"),
    ],
)
def test_silence_when_its_end_is_written_then_every_interface_takes_it(
    full: Desk, entrance: str, end: str, ends_at: str | None
) -> None:
    """Whatever one of them takes, the others take."""
    answer = ask(full, entrance, Asked(end=end))
    (added,) = answer.added
    assert (added.ends_at, added.author) == (datetime.fromisoformat(ends_at) if ends_at else None, "dana")
    assert [bound.fingerprint for bound in added.bound] == [full.stage.of("plain").fingerprint] * (ends_at is None)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param("99999w", '"99999w" is too long; the longest is 3660d', id="until the year 3943"),
        pytest.param("9999999w", '"9999999w" is not a duration', id="beyond the calendar"),
        pytest.param("9" * 500 + "h", "is not a duration", id="very many digits"),
        pytest.param("3660d1s", "is too long", id="a second too long"),
        pytest.param("9999-12-31T23:59Z", "the silence would end on 9999-12-31; the longest is 3660d", id="a far day"),
        pytest.param("0h", "which is in the past; choose a later time", id="no time at all"),
        pytest.param("-5h", '"-5h" is not a duration', id="negative"),
        pytest.param("24", '"24" is not a duration', id="without a unit"),
        pytest.param("1.5h", '"1.5h" is not a duration', id="a fraction"),
        pytest.param("NaN", '"NaN" is not a duration', id="not a number"),
        pytest.param("\u0661h", "is not a duration", id="digits of another script"),
        pytest.param("year-end", '"year-end" is not a time', id="a period that none ends"),
        pytest.param("2026-01-10T14:00Z", "which is in the past; choose a later time", id="past"),
        pytest.param("2026-02-30T14:00Z", "is not a time of the calendar", id="no such day"),
        pytest.param("2026-12-01T08:00", "write it with its zone", id="a time without its zone"),
        pytest.param("+$0", '"+$0" is not an amount above zero', id="no amount"),
        pytest.param("+-5", '"+-5" is not an amount above zero', id="a negative amount"),
        pytest.param("+nan", '"+nan" is not an amount above zero', id="an amount that is no number"),
        pytest.param("+1e999", '"+1e999" is not an amount above zero', id="an amount with an exponent"),
        pytest.param("+99999999999", "does not fit: amounts go up to 922 million USD", id="more than there is"),
        pytest.param("+0.00000000001", "finer than 0.0000000001 USD", id="less than there is"),
    ],
)
def test_silence_when_its_end_cannot_be_then_every_interface_refuses_it(
    full: Desk, entrance: str, end: str, words: str
) -> None:
    """The bounds are the same everywhere, and whoever is refused is shown why."""
    answer = ask(full, entrance, Asked(end=end))
    assert (answer.added, words in answer.text) == ([], True), answer.text


@pytest.mark.parametrize("entrance", WITH_MATCHERS)
@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        pytest.param(("=",), '"=" names no label', id="neither name nor value"),
        pytest.param(("=x",), '"=x" names no label', id="no name"),
        pytest.param(("owner=",), "without a value this fits every alert that has no owner", id="no value"),
        pytest.param(("owner=", "team="), "fits every alert that has no owner and team", id="no value in any"),
        pytest.param(("owner=a", "owner=b"), '"owner" is matched twice; join its values: owner=a,b', id="twice"),
        pytest.param(("owner=plain", "owner=plain"), '"owner" is matched twice', id="the same twice"),
        pytest.param(("1c00c82c6fe2430d", "fingerprint=x"), '"fingerprint" is matched twice', id="two alerts"),
        pytest.param(("owner=a,,b",), "has a comma without a value beside it", id="a comma too many"),
        pytest.param(("owner=a,",), "has a comma without a value beside it", id="a comma at the end"),
        pytest.param(("owner!=a",), "write name=value, like owner=!gpu-1", id="the exclusion of another language"),
        pytest.param(("owner=~a.*",), "write values and globs after one =", id="the pattern of another language"),
        pytest.param(("owner==a",), "write values and globs after one =", id="an equals sign too many"),
        pytest.param(('owner="a"',), "write the value without quotes", id="in quotes"),
        pytest.param(("ow-ner=a",), '"ow-ner" is not the name of a label', id="no name of a label"),
        pytest.param((f"{'x' * 101}=a",), "is not the name of a label", id="a long name"),
        pytest.param((f"owner={'x' * 2001}",), "longer than 2000 characters", id="a long value"),
        pytest.param(tuple(f"l{n}=a" for n in range(21)), "these are 21 matchers; write at most 20", id="many"),
        pytest.param(("owner=a\x07",), "has characters that cannot be seen", id="a control character"),
        pytest.param(("owner=\u202ea",), "has characters that cannot be seen", id="text turned around"),
        pytest.param(("ffffffffffffffff",), 'there is no alert "ffffffffffffffff"', id="an alert that is not there"),
        pytest.param(("ffff",), 'there is no alert "ffff"', id="the beginning of none"),
    ],
)
def test_silence_when_its_matchers_mean_nothing_then_every_interface_refuses_it(
    full: Desk, entrance: str, matchers: tuple[str, ...], words: str
) -> None:
    """Nothing is kept silently of what was written, and nothing left out."""
    answer = ask(full, entrance, Asked(matchers=matchers))
    assert (answer.added, words in answer.text) == ([], True), answer.text


@pytest.mark.parametrize("entrance", WITH_MATCHERS)
def test_silence_when_it_names_an_unknown_label_then_taken_with_a_hint(full: Desk, entrance: str) -> None:
    """An alert to come may have it; most likely it is misspelt."""
    answer = ask(full, entrance, Asked(matchers=("onwer=gpu-1",)))
    assert len(answer.added) == 1
    assert 'No alert so far has the label "onwer"; the labels are account, fingerprint, owner, rule' in answer.text


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("length", [4, 16])
def test_silence_when_about_one_alert_then_bound_to_its_whole_fingerprint(
    full: Desk, entrance: str, length: int
) -> None:
    """Whoever names an alert by its beginning never silences one to come that begins alike."""
    name = full.stage.of("plain").fingerprint
    (added,) = ask(full, entrance, Asked(), name[:length].upper()).added
    assert [(matcher, patterns.texts) for matcher, patterns in added.matchers] == [("fingerprint", (name,))]


@pytest.mark.parametrize("entrance", ["button", "form"])
@pytest.mark.parametrize(
    "alert", ["*", "????????????????", "!x", "owner=plain", "fff", "ffff0000ffff0000", "x" * 5000, "\x00"]
)
def test_silence_when_it_names_no_alert_then_never_holds_others(full: Desk, entrance: str, alert: str) -> None:
    """A pattern in the place of a fingerprint would withhold everything."""
    answer = ask(full, entrance, Asked(), alert)
    assert (answer.added, "there is no alert" in answer.text) == ([], True), answer.text
    assert len(answer.text) < 200


@pytest.mark.parametrize("entrance", WITH_COMMENT)
@pytest.mark.parametrize(
    ("comment", "words"),
    [
        pytest.param("x" * 201, "the comment has 201 characters; write at most 200", id="long"),
        pytest.param("a\x1b[2J", r"the comment, \"a\u001b[2J\", has characters that cannot be seen", id="control"),
        pytest.param("a\u202eb", "has characters that cannot be seen", id="turned around"),
        pytest.param("a\udcffb", "has characters that cannot be seen", id="no text at all"),
    ],
)
def test_silence_when_its_comment_cannot_be_shown_then_every_interface_refuses_it(
    full: Desk, entrance: str, comment: str, words: str
) -> None:
    """It is shown to others, in terminals too."""
    answer = ask(full, entrance, Asked(comment=comment))
    assert (answer.added, words.replace('\\"', '"') in answer.text) == ([], True), answer.text


@pytest.mark.parametrize("entrance", WITH_COMMENT)
def test_silence_when_its_comment_has_lines_and_signs_then_kept_in_one_line(full: Desk, entrance: str) -> None:
    """What people write in their own script stays as it is."""
    (added,) = ask(full, entrance, Asked(comment="планово\n  👩‍💻 run=12")).added
    assert added.comment == "планово 👩‍💻 run=12"


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("by", "words"),
    [
        pytest.param(" ", "the name of who asks is empty", id="nobody"),
        pytest.param("x" * 101, "the name of who asks has 101 characters", id="long"),
        pytest.param("da\x00na", "has characters that cannot be seen", id="control"),
    ],
)
def test_silence_when_nobody_asks_then_every_interface_refuses_it(
    full: Desk, entrance: str, by: str, words: str
) -> None:
    """Whoever wonders about a silence finds whom to ask."""
    answer = ask(full, entrance, Asked(by=by))
    assert (answer.added, words in answer.text) == ([], True), answer.text


# --- acknowledge ----------------------------------------------------------------------------------------------------


def ack_by_command(made: Desk, alert: str, by: str) -> str:
    code, out, err = made.run("ack", f"--by={by}", "--", alert)
    assert (code == 0) == ("is acknowledged" in out)
    assert "Traceback" not in err
    return out + err


def ack_by_button(made: Desk, alert: str, by: str) -> str:
    payload = press("alertd_ack", f"{alert}|1", by)
    return carried_out(made, lambda: request_of(read_press(payload), now=NOW)).text


def ack_by_form(made: Desk, alert: str, by: str) -> str:
    return carried_out(made, lambda: acknowledgement(alert, {"episode": "1"}, by=by)).text


ACKS = {"command": ack_by_command, "button": ack_by_button, "form": ack_by_form}


@pytest.mark.parametrize("entrance", ACKS)
@pytest.mark.parametrize(
    ("alert", "by", "words"),
    [
        pytest.param("PLAIN", "dana", "is acknowledged: plain spent $60", id="whole"),
        pytest.param("*", "dana", 'there is no alert "*"', id="a glob"),
        pytest.param("1c", "dana", 'there is no alert "1c"; write at least 4 of its digits', id="short"),
        pytest.param("x" * 5000, "dana", f'there is no alert "{"x" * 60}…"', id="long"),
        pytest.param("\udcff", "dana", r'there is no alert "\udcff"', id="no text at all"),
        pytest.param("PLAIN", " ", "the name of who asks is empty", id="nobody"),
        pytest.param("PLAIN", "x" * 101, "the name of who asks has 101 characters", id="a long name"),
        pytest.param("PLAIN", "a\u202eb", "has characters that cannot be seen", id="a name turned around"),
    ],
)
def test_acknowledgement_when_asked_for_then_every_interface_answers_alike(
    full: Desk, entrance: str, alert: str, by: str, words: str
) -> None:
    """As with silences."""
    name = full.stage.of("plain").fingerprint if alert == "PLAIN" else alert
    assert words in ACKS[entrance](full, name, by)


# --- a request of another process ------------------------------------------------------------------------------------


def test_request_when_it_comes_readily_made_then_held_to_the_same_bounds(full: Desk) -> None:
    """A command of another version, or somebody with a script, reaches the socket without the parser."""
    good = silence(full.stage.of("plain").fingerprint, {"length": "24h"}, by="dana", now=NOW, timezone="UTC")
    wrong: tuple[dict[str, Any], ...] = (
        {"ends_at": NOW + 3661 * 24 * HOUR},
        {"by": ""},
        {"comment": "x" * 201},
        {"matchers": (*good.matchers, *good.matchers)},
        {"matchers": ()},
        {"ends_at": None, "until_spend": 0},
    )
    for changes in wrong:
        with pytest.raises(RequestError):
            full.stage.ask(replace(good, **changes))
