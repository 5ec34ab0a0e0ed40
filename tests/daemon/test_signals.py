"""Signals of the service: one that comes while it starts, stands by or stops is neither lost nor ends it half-way."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import pytest

from alertd.daemon import signals
from alertd.daemon.signals import Signals

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


async def starting(found: list[Signals], begun: asyncio.Event) -> None:
    with Signals() as obeyed:
        found.append(obeyed)
        begun.set()
        await asyncio.Event().wait()


@BOTH
async def test_stop_when_nobody_watches_for_it_then_what_runs_is_cancelled(number: signal.Signals) -> None:
    """A start that waits for a database has nothing to end, and must not begin to serve first."""
    found, begun = list[Signals](), asyncio.Event()
    start = asyncio.create_task(starting(found, begun))
    await begun.wait()
    send(number)
    with pytest.raises(asyncio.CancelledError):
        await start
    assert found[0].stop.is_set()


@BOTH
async def test_stop_when_watched_for_then_said_and_nothing_is_cancelled(number: signal.Signals) -> None:
    """The service lets sends in flight end; a second signal, by whoever is impatient, does not cut them."""
    with Signals() as obeyed:
        with obeyed.watched():
            send(number)
            async with asyncio.timeout(10):
                await obeyed.stop.wait()
        send(number)
        await asyncio.sleep(0.05)


async def test_reload_when_starting_then_waits_for_nothing_and_ends_nothing() -> None:
    """The rules are read in a moment; by default the signal ends the process."""
    asked = asyncio.Event()
    with Signals() as obeyed:
        send(signal.SIGHUP)
        await asyncio.sleep(0.05)
        with obeyed.watched(on_reload=asked.set):
            assert not asked.is_set()
            send(signal.SIGHUP)
            async with asyncio.timeout(10):
                await asked.wait()
    assert not obeyed.stop.is_set()


async def test_stop_when_something_never_returns_then_the_process_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a server or a name cannot be cancelled, and would keep the process for a minute."""
    monkeypatch.setattr(signals, "LEAVE_AFTER_S", 0.01)
    left = threading.Event()
    with Signals(on_overdue=left.set) as obeyed, obeyed.watched():
        send(signal.SIGTERM)
        assert await asyncio.to_thread(left.wait, 10)


async def test_signals_when_no_longer_obeyed_then_as_before() -> None:
    """What is run afterwards in the same process has its own."""
    handlers: list[Callable[..., object] | int | None] = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)]
    with Signals():
        assert signal.getsignal(signal.SIGTERM) != handlers[0]
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)] == handlers
