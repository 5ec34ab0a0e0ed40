"""
Everything that a rule type needs, in one place: rule types in other packages import nothing else from core.

The names below are stable; each is documented where it is defined. `SpendRule` is the base of rule types that compare
hourly spend: it provides the filters, `group_by`, `metric` and `view`.
"""

from alertd.core.alert import Alert, Sample, Unit
from alertd.core.chart import Chart
from alertd.core.hours import HourRange, hour_of, start_of, whole_hours
from alertd.core.key import GROUP_KEYS, Key
from alertd.core.labels import Labels, Patterns
from alertd.core.money import UNITS_PER_USD, Usd, format_usd, plain, to_decimal
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.rules.rule import (
    NOT_MATCHED,
    Escalation,
    LimitT,
    Metric,
    Problem,
    Rule,
    Share,
    days_of,
    falling_problems,
    highest,
    hourly_problems,
    key_of,
    owner_labels,
    ratio_decimal,
    rising_problems,
    severity_problems,
)
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance, BillStatus, MonthlyBill, TrackedBill
from alertd.core.spend.data_state import DataState, Gap
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.lists import View
from alertd.core.spend.planned import Allowance, Allowances, PlannedSpend
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView
from alertd.core.words import format_count, format_duration, format_instant, group_name

__all__ = [
    "GROUP_KEYS",
    "NOT_MATCHED",
    "UNITS_PER_USD",
    "Alert",
    "Allowance",
    "Allowances",
    "Balance",
    "BillStatus",
    "CategoryBook",
    "Chart",
    "DataState",
    "Escalation",
    "Facts",
    "Gap",
    "HourRange",
    "Key",
    "Labels",
    "LimitT",
    "Metric",
    "MonthlyBill",
    "Owner",
    "OwnerDirectory",
    "Patterns",
    "PlannedSpend",
    "Problem",
    "Rule",
    "Sample",
    "Severity",
    "Share",
    "SpendQuery",
    "SpendRule",
    "SpendView",
    "TrackedBill",
    "Unit",
    "Usd",
    "View",
    "days_of",
    "falling_problems",
    "format_count",
    "format_duration",
    "format_instant",
    "format_usd",
    "group_name",
    "highest",
    "hour_of",
    "hourly_problems",
    "key_of",
    "owner_labels",
    "plain",
    "ratio_decimal",
    "rising_problems",
    "severity_problems",
    "start_of",
    "to_decimal",
    "whole_hours",
]
