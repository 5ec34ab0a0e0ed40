"""A promise that was broken, and what is like it."""

import re
from dataclasses import dataclass

from tests.simulation.plan import (
    RECEIVERS,
    when_text,
)

_PARTICULARS = re.compile(rf"\b(?:{'|'.join(RECEIVERS)}|[0-9a-f]{{8,}})\b|-?\d[\d.,:]*")
"""What differs between two violations of one kind: who was notified, which alert, and figures."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken."""

    at_s: float
    kind: str
    text: str

    def __str__(self) -> str:
        return f"[{self.kind}] {when_text(self.at_s)}: {self.text}"

    @property
    def shape(self) -> str:
        """What was broken, whoever it happened to and whatever the figures are."""
        return f"[{self.kind}] {_PARTICULARS.sub('#', self.text)}"

    def is_like(self, other: "Violation") -> bool:
        """Return whether another is the same promise, broken in the same way."""
        return self.shape == other.shape
