"""Read a small text file in any common encoding; refuse devices, FIFOs and files that are too large."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from alertd.core.dataclass import dataclass

LARGEST_BYTES = 64 * 1024
"""Size limit: larger than any key, token, list of URLs or `.env`, smaller than a log or a device."""
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"))
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


class UnusableFile(Exception):
    """A file cannot be read as text; the message says why, without the path or the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """The content of a file with line ends normalised, its owner and its permissions."""

    text: str
    owner: int
    """The owner's user id."""
    mode: int


def read_text_file(path: Path) -> TextFile:
    """
    Read a regular file of at most 64 KiB in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        FileNotFoundError: There is no such file.
        UnusableFile: It is not a regular file, is too large, is not text, or cannot be read.
    """
    try:
        stream = open_ordinary(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "its name is none that a file can have"
        raise UnusableFile(why) from None
    content = b""
    with stream:
        status = os.fstat(stream.fileno())
        # The reported size is not trusted: a file may grow, and files in /proc report size 0.
        try:
            while len(content) <= LARGEST_BYTES and (part := stream.read(LARGEST_BYTES + 1)):
                content += part
        except OSError as error:
            raise UnusableFile(error.strerror or str(error)) from None
    if len(content) > LARGEST_BYTES:
        raise UnusableFile(f"it is larger than {LARGEST_BYTES // 1024} KiB")
    return TextFile(text=_decoded(content), owner=status.st_uid, mode=stat.S_IMODE(status.st_mode))


def open_ordinary(path: Path) -> BinaryIO:
    """
    Open a regular file for reading; a FIFO would wait for a writer, and a device may be endless.

    Raises:
        OSError: It cannot be opened or is not a regular file; `strerror` gives the reason.
        ValueError: No file can have this name.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def change_warning(path: Path, mode: int) -> str:
    """
    Return a warning if every user may change a secret file, else an empty text.

    Other owners and read permission for all cause no warning, because orchestrators often mount secrets that way.
    """
    return f"{path}: every user of this host may change it; chmod o-w {path}" if mode & stat.S_IWOTH else ""


def _decoded(content: bytes) -> str:
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise UnusableFile("it is not text in UTF-8 or UTF-16; save it as UTF-8") from None
    if "\0" in text:
        raise UnusableFile("it holds NUL characters, which no text has")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(content: bytes) -> str:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if content.startswith(_WIDE_MARKS):
        return "utf-16"
    # Without a byte order mark, UTF-16 is recognised by zero bytes, which most characters of a setting have in it.
    if len(content) % 2 == 0:
        for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            if content[first::2].count(0) * 2 > len(content) // 2:
                return name
    return "utf-8"
