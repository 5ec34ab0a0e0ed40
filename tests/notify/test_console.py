"""The console: readable in 80 columns, coloured only on a terminal, deaf to escape sequences in names."""

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.messages.message import Field, Section, SectionRow, TableRow
from alertd.notify.base import Delivered, Unknown
from alertd.notify.console import ConsoleConfig, ConsoleNotifier, payload
from tests.builders import FakeContext, envelope, firing_message, report_message, resolved_message, storm_message
from tests.examples import examples

GOLDEN = """\
│ WARNING  trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00
│          threshold
│ Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00
│ threshold is reached by 18:00.
│ To stop it, look at the two instances below.
│
│ Last 24 hours against the 24 hours before:
│ trainer-a (gpu-1)  H100 80GB · gpu  $58.00   $20.00
│ trainer-a (gpu-1)  storage · gpu     $3.25  no data
│
│ Rule            gpu-24h-per-owner
│ Window          24 hours to 12:00 UTC
│ Team            research
│ Next threshold  $100.00 (critical)
│
│ Status page: https://alertd.example.com/alerts/0000000000000001
│ Runbook: https://wiki.example.com/gpu?x=1&y=2
│
│ gpu-24h-per-owner · account default · 0000000000000001

"""


REPORT = """\
│ REPORT  weekly: $100.00 spent in 7d, $20.00 (25 %) more than in the 7d before
│ From Jan 3 12:00 UTC to 12:00 UTC.
│
│ ▄▁▂▆█▂▅▅ Spend by day; the first and the last day in part
│ At most $30.00 (Jan 7), at last $15.00 (Jan 10).
│
│ Spent in 7d  $100.00
│
│ By category:
│ gpu  $90.00  up $20.00 (28.6 %)
│ llm  $10.00  unchanged
│ And 3 more: $0.10 together.
│
│ Budgets:
│ monthly-budget · trainer-a        $4,100.00  of $5,000.00 (82 %) with 7 d
│ (gpu-1) of the research                      left; at today's pace it runs out
│ department                                   on Jan 27
│
│ Alerts:
│ Nothing is firing.
│
│ report weekly

"""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_message_then_reads_like_this() -> None:
    """The layout as people see it; a change of it must be seen in review."""
    assert payload(firing_message(), has_colour=False) == GOLDEN


def test_report_then_reads_like_this() -> None:
    """Sections are columns; what is long goes on below in its own column."""
    assert payload(report_message(), has_colour=False) == REPORT


@pytest.mark.parametrize("message", [firing_message(), resolved_message(), storm_message(), report_message()])
def test_message_then_fits_80_columns_and_ends_blank(message: object) -> None:
    """A wrapped frame is no frame."""
    assert isinstance(message, type(firing_message()))
    text = payload(message, has_colour=False)
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith("\n\n")


@pytest.mark.parametrize(
    ("stream", "environment", "has_colour"),
    [
        pytest.param(Terminal, {}, True, id="a terminal"),
        pytest.param(io.StringIO, {}, False, id="a pipe"),
        pytest.param(Terminal, {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(Terminal, {"NO_COLOR": ""}, True, id="NO_COLOR set to nothing"),
        pytest.param(Terminal, {"TERM": "dumb"}, False, id="a dumb terminal"),
    ],
)
async def test_colour_then_only_where_it_is_wanted(
    stream: type[io.StringIO], environment: dict[str, str], has_colour: bool
) -> None:
    """Logs and pipes keep plain text; https://no-color.org says what NO_COLOR means."""
    out = stream()
    notifier = ConsoleNotifier("console", ConsoleConfig(), FakeContext(environment=environment), stream=out)
    assert await notifier.send(envelope()) == Delivered()
    assert ("\x1b[" in out.getvalue()) == has_colour
    assert re.sub(r"\x1b\[[0-9]+m", "", out.getvalue()) == GOLDEN


@examples(6, thorough=60)
@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_names_then_cannot_steer_the_terminal(name: str) -> None:
    """A name with an escape sequence could rewrite what stands above it."""
    row = TableRow(who=name, what=name, amount=name, before=name)
    message = firing_message(
        title=name, lines=(name,), fields=(Field(name=name, text=name),), table=(row,), footer=name
    )
    section = Section(title=name, rows=(SectionRow(name=name, amount=name, note=name),), note=name)
    message = replace(message, sections=(section, Section(title=name, rows=())))
    text = payload(message, has_colour=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e]", text)
    assert all(line.startswith("│") for line in text.splitlines()[:-1])


async def test_terminal_that_is_not_utf8_then_still_shows_the_message() -> None:
    """`LANG=C` must not make the dry run fail."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    notifier = ConsoleNotifier("console", ConsoleConfig(), FakeContext(), stream=out)
    assert await notifier.send(envelope()) == Delivered()
    assert b"WARNING  trainer-a" in raw.getvalue()


async def test_closed_pipe_then_outcome_is_unknown() -> None:
    """`alertd run --dry-run | head` may have shown a part."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    notifier = ConsoleNotifier("console", ConsoleConfig(), FakeContext(), stream=Closed())
    assert await notifier.send(envelope()) == Unknown("standard output: Broken pipe")


async def test_without_a_stream_then_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo and the dry run give none."""
    notifier = ConsoleNotifier("console", ConsoleConfig(), FakeContext())
    assert notifier.recipients == ("",)
    await notifier.send(envelope())
    assert capsys.readouterr().out == GOLDEN
