"""What a budget allows each group in one period: the amount in the rules file, or the spend of the previous period."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.calendar import CalendarPeriod
from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.spend.data_state import Gap
from alertd.core.spend.group_sums import GroupSums
from alertd.core.spend.selection import SpendQuery
from alertd.core.words import format_instant

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAMED_BY = (("owner", ("owner", "owner_name")), ("team", ("team",)))
"""The keys of `group_by` whose groups `amounts` can name, each with the labels that hold these names."""


class Moving(StrEnum):
    """An amount that cannot be written as a number, because it changes with each period."""

    LAST_PERIOD = "last_period"


Amount = Usd | Moving


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSpend:
    """What every group spent in the previous period; times *grow*, it is the amount for this one."""

    period: CalendarPeriod
    sums: GroupSums
    grow: Fraction
    gaps: tuple[Gap, ...]
    """What is missing of that period; if anything is, the amounts decide nothing."""

    @classmethod
    def of(
        cls,
        facts: Facts,
        query: SpendQuery,
        metric: str,
        categories: tuple[tuple[str, str], ...],
        period: CalendarPeriod,
        grow: Fraction,
    ) -> "LastSpend":
        """Sum up a period that has ended."""
        gaps = facts.data.gaps(categories, period.hours)
        if not gaps and period.hours.start < facts.spend.span.start:
            since = format_instant(start_of(facts.spend.span.start))
            gaps = (Gap(account="", category="", text=f"spend before {since} is not at hand", may_hide_credit=True),)
        return cls(period=period, sums=facts.spend.sums(query, metric, period.hours), grow=grow, gaps=gaps)

    def amount(self, group: Labels) -> Usd | None:
        """Return the amount of a group; None if it spent nothing."""
        grown = round(self.sums.of(group) * self.grow)
        return Usd(grown) if grown > 0 else None

    @property
    def gap_text(self) -> str:
        """Why nothing is decided; empty if the period is complete."""
        if not self.gaps:
            return ""
        return (
            f"the amount is what was spent in {self.period.title}, which is not known completely: {self.gaps[0].text}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodAmounts:
    """The amounts of one budget in one period."""

    shared: Usd | LastSpend
    """The amount of every group without its own."""
    singles: Mapping[str, Usd] = field(default_factory=dict)
    """Amounts of single groups, by the owner's id or name, or the team."""
    named_by: tuple[str, ...] = ()
    """The labels that may hold a key of *singles*."""
    owners: OwnerDirectory = OwnerDirectory()

    def single(self, group: Labels) -> Usd | None:
        """Return the amount for this single group; None if it has none of its own."""
        if not self.singles:
            return None
        labels = dict(group)
        labels["owner_name"] = self.owners.find(labels.get("owner", "")).name
        names = (labels.get(name, "") for name in self.named_by)
        return next((self.singles[name] for name in names if name in self.singles), None)

    def of(self, group: Labels) -> Usd | None:
        """
        Return the amount of a group, above 0; None if it has none.

        An incomplete previous period counts with the spend that is known: see `gaps`.
        """
        single = self.single(group)
        if single is not None:
            return single
        return self.shared.amount(group) if isinstance(self.shared, LastSpend) else self.shared

    def gaps(self, group: Labels) -> tuple[Gap, ...]:
        """Return why the amount of a group is not known; empty if it is."""
        if not isinstance(self.shared, LastSpend) or not self.shared.gaps or self.single(group) is not None:
            return ()
        return self.shared.gaps

    def values(self, groups: tuple[Labels, ...]) -> "NDArray[np.float64]":
        """Return the amounts of groups; infinity for one without a known amount, so that it reaches nothing."""
        if not self.singles and not isinstance(self.shared, LastSpend):
            return np.full(len(groups), float(self.shared))
        amounts = (None if self.gaps(group) else self.of(group) for group in groups)
        return np.array([np.inf if amount is None else float(amount) for amount in amounts], np.float64)

    def total(self, groups: Sequence[Labels], chosen: Sequence[int]) -> int:
        """Return the sum of the amounts of the *chosen* groups, given by number; each must have an amount."""
        if not self.singles and not isinstance(self.shared, LastSpend):
            return self.shared * len(chosen)
        return sum(self.of(groups[number]) or 0 for number in chosen)

    @property
    def is_known(self) -> bool:
        """Whether the amounts of groups without their own are known."""
        return not isinstance(self.shared, LastSpend) or not self.shared.gaps

    @property
    def gap_text(self) -> str:
        """Why these amounts are not known; empty if they are."""
        return self.shared.gap_text if isinstance(self.shared, LastSpend) else ""

    def text(self, group: Labels) -> str:
        """Return the source of a group's amount if it is the spend of the previous period; else empty."""
        last = self.shared
        if not isinstance(last, LastSpend) or self.single(group) is not None:
            return ""
        grown = "" if last.grow == 1 else f"{float(last.grow * 100):g} % of "
        return f"{grown}what was spent in {last.period.title}"


def names_of_singles(group_by: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels by which `amounts` can name single groups."""
    return tuple(name for key, names in _NAMED_BY if key in group_by for name in names)
