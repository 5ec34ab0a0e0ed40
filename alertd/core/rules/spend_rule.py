"""What rules on hourly spend share: filters, groups, metric, view, and how their sums are put together."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Annotated, ClassVar

from alertd.core.alert import ACCOUNT_SEPARATOR, Alert, Billed, Lag, Rate
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, hour_of
from alertd.core.key import GROUP_KEYS, Key
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd, to_decimal
from alertd.core.rules.facts import Facts
from alertd.core.rules.further import count_spend
from alertd.core.rules.rates import rates_of
from alertd.core.rules.rule import NOT_MATCHED, Metric, Rule
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES, SUBSCRIPTION
from alertd.core.spend.data_state import DataState
from alertd.core.spend.edges import Edges, edges_of
from alertd.core.spend.lists import View
from alertd.core.spend.planned import Allowances
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.spend_chart import GroupSpend, rolling_chart, rolling_hours
from alertd.core.words import format_about, format_duration, format_list

FILTER_HELP = "A value, a glob or a list of them; `!x` excludes."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Selected:
    """What a rule's filters select of some data."""

    query: SpendQuery
    categories: tuple[tuple[str, str], ...]
    edge: int | None
    accounts: str
    """The accounts of these categories, joined."""


@lru_cache(maxsize=4096)
def _one_of_equals(query: SpendQuery) -> SpendQuery:
    """Return the same object for equal queries, so that no cache has to compare their filters."""
    return query


@lru_cache(maxsize=4096)
def _polled(query: SpendQuery, accounts: frozenset[str]) -> SpendQuery:
    """Return a query of the polled accounts alone; the same object for equal arguments."""
    return replace(query, accounts=accounts)


