"""What a group spent in a window against what is usual in its hours, from both ends: what `spike` judges."""

from dataclasses import replace
from fractions import Fraction

from alertd.core.alert import Lag
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.severity import Severity
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance

LARGEST_RATIO = Fraction(1000)
"""Stands for anything above: after next to nothing, every spend is millions of times the usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """What a group spent in a window, against what is usual in its hours; in 1e-10 USD."""

    window: HourRange
    spent: int
    usual: Fraction
    highest: int
    """The most that any window of that length in the baseline cost."""
    is_known: bool
    """The group has spent for long enough before the window."""
    is_billed: bool = True
    """The window holds exactly what is spent."""
    planned: Allowance = NOTHING_PLANNED

    @property
    def increase(self) -> Fraction:
        """By how much the window is above what is usual; below 0 where it is less."""
        return self.spent - self.usual

    @property
    def unplanned(self) -> "Rise":
        """The rise as it is judged: without what was planned of it."""
        return replace(self, spent=self.spent - self.planned.amount, planned=NOTHING_PLANNED)

    @property
    def ratio(self) -> Fraction | None:
        """None where nothing is usual, or credits took it back."""
        return min(self.spent / self.usual, LARGEST_RATIO) if self.usual > 0 else None

    def line(self, limit: Fraction) -> Fraction:
        """Return how many times the usual reaches a limit once what was planned is added."""
        return min(limit + self.planned.amount / self.usual, LARGEST_RATIO) if self.usual > 0 else limit


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRise:
    """One group from both ends."""

    group: Labels
    lower: Rise
    upper: Rise
    reached: Severity | None
    held: Severity | None
    lagging: tuple[Lag, ...]

    @property
    def rise(self) -> Rise:
        """The rise that is shown: nothing is said to be more than it is about."""
        return self.lower if ratio_of(self.lower) <= ratio_of(self.upper) else self.upper

    @property
    def expected(self) -> Fraction | None:
        """The ratio once everything is billed; None where that is the one shown."""
        ratio = self.upper.ratio
        return ratio if ratio is not None and ratio != self.rise.ratio else None


def rank(severity: Severity | None) -> int:
    """Return a severity's place in order, none of them first."""
    return -1 if severity is None else severity.value


def ratio_of(rise: Rise) -> Fraction:
    """Return a rise's ratio, the largest where nothing is usual."""
    return rise.ratio if rise.ratio is not None else LARGEST_RATIO
