"""What `/alertd …` answers: every word, every mistake, and who is named in what is asked."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request, RequestError
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd
from alertd.core.severity import Severity
from alertd.notify.slack.commands import SlackCommands, Topic
from tests.core.builders import NOW, firing

WORDS = ("alerts", "spend", "budgets", "status", "ack", "silence", "unsilence", "help")


class Service:
    """Answers from what it is given, and keeps what was asked for."""

    def __init__(self, timezone: str = "UTC") -> None:
        self.asked: list[Request] = []
        self.open = [firing()]
        self.periods: list[Period] = []
        self.commands = SlackCommands(
            alerts=self._alerts,
            spent=self._spent,
            carry_out=self._carry_out,
            now=lambda: NOW,
            timezone=lambda: timezone,
            topics={
                "budgets": Topic(help="how budgets stand", answer=self._topic),
                "status": Topic(help="whether alertd is well", answer=self._topic),
            },
        )

    async def _alerts(self) -> list[Alert]:
        return self.open

    async def _spent(self, _: Period) -> tuple[HourRange, list[tuple[str, Usd]]]:
        return HourRange(100, 110), [("gpu", Usd(5 * 10**10))]

    async def _topic(self) -> str:
        return "the topic's answer"

    async def _carry_out(self, request: Request) -> RequestOutcome:
        self.asked.append(request)
        if isinstance(request, ExpireSilence) and request.id == "0000":
            raise RequestError("there is no active silence 0000")
        return RequestOutcome(text="done", change=None)


@pytest.mark.parametrize(
    ("text", "request_type", "by"),
    [
        pytest.param("ack 1c00c82c", Acknowledge, "dana", id="acknowledge"),
        pytest.param("ack 1c00c82c undo", Acknowledge, "dana", id="take it back"),
        pytest.param("silence owner=gpu-1 24h training", AddSilence, "dana", id="silence"),
        pytest.param("unsilence 3f9a1c02", ExpireSilence, "dana", id="unsilence"),
    ],
)
async def test_command_when_it_asks_for_something_then_it_is_asked_in_the_persons_name(
    text: str, request_type: type, by: str
) -> None:
    """Who acknowledged or silenced is shown to everybody."""
    service = Service()
    assert await service.commands.answer(text, "dana") == "done"
    (asked,) = service.asked
    assert isinstance(asked, request_type)
    assert asked.by == by
    assert not isinstance(asked, Acknowledge) or asked.undo is text.endswith("undo")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "gpu-1", id="nothing: what fires"),
        pytest.param("alerts", "gpu-1", id="alerts"),
        pytest.param("spend month", "$5.00", id="spend"),
        pytest.param("budgets", "the topic's answer", id="a topic"),
        pytest.param("status", "the topic's answer", id="another"),
        pytest.param("help", "/alertd unsilence", id="help"),
        pytest.param("help me please", "/alertd unsilence", id="help with more words"),
    ],
)
async def test_command_when_it_looks_then_an_answer(text: str, words: str) -> None:
    """What is asked most is one word."""
    assert words in await Service().commands.answer(text, "dana")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("bugdets", "`/alertd budgets`", id="letters changed places"),
        pytest.param("unsilense 12", "`/alertd unsilence`", id="a wrong letter"),
        pytest.param("Status", "`/alertd status`", id="a capital"),
        pytest.param("acknowledge 12", None, id="far from all"),
        pytest.param("xyzzy", None, id="nothing like it"),
    ],
)
async def test_command_when_the_word_is_unknown_then_says_so_and_suggests(text: str, meant: str | None) -> None:
    """The list alone does not say that the word was wrong."""
    first, *rest = (await Service().commands.answer(text, "dana")).split("\n")
    assert first.startswith(f"There is no `/alertd {text.split(maxsplit=1)[0]}`")
    assert (meant in first) if meant is not None else ("did you mean" not in first)
    assert {line.split()[1].rstrip(":") for line in rest} == set(WORDS)


@pytest.mark.parametrize("text", ["ack", "unsilence", "ack a b c", "spend yesterday", "status now"])
async def test_command_when_a_known_word_has_odd_company_then_the_list_and_nothing_done(text: str) -> None:
    """Half of a request is none."""
    service = Service()
    assert "is not understood" in await service.commands.answer(text, "dana")
    assert service.asked == []


@pytest.mark.parametrize("text", ["ack zz", "silence owner=gpu-1", "silence 24h", "unsilence 0000", "unsilence -"])
async def test_command_when_it_cannot_be_done_then_says_why(text: str) -> None:
    """Silence would look like success."""
    assert (await Service().commands.answer(text, "dana")).startswith("Not done: ")


async def test_command_when_it_holds_controls_then_they_are_not_repeated() -> None:
    """What a person pastes may turn the order of the line that answers."""
    assert "\u202e" not in await Service().commands.answer("x\u202ey", "dana")


async def test_silence_until_the_month_ends_when_typed_then_by_the_zone_of_the_rules() -> None:
    """The same words mean the same as by button."""
    service = Service()
    service.commands._timezone = lambda: "Europe/Berlin"
    await service.commands.answer("silence owner=gpu-1 month-end training", "dana")
    (asked,) = service.asked
    assert isinstance(asked, AddSilence)
    assert asked.ends_at is not None
    assert asked.ends_at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%d %H:%M") == "01 00:00"


@pytest.mark.parametrize(
    ("timezone", "said"),
    [
        pytest.param("UTC", "$5.00 on 1970-01-05 (UTC)", id="UTC"),
        pytest.param("Asia/Tokyo", "$5.00 on 1970-01-05 (Asia/Tokyo)", id="east"),
        pytest.param("America/New_York", "$5.00 on 1970-01-04 (America/New_York)", id="west"),
    ],
)
async def test_spend_when_asked_then_names_the_day_of_the_rules_zone(timezone: str, said: str) -> None:
    """Budgets, reports and the page count days there; the same word must not mean another day in Slack."""
    answer = await Service(timezone).commands.answer("spend", "dana")
    assert answer.startswith(said)
    assert "UTC" not in await Service("Asia/Tokyo").commands.answer("help", "dana")


async def test_alerts_when_there_are_many_then_the_worst_first_and_the_rest_counted() -> None:
    """A person on a phone reads the first line; what only waits is not firing."""
    service = Service()
    warnings = [firing("60", owner=f"gpu-{number}") for number in range(21)]
    critical = replace(firing("160", owner="worst"), severity=Severity.CRITICAL)
    service.open = [*warnings, replace(firing(owner="waits"), state=AlertState.PENDING), critical]
    first, *others = (await service.commands.answer("alerts", "dana")).split("\n")
    assert (first, others[-1]) == (f"CRITICAL {critical.headline} ({critical.fingerprint})", "… and 2 more")
    assert others[:-1] == [
        f"WARNING {alert.headline} ({alert.fingerprint})"
        for alert in sorted(warnings, key=lambda alert: alert.fingerprint)[:19]
    ]
    service.open = []
    assert await service.commands.answer("alerts", "dana") == "Nothing is firing."


async def test_spend_when_asked_then_of_that_period_the_largest_first_without_what_is_zero() -> None:
    """Today and the month are two questions."""
    service = Service()
    span = HourRange(hour_of(NOW) - 10, hour_of(NOW))

    async def spent(period: Period) -> tuple[HourRange, list[tuple[str, Usd]]]:
        service.periods.append(period)
        return span, [("gpu", Usd(5 * 10**10)), ("llm", Usd(2 * 10**10)), ("web_search", Usd(0))]

    service.commands._spent = spent
    answers = [(await service.commands.answer(text, "dana")).split("\n") for text in ("spend today", "spend month")]
    assert service.periods == [Period.DAY, Period.MONTH]
    billed = "(UTC), billed through 2026-01-10 12:00 UTC"
    assert answers == [
        [f"$7.00 on 2026-01-10 {billed}", "$5.00 gpu", "$2.00 llm"],
        [f"$7.00 in January 2026 {billed}", "$5.00 gpu", "$2.00 llm"],
    ]