@dataclass(frozen=True, kw_only=True)
class SpendRule(Rule):
    """
    What rules on hourly spend share: filters, groups, metric and view.

    `evaluate` begins with `facts = facts.of(self.view)`, so that the rule sees its own view alone.
    """

    INCLUDES_SUBSCRIPTIONS: ClassVar[bool] = False
    """Whether payments for fixed terms count without being named; they are not spend of the hour of payment."""

    account: Annotated[Patterns, Key(FILTER_HELP, example="prod")] = Patterns()
    category: Annotated[
        Patterns, Key(f"The productCategory polled. {FILTER_HELP}", example="gpu", words=CATEGORIES, is_closed=True)
    ] = Patterns()
    subcategory: Annotated[Patterns, Key(f"The row's own category. {FILTER_HELP}", example="Compute")] = Patterns()
    owner: Annotated[Patterns, Key(f"Instance, endpoint or key id. {FILTER_HELP}", example="gpu-7f3a*")] = Patterns()
    team: Annotated[Patterns, Key(f"The owner's team. {FILTER_HELP}", example="research")] = Patterns()
    product: Annotated[Patterns, Key(f"The product's name. {FILTER_HELP}", example="*H100*")] = Patterns()
    product_id: Annotated[Patterns, Key(FILTER_HELP, example="h100-sxm")] = Patterns()
    billing_method: Annotated[
        Patterns,
        Key(
            "`on-demand`, `subscription` or `spot`. " + FILTER_HELP,
            example="!subscription",
            words=("on-demand", "subscription", "spot"),
        ),
    ] = Patterns()
    group_by: Annotated[
        tuple[str, ...],
        Key(
            "One alert per group: attributes of the bills, `team` or an owner label. Empty: one alert for everything.",
            example=["owner"],
            words=GROUP_KEYS,
        ),
    ] = ()
    metric: Annotated[
        Metric, Key("`amount` is the whole price, `pay` the part in cash, `voucher` the rest.", example="amount")
    ] = Metric.AMOUNT
    view: Annotated[
        View,
        Key(
            "`usage` reads the usage bills; `api_key` spend by API key, where the owner is the key: llm, gen_api "
            "and web_search only.",
            example="api_key",
        ),
    ] = View.USAGE

    COUNTS_MONEY: ClassVar[bool] = True

    @property
    def metrics(self) -> frozenset[Metric]:
        """The one metric that the rule sums."""
        return frozenset({self.metric})

    @property
    def views(self) -> frozenset[View]:
        """The one view that the rule uses."""
        return frozenset({self.view})

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The rule's `group_by`, sorted, so that a change of its order changes no alert."""
        return self._group_keys

    @cached_property
    def _group_keys(self) -> tuple[str, ...]:
        return tuple(sorted(self.group_by))

    def _query(self, data: DataState) -> SpendQuery:
        """Return the rule's filters and groups as the spend view takes them, for the accounts that are polled."""
        return self._selected(data).query

    def _selected(self, data: DataState) -> "_Selected":
        """Return what the filters select of *data*; computed once for all rules with the same filters and groups."""
        found = data.kept.get(self.query)
        if not isinstance(found, _Selected):
            categories = data.select(self.account, self._categories)
            found = _Selected(
                query=_polled(self.query, data.accounts),
                categories=categories,
                # No category matches, so nothing can be missing: alerts that an edit left open are judged, and end.
                edge=data.edge(categories) if categories else hour_of(data.now),
                accounts=ACCOUNT_SEPARATOR.join(sorted({account for account, _ in categories})),
            )
            data.kept[self.query] = found
        return found

    @cached_property
    def query(self) -> SpendQuery:
        """The rule's filters and groups as the spend view takes them."""
        names = (*GROUP_KEYS, "product_id")
        given = {name: getattr(self, name) for name in names} | {"category": self._categories}
        filters = tuple((name, patterns) for name, patterns in given.items() if patterns.texts)
        return _one_of_equals(SpendQuery(filters=filters, group_by=self.group_keys))

    @cached_property
    def _categories(self) -> Patterns:
        """The rule's category filter, which excludes subscriptions unless the rule includes or names them."""
        named = any(text == SUBSCRIPTION for text in self.category.texts)
        if self.INCLUDES_SUBSCRIPTIONS or named or self.view is not View.USAGE:
            return self.category
        return Patterns((*self.category.texts, f"!{SUBSCRIPTION}"))

    def categories(self, data: DataState) -> tuple[tuple[str, str], ...]:
        """Return the (account, category) pairs that the filters let through."""
        return self._selected(data).categories

    def edge(self, data: DataState) -> int | None:
        """Return the hour through which the rule's categories are billed; None while nothing is known of them."""
        return self._selected(data).edge

    def _allowances(self, facts: Facts, window: HourRange) -> Allowances:
        """Return the allowances of the rule's groups for planned spend in a window that ends at the data edge."""
        return Allowances(
            facts.planned,
            rule=self.name,
            query=self._query(facts.data),
            metric=self.metric,
            categories=self.categories(facts.data),
            window=window,
            spend=facts.spend,
            data=facts.data,
            terms=facts.terms,
            owners=facts.owners,
        )

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return `NOT_MATCHED` if no bill that passes the filters belongs to the group any more; else empty."""
        facts = facts.of(self.view)
        is_known = not group or group in facts.spend.numbers(self._query(facts.data))
        return "" if is_known else NOT_MATCHED

    def account_of(self, group: Labels, data: DataState) -> str:
        """Return the account that a group's spend is billed to, or all of the rule's accounts."""
        return dict(group).get("account") or self._selected(data).accounts

    def counted(self, facts: Facts, alert: Alert) -> Billed | None:
        """Return what the alert's group was billed since it began."""
        facts = facts.of(self.view)
        query = self._query(facts.data)
        return count_spend(
            alert.billed,
            lambda hours: facts.spend.sums(query, self.metric, hours).of(alert.group),
            span=facts.spend.span,
            running=hour_of(facts.now),
            digest=self.digest(),
        )

    def rates(self, facts: Facts, alerts: Collection[Alert]) -> Mapping[Labels, Rate]:
        """Return what each group costs now, and whether it still runs."""
        facts = facts.of(self.view)
        selected = self._selected(facts.data)
        if not alerts or selected.edge is None:
            return {}
        return rates_of(
            facts,
            alerts,
            query=selected.query,
            metric=self.metric,
            edges=self.edges(facts),
            period_end=self.period_end,
        )

    def period_end(self, alert: Alert) -> datetime | None:  # noqa: ARG002 # used by overrides
        """Return the end of the calendar period that an alert's value covers; None if it covers none."""
        return None

    def restated_in(
        self, facts: Facts, alert: Alert, window: HourRange, value_of: Callable[[Usd], Decimal] = to_decimal
    ) -> Decimal | None:
        """
        Return an alert's value in a window that was notified, according to the current bills.

        None if it is not certain: the hours are no longer held, a lower value lacks data, or a higher one may lack a
        credit.
        """
        facts = facts.of(self.view)
        if window.start < facts.spend.span.start:
            return None
        value = value_of(facts.spend.sums(self._query(facts.data), self.metric, window).of(alert.group))
        gaps = facts.data.gaps(self.categories(facts.data), window)
        is_higher = alert.notified_value is not None and value > alert.notified_value
        is_sure = not any(gap.may_hide_credit for gap in gaps) if is_higher else not gaps
        return value if is_sure else None

    def group_spend(self, facts: Facts, group: Labels) -> GroupSpend:
        """Return the hourly spend of one of the rule's groups, for charts."""
        return GroupSpend(view=facts.spend, query=self._query(facts.data), metric=self.metric, group=group)

    def chart_of_window(
        self, facts: Facts, alert: Alert, window: HourRange, limits: Mapping[Severity, int]
    ) -> Chart | None:
        """Return a chart of the rolling sum against limits in 1e-10 USD; *facts* must be of the rule's view."""
        hours = rolling_hours(window, facts.spend, hour_of(alert.started_at))
        summed = HourRange(hours.start - len(window), window.end)
        is_complete = not facts.data.gaps(self.categories(facts.data), summed)
        spend = self.group_spend(facts, alert.group)
        return rolling_chart(spend, hours=hours, length=len(window), limits=limits, is_complete=is_complete)

    def work_out_edges(self, facts: Facts) -> None:
        """Work out the edges of the rule's own view."""
        self.edges(facts.of(self.view))

    def edges(self, facts: Facts) -> Edges:
        """Return the hour through which each stream of each group is billed; *facts* must be of the rule's view."""
        selected = self._selected(facts.data)
        return edges_of(facts.spend, facts.data, selected.query, selected.categories)

    def spent(
        self,
        who: str,
        value: Usd,
        window: timedelta,
        *,
        about: Usd | None = None,
        lagging: tuple[Lag, ...] = (),
    ) -> str:
        """
        Return the clause that says who spent how much on what; *who* is empty if the rule has no groups.

        Args:
            about: The expected value once everything is billed.
            lagging: The streams that are not billed yet.
        """
        what = "" if self.metric is Metric.AMOUNT else f" ({self.metric})"
        where = f"{self._on()} in {format_duration(window)}"
        if about is not None and about != value:
            return f"{who or 'Spend'}{what}{where}: {billed_so_far(value, about, lagging)}"
        return f"{who} spent {format_usd(value)}{what}{where}" if who else f"Spend{what}{where} is {format_usd(value)}"

    def _on(self) -> str:
        """Return the categories that the filter names, as ` on gpu`; empty if it names none or the groups do."""
        named = [text for text in self.category.texts if not text.startswith("!")]
        return f" on {', '.join(named)}" if named and "category" not in self.group_by else ""


def work_out_edges(rules: Iterable[Rule], facts: Facts) -> None:
    """
    Compute the edges of every enabled rule from *facts*, so that later facts cannot move them back.

    A rule that fails is skipped: its evaluation reports the failure.
    """
    for rule in rules:
        if rule.enabled:
            with suppress(ArithmeticError, LookupError):
                rule.work_out_edges(facts)


def billed_so_far(value: Usd, about: Usd, lagging: tuple[Lag, ...]) -> str:
    """Return a value as billed and as expected: `$35.00 billed so far, about $48 once cloud_storage is billed`."""
    return f"{format_usd(value)} billed so far, {about_once(about, lagging)}"


def about_once(about: Usd, lagging: tuple[Lag, ...]) -> str:
    """Return the expected value in words: `about $48 once cloud_storage is billed`."""
    names = list(dict.fromkeys(lag.stream for lag in lagging))
    once = f"{format_list(names)} {'is' if len(names) == 1 else 'are'} billed" if names else "late rows are billed"
    return f"about {format_about(about)} once {once}"
