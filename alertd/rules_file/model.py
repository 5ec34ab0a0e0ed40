"""
The contents of the rules files after loading: frozen values for the rest of alertd. Data only.

The fields of entries are the keys of the file, and their `Key` notes make its schema, as with rule types.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from alertd.core.alerts.inhibition import Inhibition, Matchers
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.routing import Route
from alertd.core.dataclass import dataclass
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import GROUP_KEYS, Key, Rule
from alertd.core.spend.planned import RULE_LABEL, PlannedSpend
from alertd.core.spend.selection import SERIES_KEYS
from alertd.errors import Problem
from alertd.rules_file.moments import DayHours, Ending, Schedule, Starting, Zone
from alertd.rules_file.values import Approvers, Name, Names, Url, VariableName

if TYPE_CHECKING:
    from pydantic import BaseModel

_MATCH = {"team": "research"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Novita account. Without its own key it uses the setting ALERTD_NOVITA_API_KEY."""

    name: Annotated[Name, Key("Unique name; shown in alerts and matched by `account`.", example="prod")]
    api_key_env: Annotated[
        VariableName, Key("The environment variable that holds the API key.", example="NOVITA_PROD_KEY")
    ] = VariableName("")
    api_key_file: Annotated[
        str, Key("A file that holds the API key; relative to the rules file.", example="/run/secrets/novita")
    ] = ""
    base_url: Annotated[
        Url, Key("The API's address, where it is not ALERTD_NOVITA_BASE_URL.", example="https://api.novita.ai")
    ] = Url("")
    resources: Annotated[
        bool,
        Key(
            "Whether names and states of instances and serverless endpoints are read as well as the bills.",
            example=True,
        ),
    ] = True


