"""Severities of alerts: info < warning < critical."""

from enum import IntEnum


class Severity(IntEnum):
    """The severities, ordered; everywhere else they are written as their `label`."""

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
        Return the severity with a label, in lower case.

        Raises:
            KeyError: There is no such severity.
        """
        if not label.islower():
            raise KeyError(label)
        return cls[label.upper()]
