"""
The content of a test file: bills and people over time, and what is expected when. Data only.

The fields are the keys of the file and their `Key` notes its schema, as in the rules file. All times but `start` are
offsets from it.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated

from alertd.core.alert import AlertState
from alertd.core.alerts.inhibition import Matchers
from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.rules.base import Key, Share
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillStatus
from alertd.rules_file.model import LoadedRules, Place
from alertd.rules_file.moments import Starting
from alertd.rules_test.notation import LONGEST, Hours, Month, Offset, Span, Value

_ZERO = timedelta()
_OWNER = {"owner": "gpu-1"}
_RULE = "gpu-24h-per-owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Hours of a series that the bills later show otherwise."""

    at: Annotated[timedelta, Key("When the bills change.", example="20h", at_most=LONGEST)]
    start: Annotated[
        Offset | None, Key("The first hour that changes; default the series' own `from`.", example="5h", name="from")
    ] = None
    hours: Annotated[Hours, Key("What these hours cost then; `_` removes the row.", example="3x5")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledSeries:
    """Hourly rows of one owner and product. A row shows in the bills when its hour is over."""

    category: Annotated[str, Key("The productCategory.", example="gpu")]
    account: Annotated[str, Key("The account, where the rules have several.", example="prod")] = ""
    owner: Annotated[str, Key("Instance, endpoint or key id.", example="gpu-1")] = ""
    product: Annotated[str, Key("The product's name.", example="H100 SXM 80GB")] = ""
    product_id: Annotated[str, Key("The product's id.", example="h100-sxm")] = ""
    subcategory: Annotated[str, Key("The row's own category.", example="Compute")] = ""
    billing_method: Annotated[str, Key("`on-demand`, `subscription` or `spot`.", example="spot")] = "on-demand"
    start: Annotated[
        Offset, Key("The first hour; before the test's start where negative.", example="-7d", name="from")
    ] = Offset(0)
    hours: Annotated[
        Hours,
        Key("USD of each hour: `4.2`, `4.2x6` six times, `_x3` no rows, `1+0.5x6` rising.", example="4.2x6 _x2 1"),
    ]
    span: Annotated[
        Span,
        Key(
            "How many hours each row covers; `hours` gives USD of each row, one after another.",
            example="24h",
        ),
    ] = Span(1)
    voucher: Annotated[Share, Key("The share that vouchers pay.", example="30%")] = Share(Fraction(0))
    late: Annotated[
        timedelta, Key("How long after its last hour each row appears in the bills.", example="3h", at_most=LONGEST)
    ] = _ZERO
    revised: Annotated[
        tuple[Revision, ...], Key("Hours whose bills change later.", example=[{"at": "20h", "hours": "3x5"}])
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedReads:
    """A stretch in which the billing API cannot be read."""

    account: Annotated[Patterns, Key("A value, a glob or a list; default all.", example="prod")] = Patterns()
    category: Annotated[
        Patterns, Key("A value, a glob or a list; default all categories, and the monthly bills too.", example="gpu")
    ] = Patterns()
    start: Annotated[timedelta, Key("When it begins.", example="8h", name="from", at_most=LONGEST)]
    end: Annotated[timedelta, Key("When reads succeed again.", example="11h", name="until", at_most=LONGEST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChange:
    """What an account can still spend from some time on."""

    at: Annotated[timedelta, Key("When it begins.", example="12h", at_most=LONGEST)] = _ZERO
    account: Annotated[str, Key("The account, where the rules have several.", example="prod")] = ""
    available: Annotated[Usd, Key("The available balance.", example="$84.10")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """From when on a monthly bill has a status."""

    at: Annotated[timedelta, Key("When it begins.", example="30h", at_most=LONGEST)] = _ZERO
    is_: Annotated[BillStatus, Key("The status.", example="overdue", name="is")]
    debt: Annotated[Usd | None, Key("How much is owed then; default the bill's `debt`.", example="$120")] = None
    repaid: Annotated[Usd | None, Key("How much of it is repaid then; default the bill's `repaid`.", example="$20")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyEntry:
    """A monthly bill and its life."""

    id: Annotated[str, Key("The bill's id.", example="b1")]
    account: Annotated[str, Key("The account, where the rules have several.", example="prod")] = ""
    month: Annotated[Month, Key("The month that it is for.", example="2026-02")]
    total: Annotated[Usd, Key("Its total in USD.", example="$120")]
    debt: Annotated[Usd, Key("How much of it is owed.", example="$120")] = Usd(0)
    repaid: Annotated[Usd, Key("How much of the debt is repaid.", example="$20")] = Usd(0)
    status: Annotated[
        tuple[StatusChange, ...],
        Key("Its status over time; before the first entry the bill does not exist.", example=[{"is": "outed"}]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A further term of a subscription; it begins where the one before ends."""

    at: Annotated[Offset, Key("When it is renewed, and the charge falls due.", example="7d")]
    until: Annotated[
        Offset | None, Key("When the further term ends; default as long a term as the first.", example="37d")
    ] = None
    amount: Annotated[Usd | None, Key("What it costs; default the subscription's `amount`.", example="$1,400")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEntry:
    """A fixed term of one owner and product, paid in full when it is bought, and its renewals."""

    account: Annotated[str, Key("The account, where the rules have several.", example="prod")] = ""
    owner: Annotated[str, Key("Instance or endpoint id.", example="gpu-1")] = ""
    product: Annotated[str, Key("The product's name.", example="H100 SXM 80GB")] = ""
    product_id: Annotated[str, Key("The product's id.", example="h100-sxm")] = ""
    category: Annotated[str, Key("The productCategory of what is bought.", example="gpu")] = "gpu"
    amount: Annotated[Usd, Key("What the term costs.", example="$1,400")]
    voucher: Annotated[Share, Key("The share that vouchers pay.", example="30%")] = Share(Fraction(0))
    start: Annotated[
        Offset,
        Key("When it is bought and begins; it is a purchase only after the test's start.", example="-23d", name="from"),
    ] = Offset(0)
    until: Annotated[Offset, Key("When the term ends.", example="7d")]
    renewed: Annotated[
        tuple[Renewal, ...], Key("Its renewals, in order of time; default none.", example=[{"at": "6d"}])
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceChange:
    """From when on an instance has a status."""

    at: Annotated[timedelta, Key("When it begins.", example="30h", at_most=LONGEST)] = _ZERO
    is_: Annotated[str, Key("The status in the API's own words.", example="exited", name="is")]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceEntry:
    """A GPU instance as the API lists it."""

    id: Annotated[str, Key("The instance's id: the owner of its bills.", example="gpu-1")]
    account: Annotated[str, Key("The account, where the rules have several.", example="prod")] = ""
    name: Annotated[str, Key("The name that the API gives it.", example="trainer-a")] = ""
    product: Annotated[str, Key("The product's name.", example="H100 SXM 80GB")] = ""
    gpus: Annotated[int, Key("How many GPUs it has.", example=8, at_least=1, at_most=1024)] = 1
    status: Annotated[
        tuple[InstanceChange, ...],
        Key("Its status over time; default running all the time.", example=[{"at": "30h", "is": "exited"}]),
    ] = ()
    start: Annotated[Offset, Key("The first hour of `utilization`.", example="-2h", name="from")] = Offset(0)
    utilization: Annotated[
        Hours | None,
        Key("Percent of each hour, as bills write USD: `80x3 0x6 _x2`; `_` is an hour without metrics.", example="0x6"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEntry:
    """A silence that somebody makes."""

    match: Annotated[Matchers, Key("Label to a value, glob or list; all must match.", example=_OWNER)]
    start: Annotated[
        timedelta, Key("When it is made: it holds from the poll at that time on.", example="2h", name="from")
    ] = _ZERO
    lasting: Annotated[
        timedelta, Key("How long it holds.", example="4h", name="for", at_least=timedelta(minutes=1), at_most=LONGEST)
    ]
    author: Annotated[str, Key("Who makes it.", example="dana")] = "somebody"
    comment: Annotated[str, Key("Why.", example="known training run")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody acknowledges what fires, after the poll of that time."""

    rule: Annotated[str, Key("The rule whose alerts are acknowledged.", example=_RULE)]
    labels: Annotated[Labels, Key("Only alerts with these labels.", example=_OWNER)] = ()
    at: Annotated[timedelta, Key("When.", example="12h", at_most=LONGEST)]
    by: Annotated[str, Key("Who.", example="dana")] = "somebody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAlert:
    """An alert that should be there; what is not written is not compared."""

    rule: Annotated[str, Key("The rule's name.", example=_RULE)]
    labels: Annotated[Labels, Key("Labels that it should have, among others.", example=_OWNER)] = ()
    state: Annotated[AlertState, Key("`pending`, `firing` or `resolved`.", example="pending")] = AlertState.FIRING
    severity: Annotated[Severity | None, Key("Its severity.", example="warning")] = None
    value: Annotated[
        Value | None, Key("Its value: money, a share, a number, or time for days and hours.", example="$58.80")
    ] = None
    about: Annotated[
        Value | None,
        Key("What it comes to once everything is billed; equal to the value where nothing is late.", example="$60"),
    ] = None
    headline: Annotated[str | None, Key("Part of its first line.", example="gpu-1 spent")] = None
    withheld: Annotated[
        str | None,
        Key(
            "Part of the reason why its notifications are withheld now; an empty text if they are not.",
            example="silenced by dana",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedMessage:
    """A message that should have left; what is not written is not compared."""

    to: Annotated[str, Key("The receiver.", example="finops")]
    recipient: Annotated[str | None, Key("One of the receiver's recipients.", example="U04ABCDEF")] = None
    reason: Annotated[NotifyReason | None, Key("Why it was sent.", example="severity raised")] = None
    severity: Annotated[Severity | None, Key("Its severity.", example="critical")] = None
    title: Annotated[str | None, Key("Part of its title.", example="gpu-1 spent $58.80")] = None
    text: Annotated[
        tuple[str, ...], Key("Parts of its text, fields and table included.", example=["Billed through"])
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What should be so at a time. Nothing is compared of what is not written."""

    at: Annotated[timedelta, Key("When to compare; the last poll up to then counts.", example="14h", at_most=LONGEST)]
    alerts: Annotated[
        tuple[ExpectedAlert, ...] | None,
        Key(
            "Every alert that fires, and pending or resolved ones where `state` asks for them; an empty list for none.",
            example=[{"rule": _RULE}],
        ),
    ] = None
    messages: Annotated[
        tuple[ExpectedMessage, ...] | None,
        Key("Every message sent since the previous expectation; an empty list for none.", example=[{"to": "finops"}]),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test, as written."""

    name: Annotated[str, Key("What the test shows, in words; unique.", example="a forgotten notebook fires")]
    start: Annotated[
        Starting, Key("When the test begins, on a whole hour; all other times count from here.", example="2026-03-10")
    ] = Starting(datetime(2026, 1, 5, tzinfo=UTC))
    settle_delay: Annotated[
        timedelta,
        Key(
            "How late bills usually arrive at the most, as ALERTD_SETTLE_DELAY.",
            example="2h",
            at_least=_ZERO,
            at_most=timedelta(days=7),
        ),
    ] = timedelta(hours=2)
    poll_interval: Annotated[
        timedelta,
        Key("How often bills are read.", example="1h", at_least=timedelta(minutes=1), at_most=timedelta(days=1)),
    ] = timedelta(hours=1)
    bills: Annotated[
        tuple[BilledSeries, ...],
        Key("Hourly bills.", example=[{"category": "gpu", "owner": "gpu-1", "hours": "4.2x24"}]),
    ] = ()
    key_bills: Annotated[
        tuple[BilledSeries, ...],
        Key(
            "The list by API key, for rules with `view: api_key`; `owner` is the key. Keys as those of `bills`.",
            example=[{"category": "llm", "owner": "key-1", "hours": "2x24"}],
        ),
    ] = ()
    balances: Annotated[
        tuple[BalanceChange, ...],
        Key("Balances, for rules of type `balance`.", example=[{"available": "$200"}, {"at": "12h", "available": 90}]),
    ] = ()
    unread: Annotated[
        tuple[FailedReads, ...],
        Key("When bills cannot be read.", example=[{"category": "gpu", "from": "8h", "until": "11h"}]),
    ] = ()
    monthly_bills: Annotated[
        tuple[MonthlyEntry, ...],
        Key(
            "Monthly bills.",
            example=[{"id": "b1", "month": "2026-02", "total": "$120", "status": [{"is": "outed"}]}],
        ),
    ] = ()
    subscriptions: Annotated[
        tuple[SubscriptionEntry, ...],
        Key(
            "Subscriptions: for rules of type `subscription`, and as spend of the category `subscription`.",
            example=[{"owner": "gpu-1", "amount": "$1,400", "from": "-23d", "until": "7d", "renewed": [{"at": "6d"}]}],
        ),
    ] = ()
    instances: Annotated[
        tuple[InstanceEntry, ...],
        Key(
            "GPU instances: their names and states, and how busy they are.",
            example=[{"id": "gpu-1", "name": "notebook", "utilization": "80x3 0x6"}],
        ),
    ] = ()
    silences: Annotated[
        tuple[SilenceEntry, ...],
        Key("Silences that people make.", example=[{"match": _OWNER, "from": "2h", "for": "4h"}]),
    ] = ()
    acknowledge: Annotated[
        tuple[Acknowledgement, ...], Key("Acknowledgements that people make.", example=[{"rule": _RULE, "at": "12h"}])
    ] = ()
    expect: Annotated[
        tuple[Expectation, ...],
        Key("What is expected, in order of time.", example=[{"at": "14h", "alerts": [{"rule": _RULE}]}]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTest:
    """A test and where it stands."""

    test: RuleTest
    place: Place
    expectation_places: tuple[Place, ...]
    """Of each expectation, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTests:
    """A test file, checked, with the rules that it is about."""

    rules: LoadedRules
    tests: tuple[LoadedTest, ...]
    warnings: tuple[str, ...]
    """What is allowed but hardly meant, each with its place."""