class Weekday(StrEnum):
    """Days of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHoursEntry:
    """Times in which a receiver gets nothing below critical; by default every day, all day."""

    days: Annotated[
        tuple[Weekday, ...], Key("Days on which they begin; default every day.", example=["sat", "sun"])
    ] = tuple(Weekday)
    hours: Annotated[
        DayHours | None, Key("Start and end; an end before the start is on the next day.", example="22:00-07:00")
    ] = None
    timezone: Annotated[Zone, Key("IANA time zone of the hours.", example="Europe/Berlin")] = Zone("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverEntry:
    """The keys that every receiver has besides those of its type."""

    name: Annotated[Name, Key("Unique name; `notify` names it.", example="finops")]
    fallback: Annotated[
        Name | None, Key("The receiver that gets what this one could not deliver.", example="billing-mail")
    ] = None
    quiet_hours: Annotated[
        tuple[QuietHoursEntry, ...],
        Key(
            "Times in which notifications below critical are held until the quiet hours end.",
            example={"days": ["mon", "tue"], "hours": "22:00-07:00", "timezone": "Europe/Berlin"},
        ),
    ] = ()


class ActionType(StrEnum):
    """What an action does."""

    STOP_INSTANCE = "stop_instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKey:
    """Where an action's API key for one account is stored."""

    api_key_env: Annotated[
        VariableName, Key("The environment variable that holds a key of its own.", example="NOVITA_STOP_KEY")
    ] = VariableName("")
    api_key_file: Annotated[
        str, Key("A file that holds it; relative to the rules file.", example="/run/secrets/novita-stop")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEntry:
    """One entry of `actions:`: an action that a person can request for an alert; alertd never acts on its own."""

    name: Annotated[Name, Key("Unique name; rules name it in `actions`.", example="stop")]
    type: Annotated[
        ActionType, Key("What it does: stop the GPU instance that the alert is about.", example="stop_instance")
    ]
    accounts: Annotated[
        Mapping[str, ActionKey],
        Key(
            "Account to the API key that is used for it; a separate key, because the billing key only reads.",
            example={"prod": {"api_key_env": "NOVITA_STOP_KEY"}},
        ),
    ]
    approvers: Annotated[
        Approvers, Key("Slack members or user groups who may press the button.", example=["U04ABCDEF", "S04TEAM01"])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEntry:
    """One entry of `planned:` as written: spend that is known in advance, in `[start, end)`."""

    match: Annotated[
        Matchers,
        Key(
            "Whose spend: attribute of the bills, `team` or owner label to a value, glob or list; "
            "`rule` limits it to some rules. Default all spend.",
            example=_MATCH,
            words=(*SERIES_KEYS, "team", RULE_LABEL),
        ),
    ] = ()
    amount: Annotated[Usd, Key("How much is expected in total, in USD.", example="$2,000", at_least=1)]
    start: Annotated[
        Starting, Key("When it begins: a date (UTC) or a time with its zone.", example="2026-12-01", name="from")
    ]
    end: Annotated[
        Ending, Key("When it ends: a date, which is included (UTC), or a time.", example="2026-12-05", name="until")
    ]
    comment: Annotated[str, Key("What it is for.", example="training run 12")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A scheduled report."""

    name: Annotated[Name, Key("Unique name; `alertd report NAME` sends it.", example="weekly")]
    schedule: Annotated[
        Schedule, Key("Five cron fields; day of month and weekday together mean either.", example="0 9 * * mon")
    ]
    period: Annotated[
        timedelta,
        Key(
            "How much time it covers; it is compared with the same length of time before.",
            example="7d",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
        ),
    ] = timedelta(days=7)
    group_by: Annotated[
        tuple[str, ...], Key("How spend is split.", example=["category", "team"], words=GROUP_KEYS)
    ] = ()
    timezone: Annotated[Zone, Key("IANA time zone of the schedule.", example="Europe/Berlin")] = Zone("UTC")
    notify: Annotated[Names, Key("Receivers; default those of `defaults`.", example=["finops"])] = Names(())


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsEntry:
    """The keys of `defaults:` that are not keys of rules."""

    notify: Annotated[Names, Key("Receivers of alerts for which no rule or route names any.", example=["finops"])] = (
        Names(())
    )
    fallback: Annotated[
        Name | None, Key("The receiver that gets what another receiver could not deliver.", example="billing-mail")
    ] = None
    timezone: Annotated[
        Zone,
        Key(
            'IANA time zone of the times in messages and on the page, of "the morning", and of the '
            "days and months of `alertd spend` and the page.",
            example="Europe/Berlin",
        ),
    ] = Zone("UTC")


class Place(NamedTuple):
    """A position in a file; lines and columns count from 1."""

    path: str
    line: int
    column: int

    def problem(self, text: str) -> Problem:
        """Return a problem at this place."""
        return Problem(self.path, self.line, self.column, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """A receiver as configured in the file; its notifier is built from `config` later, when secrets are available."""

    name: str
    type: str
    config: "BaseModel"
    fallback: str | None
    quiet_hours: tuple[QuietHours, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRules:
    """The checked contents of all rules files; immutable, so that a reload replaces everything at once."""

    accounts: tuple[Account, ...]
    """Never empty."""
    owners: OwnerDirectory
    receivers: tuple[ReceiverSpec, ...]
    default_notify: tuple[str, ...]
    """Receivers of alerts for which neither rule nor route names any."""
    timezone: str = "UTC"
    """IANA time zone of displayed times, and of the days and months by which spend is shown."""
    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    """All rules, disabled ones included, in the order of the files."""
    actions: tuple[ActionEntry, ...] = ()
    planned: tuple[PlannedSpend, ...]
    inhibitions: tuple[Inhibition, ...]
    reports: tuple[Report, ...]
    warnings: tuple[Problem, ...]
    """What is allowed but probably a mistake, sorted by place."""
    files: tuple[Path, ...]
    places: Mapping[tuple[str, str], Place] = field(repr=False)
    """By kind (`account`, `action`, `receiver`, `rule`, `report`) and name; keys of the first three as `name.key`."""

    @property
    def folder(self) -> Path:
        """The folder to which paths in the rules are relative."""
        return self.files[0].parent if self.files else Path()

    def problem(self, kind: str, name: str, text: str, *, key: str | None = None) -> Problem:
        """
        Return a problem at the place of a named entry, or of one of its keys.

        Args:
            kind: `account`, `action`, `receiver`, `rule` or `report`.
            name: The entry's name.
            text: What is wrong and the remedy, without the entry's name.
            key: A key of an account, action or receiver; if it is not written, the entry's place is used.
        """
        nowhere = Place(str(self.files[0]), 1, 1)
        place = self.places.get((kind, f"{name}.{key}")) or self.places.get((kind, name), nowhere)
        return place.problem(f'{kind} "{name}": {text}')
