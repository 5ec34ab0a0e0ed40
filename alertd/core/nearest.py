"""Which known name is nearest to one that was written: for "did you mean"."""

from collections.abc import Iterable

_LONGEST = 60
"""Characters that are compared: what is longer is no slip of the pen."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """
    Return the known name that is most like a word, in capitals or not; None where none is like it.

    Args:
        cutoff: How alike they must be, from 0 to 1.
    """
    from difflib import get_close_matches  # noqa: PLC0415 -- for what is wrong alone: most commands do without

    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word[:_LONGEST].casefold(), by_case, n=1, cutoff=cutoff)
    return by_case[near[0]] if near else None
