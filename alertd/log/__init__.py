"""
The log as all of alertd sees it.

What forms its lines is imported when something is logged: commands that only ask log nothing, and are waited for.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REPEATS_S = 60.0
"""How often the same trouble is logged again; in between it is counted."""
MOST_REPEATED = 64
"""Kinds of trouble counted apart: who causes them must not fill memory."""
AWAITED: list[Callable[[], None]] = []
"""Sets up logging when something is logged; at most one."""


class Repeats:
    """
    Logs what others can cause as often as they like: the first of each event and source at once, the rest by number.

    It is used from the event loop alone.
    """

    def __init__(self) -> None:
        self._more: Counter[tuple[str, str]] = Counter()

    def warning(self, event: str, *, source: str = "", **facts: object) -> None:
        """
        Log a warning, or count it for a line that comes a minute after the first one.

        Args:
            source: Whoever caused it; sources are counted separately as long as they are few.
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
        stream: In place of standard error, and written at once.
    """
    from alertd.log.lines import configure  # noqa: PLC0415 -- see above

    AWAITED.clear()
    configure(style=style, level=level, secrets=secrets, stream=stream)


def configure_logging_when_used(*, style: str | None, level: str, secrets: Iterable[str]) -> None:
    """Do as `configure_logging` as soon as alertd logs something; for commands whose libraries log nothing."""
    AWAITED[:] = [partial(configure_logging, style=style, level=level, secrets=tuple(secrets))]


def get_logger() -> "FilteringBoundLogger":
    """Return the logger; events have a fixed lower-case text and keys."""
    for configure in tuple(AWAITED):
        configure()
    import structlog  # noqa: PLC0415 -- see above

    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def write_out() -> None:
    """Write what is left of the log, for a process that ends without cleaning up."""
    from alertd.log.lines import write_out_all  # noqa: PLC0415 -- see above

    write_out_all()
