"""What commands share."""

import signal
from datetime import timedelta

import click
import pytest

from alertd.cli.common import LONGEST, duration, print_sent, run_whole


class Much:
    """Something whose words take long."""

    def __repr__(self) -> str:
        raise AssertionError("nobody reads it")


def test_result_when_a_command_gets_much_then_nothing_words_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backtest of a large account waited for the words of all that it had read, which nothing shows."""
    # As Python does before 3.13, of whatever handles Ctrl-C.
    monkeypatch.setattr("signal._int_to_enum", lambda value, _: (repr(value), value)[1])
    before = signal.getsignal(signal.SIGINT)
    much = Much()

    async def read() -> Much:
        return much

    assert run_whole(read()) is much
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param("90m", timedelta(minutes=90), id="minutes"),
        pytest.param(" 7d ", timedelta(days=7), id="blanks around it"),
        pytest.param("3660d", LONGEST, id="the longest"),
        pytest.param("87841h", '"87841h" is too long; the longest is 3660d', id="an hour more"),
        pytest.param("a week", "7d", id="words: refused with an example"),
    ],
)
def test_duration_when_given_as_an_option_then_read_or_refused_with_what_to_write(
    value: str, found: timedelta | str
) -> None:
    context = click.Context(click.Command("backtest"))
    if isinstance(found, timedelta):
        assert duration(context, click.Option(["--since"]), value) == found
    else:
        with pytest.raises(click.BadParameter, match=found):
            duration(context, click.Option(["--since"]), value)


@pytest.mark.parametrize(
    ("delivered", "code"), [([True, True], 0), ([True, False], 1), ([False, True], 1), ([False], 1), ([], 0)]
)
def test_attempts_when_one_fails_then_exit_code_1_and_failures_on_stderr(
    delivered: list[bool], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that sends to two receivers must hear of either."""
    assert print_sent([(f"r{number}", "said", well) for number, well in enumerate(delivered)]) == code
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"r{number}: said" for number, well in enumerate(delivered) if well]
    assert err.splitlines() == [f"r{number}: said" for number, well in enumerate(delivered) if not well]
