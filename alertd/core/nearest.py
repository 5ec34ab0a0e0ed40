"""The known name closest to a misspelt one, for "did you mean"."""

from collections.abc import Iterable

_LONGEST = 60
"""Number of characters compared; longer words are not misspellings."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """
    Return the known name most similar to a word, ignoring case; None if there is no similar one.

    Args:
        cutoff: The least similarity, from 0 to 1.
    """
    from difflib import get_close_matches  # noqa: PLC0415 -- needed only after a mistake

    by_case = {name.casefold(): name for name in known}
    near = get_close_matches(word[:_LONGEST].casefold(), by_case, n=1, cutoff=cutoff)
    return by_case[near[0]] if near else None
