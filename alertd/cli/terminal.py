"""What commands write reaches a terminal as text: a net below the escaping of each output, which knows its own data."""

import codecs
import io
import os
import re
import sys

from alertd.core.printable import UNSAFE

_OURS = re.compile(
    # Styles, and what click's progress bar does with the cursor and the line.
    rf"(?P<ours>\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[K|[\r\n\t])|(?:{UNSAFE.pattern})"
)


class OutputFailed(OSError):
    """
    What a command wrote cannot be written; `is_unread` where nobody reads it any more, which is no fault.

    It has no error number: click ends the program by itself where it sees that of a closed pipe.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.is_unread = isinstance(error, BrokenPipeError)


class _TextOnly(io.TextIOWrapper):
    """A stream that shows by its number whatever a terminal would obey, and what turns the direction of text."""

    @property
    def encoding(self) -> str:  # type: ignore[override] # nobody sets it
        """The encoding; where it is ASCII by a name of our own: click writes UTF-8 past a stream that calls it so."""
        found = super().encoding
        return "ascii, with escapes" if codecs.lookup(found).name == "ascii" else found

    def write(self, text: str, /) -> int:
        try:
            super().write(without_orders(text))
        except OSError as error:
            raise OutputFailed(error) from error
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputFailed(error) from error


def without_orders(text: str) -> str:
    r"""Return a text with control and direction characters as `\x1b`, but for line ends and alertd's own styles."""
    return text if text.isprintable() else _OURS.sub(lambda found: found["ours"] or ascii(found[0])[1:-1], text)


def protect_terminal() -> None:
    """
    Let standard output and error show text only; a terminal that knows no Unicode shows escapes for it.

    A stream that was closed (`alertd spend >&-`) leads nowhere from now on.
    """
    _open_closed_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Others belong to a program that calls this one, such as a test.
        if type(stream) is io.TextIOWrapper:
            encoding, is_line_buffered = _usable(stream.encoding), stream.line_buffering
            safe = _TextOnly(
                stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=is_line_buffered
            )
            setattr(sys, name, safe)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _usable(encoding: str) -> str:
    """Return an encoding that takes any text with escapes for what it lacks: PYTHONIOENCODING may name one of names."""
    try:
        "…..\n".encode(encoding, "backslashreplace")
    except UnicodeError:
        return "ascii"
    return encoding


def _open_closed_streams() -> None:
    # Their numbers would go to the next files that are opened: what is printed would land in the store.
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 -- for good
