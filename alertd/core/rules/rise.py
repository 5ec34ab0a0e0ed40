"""A group's spend in a window against its usual spend, as a lower and an upper value: what `spike` judges."""

from fractions import Fraction

from alertd.core.alert import Lag
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.severity import Severity
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance

LARGEST_RATIO = Fraction(1000)
"""Upper limit of ratios: after almost no spend, any spend is millions of times the usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A group's spend in a window, against its usual spend; in 1e-10 USD."""

    window: HourRange
    spent: int
    usual: Fraction
    highest: int
    """The cost of the most expensive window of that length in the baseline."""
    is_known: bool
    """Whether the group has spent for long enough before the window."""
    is_billed: bool = True
    """Whether *spent* is what was billed in exactly this window; False if each stream counts up to its own edge."""
    planned: Allowance = NOTHING_PLANNED

    @property
    def increase(self) -> Fraction:
        """Spend above the usual; negative if it is less."""
        return self.spent - self.usual

    @property
    def unplanned(self) -> "Rise":
        """The rise without its planned spend, which is what is judged."""
        return replace(self, spent=self.spent - self.planned.amount, planned=NOTHING_PLANNED)

    @property
    def ratio(self) -> Fraction | None:
        """Spend divided by usual spend; None if the usual spend is zero, or negative because of credits."""
        return min(self.spent / self.usual, LARGEST_RATIO) if self.usual > 0 else None

    def line(self, limit: Fraction) -> Fraction:
        """Return the ratio at which a limit is reached when planned spend is included."""
        return min(limit + self.planned.amount / self.usual, LARGEST_RATIO) if self.usual > 0 else limit


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRise:
    """The verdict on one group, with its lower and its upper rise."""

    group: Labels
    lower: Rise
    upper: Rise
    reached: Severity | None
    held: Severity | None
    lagging: tuple[Lag, ...]

    @property
    def rise(self) -> Rise:
        """The rise to show: the one with the lower ratio, so that no value exceeds the expected one."""
        return self.lower if ratio_of(self.lower) <= ratio_of(self.upper) else self.upper

    @property
    def expected(self) -> Fraction | None:
        """The ratio once everything is billed; None if there is none or it is the one shown."""
        ratio = self.upper.ratio
        return ratio if ratio is not None and ratio != self.rise.ratio else None


def rank(severity: Severity | None) -> int:
    """Return a number that orders severities, -1 for None."""
    return -1 if severity is None else severity.value


def ratio_of(rise: Rise) -> Fraction:
    """Return a rise's ratio, `LARGEST_RATIO` if it has none."""
    return rise.ratio if rise.ratio is not None else LARGEST_RATIO
