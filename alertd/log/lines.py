"""Log lines by structlog: readable on a terminal, JSON elsewhere, always without secrets."""

import atexit
import contextlib
import io
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterable
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from alertd.core.masking import Mask
from alertd.core.printable import escape_controls, may_be_styled
from alertd.core.words import and_more
from alertd.log import MOST_REPEATED, REPEATS_S

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_CHATTY = ("httpx", "httpcore", "slack_sdk", "aiohttp", "aiosmtplib", "apscheduler", "asyncio")
"""Libraries limited to WARNING: some of them print URLs that are secrets."""
_SPOOLED = 10_000
"""Log lines buffered for a slow reader."""
_ALIKE = 5
"""Lines of the same form that a library may log in that time."""


class _Masker:
    """Replace every known secret in every value of an event, at any depth."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._mask = Mask(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._masked(value) for key, value in event.items()}

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, dict):
            return {key: self._masked(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]
        return value if isinstance(value, int | float | bool | type(None)) else self._masked(str(value))


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters in values, so that an event is always one line."""
    return {
        key: escape_controls(value) if isinstance(value, str) else value
        for key, value in event.items()
        if key != "exception"
    } | ({"exception": event["exception"]} if "exception" in event else {})


class _FewAlike(logging.Filter):
    """Keeps a library that logs the same line in a loop, as asyncio does without descriptors, from filling the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        """When the first line of a form was logged, and how many there were."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the first lines of a form pass, and later the next one with the number of those dropped."""
        key, now_s = (record.name, str(record.msg)[:200]), record.created
        first_s, count = self._seen.get(key, (now_s, 0))
        # The wall clock may have been set back since.
        if abs(now_s - first_s) < REPEATS_S:
            if len(self._seen) >= MOST_REPEATED and key not in self._seen:
                self._seen.clear()
            self._seen[key] = (first_s, count + 1)
            return count < _ALIKE
        self._seen[key] = (now_s, 1)
        if count > _ALIKE:
            record.msg, record.args = f"{record.getMessage()} ({and_more(count - _ALIKE)} like it before)", ()
        return True


class _Spool(io.TextIOBase):
    """
    A stream that never fails or blocks: its own thread writes, and lines that nobody reads are dropped.

    A log pipe that is closed, or full because its reader hangs, must not stop alerts.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._drain, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, text: str) -> int:
        """Queue a text to be written soon; drop it while the reader is far behind."""
        if self._texts.qsize() < _SPOOLED:
            self._texts.put(text)
        return len(text)

    def close(self) -> None:
        """Write the pending lines, as far as the reader accepts them within a second."""
        self._texts.put(None)
        self._thread.join(timeout=1)

    def _drain(self) -> None:
        while (text := self._texts.get()) is not None:
            # A log that cannot be written can be reported nowhere.
            with contextlib.suppress(OSError):
                self._write(text.encode("utf-8", "backslashreplace"))

    def _write(self, data: bytes) -> None:
        # Bypass the buffer of sys.stderr: a thread that hangs while holding its lock would break the exit.
        while data:
            data = data[os.write(self._descriptor, data) :]


def _spooled(stream: TextIO) -> TextIO:
    """Wrap a stream that has a file descriptor in one that never fails; return in-memory streams unchanged."""
    try:
        return cast("TextIO", _Spool(stream.fileno()))
    except (OSError, ValueError):
        return stream


def write_out_all() -> None:
    """Write the pending log lines, for a process that exits without cleaning up."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, _Spool):
            handler.stream.close()


def configure(*, style: str | None, level: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Set up logging as documented for `alertd.log.configure_logging`."""
    on_terminal = (stream or sys.stderr).isatty()
    has_colour = on_terminal and may_be_styled(os.environ)
    out = stream if stream is not None else _spooled(sys.stderr)
    as_json = style == "json" or (style is None and not on_terminal)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=has_colour)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Masker(secrets),
    ]
    structlog.configure(
        processors=[*shared, *([] if as_json else [_one_line]), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    # Libraries use the standard library's logging: give it the same format and the same masking.
    handler = logging.StreamHandler(out)
    handler.addFilter(_FewAlike())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
