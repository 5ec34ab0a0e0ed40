"""
The interface for logging that all of alertd uses.

The formatting is imported with the first line logged: commands that only read log nothing, and should start quickly.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REPEATS_S = 60.0
"""How often the same problem is logged again; occurrences in between are counted."""
MOST_REPEATED = 64
"""Maximum number of problems counted separately, so that whoever causes them cannot fill the memory."""
AWAITED: list[Callable[[], None]] = []
"""Sets up logging when the first line is logged; at most one function."""


class Repeats:
    """
    Logs events that strangers can cause at will: the first of each event and source at once, the others as a count.

    For use on the event loop only.
    """

    def __init__(self) -> None:
        self._more: Counter[tuple[str, str]] = Counter()

    def warning(self, event: str, *, source: str = "", **facts: object) -> None:
        """
        Log a warning, or count it for a line that comes a minute after the first one.

        Args:
            source: Who caused it; sources are counted separately while there are few.
        """
        key = (event, source)
        if key not in self._more and len(self._more) >= MOST_REPEATED:
            key = (event, "many sources")
        if key in self._more:
            self._more[key] += 1
            return
        self._more[key] = 0
        get_logger().warning(event, **({"source": source} if source else {}), **facts)
        import asyncio  # noqa: PLC0415 -- whoever calls this has it

        asyncio.get_running_loop().call_later(REPEATS_S, self._sum_up, key)

    def _sum_up(self, key: tuple[str, str]) -> None:
        event, source = key
        if more := self._more.pop(key):
            get_logger().warning(event, **({"source": source} if source else {}), repeated=more)


def configure_logging(*, style: str | None, level: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """
    Set up logging for the process.

    Args:
        style: `console`, `json`, or None to decide by the stream.
        level: debug, info, warning or error.
        secrets: Texts that must never be shown.
        stream: Used instead of standard error, and written synchronously.
    """
    from alertd.log.lines import configure  # noqa: PLC0415 -- see above

    AWAITED.clear()
    configure(style=style, level=level, secrets=secrets, stream=stream)


def configure_logging_when_used(*, style: str | None, level: str, secrets: Iterable[str]) -> None:
    """Postpone `configure_logging` until alertd logs something; for commands whose libraries log nothing."""
    AWAITED[:] = [partial(configure_logging, style=style, level=level, secrets=tuple(secrets))]


def get_logger() -> "FilteringBoundLogger":
    """Return the logger; an event is a fixed lower-case text with keys."""
    for configure in tuple(AWAITED):
        configure()
    import structlog  # noqa: PLC0415 -- see above

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def write_out() -> None:
    """Write the pending log lines, for a process that exits without cleaning up."""
    from alertd.log.lines import write_out_all  # noqa: PLC0415 -- see above

    write_out_all()
