"""
Bills by API key: the usual rows, and the names of their keys.

Decides which names are kept. A name is for people only: an odd one is dropped, and never costs a row.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import msgspec

from alertd.core.printable import shorten
from alertd.core.spend.bill import ApiKey, KeyBills
from alertd.novita.columns import BillColumns
from alertd.novita.shape import Scalar, UnexpectedShape, scalar_of, text_of
from alertd.novita.wire import KeyRow, Row


class KeyColumns(BillColumns):
    """The rows read so far of one account's category by API key, with the keys that have a name or a mask."""

    kind: ClassVar[type[Row]] = KeyRow

    def __init__(self, *, account: str, category: str) -> None:
        super().__init__(account=account, category=category)
        self._keys: dict[str, tuple[int, ApiKey]] = {}
        """By id: the latest hour in which the key is named, and its name."""

    def add(self, rows: Sequence[Row]) -> None:
        """
        Append rows; the name in the row of the latest hour wins.

        Raises:
            UnexpectedShape: As for other rows.
        """
        super().add(rows)
        newest: dict[tuple[Scalar, bytes, bytes], int] = {}
        for row in cast("Sequence[KeyRow]", rows):
            hour = self.hour_of(row)
            place = (row.owner_id, bytes(row.key_name), bytes(row.key_mask))
            newest[place] = max(hour, newest.get(place, hour))
        for (owner, name, mask), hour in sorted(newest.items(), key=lambda found: found[1]):
            key = ApiKey(account=self._account, key_id=text_of(owner), name=_text(name), mask=_text(mask))
            known_at, known = self._keys.get(key.key_id, (hour, None))
            if key.key_id and key.label and hour >= known_at:
                self._keys[key.key_id] = (hour, key.after(known))

    def to_bills(self) -> KeyBills:
        """Return rows and keys; add nothing afterwards."""
        return KeyBills(rows=self.to_rows(), keys=tuple(key for _, key in self._keys.values()))


def _text(raw: bytes) -> str:
    try:
        return shorten(text_of(scalar_of(msgspec.Raw(raw), "", "")))
    except (UnexpectedShape, UnicodeDecodeError, msgspec.DecodeError):
        return ""
