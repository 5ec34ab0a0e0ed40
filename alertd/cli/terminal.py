"""Makes everything that commands write safe for a terminal: a safety net below each output's own escaping."""

import codecs
import io
import os
import re
import sys

from alertd.core.printable import UNSAFE

_OURS = re.compile(
    # Styles, and the cursor and line control of click's progress bar.
    rf"(?P<ours>\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[K|[\r\n\t])|(?:{UNSAFE.pattern})"
)


class OutputFailed(OSError):
    """
    A command's output cannot be written; `is_unread` if the reader closed the pipe, which is not an error.

    It has no errno: click would exit on its own if it saw that of a closed pipe.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.is_unread = isinstance(error, BrokenPipeError)


class _TextOnly(io.TextIOWrapper):
    """A stream that escapes control characters, and those that change the direction of text."""

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed has an attribute; nobody sets it
        """The encoding; for ASCII, under another name, since click bypasses ASCII streams."""
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
    Make standard output and error text-only; a terminal without Unicode shows escapes.

    A closed stream (`alertd spend >&-`) is replaced by the null device.
    """
    _open_closed_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Other streams belong to a calling program, such as a test.
        if type(stream) is io.TextIOWrapper:
            encoding, is_line_buffered = _usable(stream.encoding), stream.line_buffering
            safe = _TextOnly(
                stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=is_line_buffered
            )
            setattr(sys, name, safe)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _usable(encoding: str) -> str:
    """Return an encoding that takes any text, with escapes if needed: PYTHONIOENCODING may name any codec."""
    try:
        "…..\n".encode(encoding, "backslashreplace")
    except UnicodeError:
        return "ascii"
    return encoding


def _open_closed_streams() -> None:
    # Their descriptors would be reused by the next files opened: output would end up in the store.
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 -- for good
