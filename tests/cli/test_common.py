"""What commands share."""

import signal

import pytest

from alertd.cli.common import run_whole


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
