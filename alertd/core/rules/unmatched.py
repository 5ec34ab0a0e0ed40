"""
Filters of rules that match no stored spend, most often because a name is misspelt or differs from that in the bills.

A rule with nothing to judge is not wrong in itself: names in a category for which nothing was ever billed cannot be
checked, and in a store without bills no name can.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import translate

from alertd.core.dataclass import dataclass
from alertd.core.labels import Patterns, is_glob
from alertd.core.nearest import nearest
from alertd.core.owners import OwnerDirectory
from alertd.core.printable import escape_controls
from alertd.core.rules.base import Rule
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.spend.bill import Series
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SERIES_KEYS
from alertd.core.words import format_list

_Filters = tuple[tuple[str, Patterns], ...]
_Keys = tuple[tuple[str, str], ...]
"""(account, category) pairs."""
_POSITIONS = {name: position for position, name in enumerate(SERIES_KEYS)}

_MOST_NAMES = 5
_NEAR = 0.6
_CHECKED_BY_FORM = frozenset({"account", "category"})
"""Filters that are checked when the rules file is read, and that may name what is not used yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A filter of a rule that matches nothing."""

    rule: str
    text: str
    """Key, value and what exists instead."""

    def __str__(self) -> str:
        return f'rule "{self.rule}": {self.text}'


def unmatched(
    rules: Iterable[Rule], series: Mapping[View, Collection[Series]], owners: OwnerDirectory
) -> tuple[Unmatched, ...]:
    """
    Return the filters of enabled rules that match no spend.

    Args:
        series: All series that were ever billed, by view.
        owners: The names and attributes of owners, such as `team`.
    """
    billed = {view: _Billed(of_view, owners) for view, of_view in series.items()}
    return tuple(
        Unmatched(rule=rule.name, text=text)
        for rule in rules
        if rule.enabled and isinstance(rule, SpendRule) and rule.view in billed
        for text in _faults(rule, billed[rule.view])
    )


def has_filters(rules: Iterable[Rule]) -> bool:
    """Return whether an enabled rule has a filter that stored spend could fail to match."""
    return any(rule.enabled and isinstance(rule, SpendRule) and _filters(rule) for rule in rules)


def _filters(rule: SpendRule) -> _Filters:
    return tuple((name, patterns) for name, patterns in rule.query.filters if name not in _CHECKED_BY_FORM)


class _Billed:
    """What was billed in one view, by account and category; values are collected once for all rules."""

    def __init__(self, series: Collection[Series], owners: OwnerDirectory) -> None:
        self.owners = owners
        self._series: dict[tuple[str, str], list[Series]] = {}
        for one in series:
            self._series.setdefault((one.account, one.category), []).append(one)
        self._by_value: dict[tuple[str, _Keys], dict[str, list[Series]]] = {}
        self._fitting: dict[tuple[str, str, _Keys], frozenset[str]] = {}

    def watched(self, rule: SpendRule) -> _Keys:
        """Return the accounts and categories that a rule sees."""
        return tuple(key for key in self._series if rule.account.matches(key[0]) and rule.category.matches(key[1]))

    def values(self, name: str, keys: _Keys) -> AbstractSet[str]:
        """Return the values of an attribute in some categories, the empty one included."""
        return self._series_of(name, keys).keys()

    def _series_of(self, name: str, keys: _Keys) -> dict[str, list[Series]]:
        found = self._by_value.get((name, keys))
        if found is None:
            found = {}
            for key in keys:
                for one in self._series[key]:
                    found.setdefault(self._value(name, one), []).append(one)
            self._by_value[name, keys] = found
        return found

    def fitting(self, name: str, text: str, keys: _Keys) -> frozenset[str]:
        """Return the values that a value or glob matches."""
        found = self._fitting.get((name, text, keys))
        if found is None:
            values = self.values(name, keys)
            # Globs as `Patterns` matches them, without its cost for each of ten thousand owners.
            fits = re.compile(translate(text), re.DOTALL).match if is_glob(text) else None
            found = frozenset(filter(fits, values) if fits is not None else values & {text})
            self._fitting[name, text, keys] = found
        return found

    def has_any(self, filters: _Filters, keys: _Keys) -> bool:
        """Return whether some series passes all filters."""
        allowed = sorted(
            ((name, self._allowed(name, patterns.texts, keys)) for name, patterns in filters),
            key=lambda pair: sum(len(self._series_of(pair[0], keys)[value]) for value in pair[1]),
        )
        # Start with the filter that matches the fewest series: a rule names a few of ten thousand owners.
        (first, some), *others = allowed
        each = (one for value in some for one in self._series_of(first, keys)[value])
        return any(all(self._value(name, one) in values for name, values in others) for one in each)

    def _allowed(self, name: str, texts: Sequence[str], keys: _Keys) -> frozenset[str]:
        wanted = [self.fitting(name, text, keys) for text in texts if not text.startswith("!")]
        barred = [self.fitting(name, text[1:], keys) for text in texts if text.startswith("!")]
        return frozenset(set[str]().union(*wanted) if wanted else self.values(name, keys)).difference(*barred)

    def _value(self, name: str, one: Series) -> str:
        position = _POSITIONS.get(name)
        return one[position] if position is not None else self.owners.attribute(one.owner, name)


def _faults(rule: SpendRule, billed: _Billed) -> Iterator[str]:
    filters = _filters(rule)
    keys = billed.watched(rule)
    if not filters or not keys:
        return
    found = [text for name, patterns in filters for text in _lonely(name, patterns, billed, keys)]
    yield from found
    if not found and len(filters) > 1 and not billed.has_any(filters, keys):
        yield f"{', '.join(name for name, _ in filters)}: together they match no stored spend, though each alone does"


def _lonely(name: str, patterns: Patterns, billed: _Billed, keys: _Keys) -> Iterator[str]:
    """Yield a text for each pattern that matches no value, except exclusions (`!`), which need not match."""
    for text in patterns.texts:
        if text and not text.startswith("!") and not billed.fitting(name, text, keys) - {""}:
            values = billed.values(name, keys) - {""}
            # Names of stored spend are untrusted text, and this is shown on terminals.
            instead = escape_controls(_instead(name, text, values, billed.owners))
            yield f'{name}: "{text}" matches no stored spend{instead}'


def _instead(name: str, text: str, values: Collection[str], owners: OwnerDirectory) -> str:
    """Return what may have been meant, or which names exist."""
    bare = text.strip("*").casefold()
    if name == "owner":
        called = next((value for value in sorted(values) if owners.find(value).name.casefold() == bare), None)
        if called is not None:
            return f'; owners are matched by their ids: write "{called}"'
    near = nearest(bare, sorted(values), cutoff=_NEAR)
    if near is not None:
        return f'; did you mean "{near}"?'
    if not values:
        return f"; none of it has a {name.replace('_', ' ')}"
    return f"; there is {format_list(sorted(values), most=_MOST_NAMES)}"
