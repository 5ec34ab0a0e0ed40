"""How bad: info < warning < critical."""

from enum import IntEnum


class Severity(IntEnum):
    """The severities, ordered; `label` is how they are written everywhere."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def label(self) -> str:
        """The word used in YAML, JSON, logs and messages."""
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> "Severity":
        """
        Return the severity that a word names.

        Raises:
            KeyError: There is no such severity.
        """
        if not label.islower():
            raise KeyError(label)
        return cls[label.upper()]
