"""
Load rules files into `LoadedRules`, or report every problem in them at once.

Defines in which order things are checked and assembled; `keys.py` defines what a key may hold, `references.py` how
entries may refer to each other. Reads the rules files and nothing else: secrets are read later.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TypeVar

from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.routing import OWNER, Route
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, first_hour_from, whole_hours
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule, hourly_problems
from alertd.core.rules.own.names import OWN
from alertd.core.spend.planned import LONGEST_SPAN, PlannedSpend
from alertd.core.words import format_duration
from alertd.errors import RulesError, UserError
from alertd.rules_file import references
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.faults import Faults
from alertd.rules_file.files import Joined, collector_paused, read_files
from alertd.rules_file.keys import Table, key_table, read, read_keys
from alertd.rules_file.model import (
    Account,
    ActionEntry,
    LoadedRules,
    Place,
    PlannedEntry,
    ReceiverSpec,
    Report,
)
from alertd.rules_file.receivers import parse_receiver
from alertd.rules_file.references import KnownNames
from alertd.rules_file.remedy import show
from alertd.rules_file.rule_types import broken_rule_types, rule_type, rule_type_names, with_new_type
from alertd.rules_file.sections import defaults_table
from alertd.rules_file.summary import SummaryError, compile_summary
from alertd.rules_file.values import Name, Names

T = TypeVar("T")

_NO_RULES_KEYS = frozenset({"notify", "fallback", "timezone"})
"""Keys of `defaults:` that are not defaults of rules."""
_DEFAULT_ACCOUNT = Account(name=Name("default"))


def load_rules(path: Path) -> LoadedRules:
    """
    Read and check a rules file, or a folder of them, and return its contents.

    Raises:
        RulesError: There are problems; it holds all that were found, each with its place.
    """
    findings = Findings()
    with collector_paused():
        loaded = _Loader(read_files(path, findings), findings).load()
    if findings.problems:
        raise RulesError(findings.problems)
    return loaded


@dataclass(slots=True)
class _Loader:
    """Builds rules and everything else from the entries; used for one load."""

    joined: Joined
    findings: Findings
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    broken_types: set[str] = field(default_factory=set)
    """Rule types that rules name and that cannot be used."""

    def load(self) -> LoadedRules:
        sections = self.joined.sections
        self._remember_names()
        accounts = self._built("accounts", Account)
        owners = self._built("owners", Owner)
        known = self._known([owner for _, owner in owners])
        defaults = self._defaults(known)
        receivers = self._receivers(known, defaults)
        rules = self._rules(known, defaults)
        routes = self._routes(known)
        references.check_accounts(accounts, self.findings)
        for entry, _ in owners:
            references.check_owner(entry, self.findings)
        actions = self._built("actions", ActionEntry)
        for entry, action in actions:
            references.check_action(entry, action, known, self.findings)
        default_notify = _names(defaults.get("notify"))
        self._warn_of_types()
        self._warn_of_silence(rules, has_receivers=bool(sections["receivers"]), has_ways=bool(routes or default_notify))
        return LoadedRules(
            accounts=tuple(account for _, account in accounts) or (_DEFAULT_ACCOUNT,),
            owners=OwnerDirectory(tuple(owner for _, owner in owners)),
            receivers=tuple(receivers),
            default_notify=default_notify,
            timezone=str(defaults.get("timezone", "UTC")),
            routes=tuple(routes),
            rules=tuple(rule for _, rule in rules),
            actions=tuple(action for _, action in actions),
            planned=tuple(self._planned(known)),
            inhibitions=tuple(self._inhibitions(known)),
            reports=tuple(self._reports(known, default_notify)),
            warnings=tuple(sorted(set(self.findings.warnings))),
            files=tuple(self.joined.files),
            places=self.places,
        )

    def _remember_names(self) -> None:
        for section in ("accounts", "actions", "receivers", "rules", "reports"):
            entries = self.joined.sections[section]
            references.check_unique(entries, self.places, self.findings)
            for entry in entries:
                references.check_reserved(entry, self.findings)
                if section in {"accounts", "actions", "receivers"} and entry.name:
                    self.places |= {
                        (entry.kind, f"{entry.name}.{key}"): Place(entry.path, node.line, node.column)
                        for key, node in entry.node.children.items()
                    }

    def _known(self, owners: list[Owner]) -> KnownNames:
        # All names, even of invalid entries: a mistake in one should not cause unknown-name problems in others.
        names = {section: tuple(e.name for e in entries if e.name) for section, entries in self.joined.sections.items()}
        labels = (entry.node.children.get("labels") for entry in self.joined.sections["rules"])
        return KnownNames(
            receivers=names["receivers"],
            actions=names["actions"],
            accounts=names["accounts"] or (_DEFAULT_ACCOUNT.name,),
            teams=_unique(owner.team for owner in owners if owner.team),
            owner_labels=_unique(name for owner in owners for name, _ in owner.labels),
            rule_labels=_unique(name for node in labels if node is not None for name in node.children),
            rules=(*names["rules"], *OWN),
        )

    def _built(self, section: str, kind: type[T]) -> list[tuple[Entry, T]]:
        """Return the valid entries of a section, each with the object built from it."""
        pairs = ((entry, self._build(entry, kind)) for entry in self.joined.sections[section])
        return [(entry, found) for entry, found in pairs if found is not None]

    def _build(self, entry: Entry, kind: Callable[..., T]) -> T | None:
        try:
            return read(kind, entry.node)
        except Faults as faults:
            self._add(entry, faults)
        return None

    def _read_keys(self, entry: Entry, table: Table, *, also_known: tuple[str, ...] = ()) -> dict[str, object] | None:
        try:
            return read_keys(entry.node, table, also_known=also_known)
        except Faults as faults:
            self._add(entry, faults)
        return None

    def _add(self, entry: Entry, faults: Faults) -> None:
        for fault in faults.found:
            self.findings.add(fault.problem(entry))

    def _defaults(self, known: KnownNames) -> dict[str, object]:
        """Return the values of `defaults:` from all files, by field name."""
        found: dict[str, object] = {}
        first: dict[str, Place] = {}
        for entry in self.joined.defaults:
            written = self._read_keys(entry, defaults_table())
            for key in ("notify", "fallback"):
                references.check_receivers(entry, (key,), known, self.findings)
            references.check_receivers(entry, ("escalate", "notify"), known, self.findings)
            for name, value in (written or {}).items():
                key = name.rstrip("_")
                place = entry.find((key,))[1]
                if found.get(name, value) != value:
                    there = ":".join(map(str, first[name]))
                    self.findings.add(
                        entry.problem((key,), f"another file says otherwise, at {there}; keep one of them")
                    )
                found[name] = value
                first.setdefault(name, place)
        return found

    def _receivers(self, known: KnownNames, defaults: Mapping[str, object]) -> list[ReceiverSpec]:
        entries = self.joined.sections["receivers"]
        found = [(entry, parse_receiver(entry, self.findings)) for entry in entries]
        for entry in entries:
            references.check_receivers(entry, ("fallback",), known, self.findings)
        pairs = [(entry, spec.fallback) for entry, spec in found if spec is not None]
        references.check_fallbacks(pairs, self.findings)
        common = defaults.get("fallback")
        return [
            replace(spec, fallback=str(common)) if common and not spec.fallback and spec.name != common else spec
            for _, spec in found
            if spec is not None
        ]

    def _rules(self, known: KnownNames, defaults: Mapping[str, object]) -> list[tuple[Entry, Rule]]:
        filled = {name: value for name, value in defaults.items() if name not in _NO_RULES_KEYS}
        found = []
        for written in self.joined.sections["rules"]:
            entry = with_new_type(written, self.findings)
            rule = self._rule(entry, filled)
            references.check_rule_names(entry, known, self.findings)
            for _, text in entry.texts("summary"):
                self._check_summary(entry, text)
            if rule is not None:
                self._check_rule(entry, rule, known)
                found.append((entry, rule))
        return found

    def _check_rule(self, entry: Entry, rule: Rule, known: KnownNames) -> None:
        try:
            references.check_rule(entry, rule, known, self.findings)
        except RulesError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a plugin's own check may raise anything
            self.findings.add(entry.problem((), _own_fault(type(rule), error)))

    def _rule(self, entry: Entry, defaults: Mapping[str, object]) -> Rule | None:
        kind = self._rule_type(entry)
        written = self._read_keys(entry, key_table(kind), also_known=("type",)) if kind is not None else None
        if kind is None or written is None:
            return None
        try:
            return kind(**{**defaults, **written})  # type: ignore[arg-type] # the table has checked them
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a plugin's own check may raise anything
            self.findings.add(entry.problem((), _own_fault(kind, error)))
        return None

    def _rule_type(self, entry: Entry) -> type[Rule] | None:
        if not isinstance(entry.node.value, dict):
            text = f"{show(entry.node.plain())} is not a rule; write name:, type: and what the type needs"
            self.findings.add(entry.problem((), text))
            return None
        name = references.named_type(entry, "rule", rule_type_names(), self.findings)
        return self._installed_type(entry, name) if name is not None else None

    def _installed_type(self, entry: Entry, name: str) -> type[Rule] | None:
        try:
            return rule_type(name)
        except UserError as error:
            # Reported once, even if many rules use the type.
            if name not in self.broken_types:
                self.findings.add(entry.problem(("type",), str(error), has_keys=False))
            self.broken_types.add(name)
        return None

    def _warn_of_types(self) -> None:
        """Warn of rule types of plugins that cannot be used, even though no rule uses them."""
        if self.joined.files:
            top = Place(str(self.joined.files[0]), 1, 1)
            for name, text in broken_rule_types():
                if name not in self.broken_types:
                    self.findings.warn(top.problem(text))

    def _check_summary(self, entry: Entry, text: str) -> None:
        try:
            compile_summary(text)
        except SummaryError as error:
            self.findings.add(entry.problem(("summary",), str(error)))

    def _routes(self, known: KnownNames) -> list[Route]:
        built = self._built("routes", Route)
        for entry, route in built:
            references.check_matchers(entry, "match", route.match, known, self.findings)
            references.check_receivers(entry, ("notify",), known, self.findings)
        return [route for _, route in built]

    def _planned(self, known: KnownNames) -> Iterable[PlannedSpend]:
        for entry, written in self._built("planned", PlannedEntry):
            references.check_planned(entry, written.match, known, self.findings)
            wrong = _span_problem(written)
            if wrong:
                self.findings.add(entry.problem(("until",), wrong))
                continue
            yield PlannedSpend(
                match=written.match,
                amount=written.amount,
                hours=HourRange(first_hour_from(written.start), first_hour_from(written.end)),
                comment=written.comment,
            )

    def _inhibitions(self, known: KnownNames) -> Iterable[Inhibition]:
        for entry, inhibition in self._built("inhibitions", Inhibition):
            for key, matchers in (("when", inhibition.when), ("mute", inhibition.mute)):
                references.check_matchers(entry, key, matchers, known, self.findings)
                if not matchers:
                    text = "the mapping is empty and would match every alert; write at least one label"
                    self.findings.add(entry.problem((key,), text))
            yield inhibition

    def _reports(self, known: KnownNames, default_notify: tuple[str, ...]) -> Iterable[Report]:
        everybody = tuple(name for name in default_notify if name != OWNER)
        for entry, report in self._built("reports", Report):
            references.check_groups(entry, known, self.findings)
            references.check_receivers(entry, ("notify",), known, self.findings)
            references.check_report(entry, everybody, self.findings)
            for key, text in hourly_problems("period", report.period):
                self.findings.add(entry.problem((key,), text))
            yield replace(report, notify=Names(report.notify or everybody))

    def _warn_of_silence(self, rules: list[tuple[Entry, Rule]], *, has_receivers: bool, has_ways: bool) -> None:
        if not self.joined.files:
            return
        top = Place(str(self.joined.files[0]), 1, 1)
        if not self.joined.sections["rules"]:
            self.findings.warn(top.problem("there are no rules: nothing is watched"))
        elif not has_receivers:
            self.findings.warn(top.problem("there are no receivers: alerts are kept and shown, but nobody is notified"))
        elif not has_ways:
            for entry, rule in rules:
                if rule.enabled and not rule.notify:
                    text = "nobody is notified: it has no notify, and there are no routes and no defaults.notify"
                    self.findings.warn(entry.problem((), text))


def _own_fault(kind: type[Rule], error: Exception | SystemExit) -> str:
    """Return the text for a rule type whose own checks raised an exception."""
    return f"the rule type {kind.TYPE} failed on this rule: {type(error).__name__}: {error}; report it to its author"


def _span_problem(written: PlannedEntry) -> str:
    """Return what is wrong with the time span of planned spend, and the remedy; empty if it is valid."""
    if written.end <= written.start:
        return "this is not after from; write a later time"
    if first_hour_from(written.end) == first_hour_from(written.start):
        return "no hour begins between from and this; bills come by the hour, write a later time"
    if first_hour_from(written.end) - first_hour_from(written.start) > whole_hours(LONGEST_SPAN):
        most = format_duration(LONGEST_SPAN)
        return f"this is more than {most} after from; write an earlier time, or raise the thresholds themselves"
    return ""


def _names(names: object) -> tuple[str, ...]:
    """Return the names in a `notify` value; empty if there is none."""
    return tuple(map(str, names)) if isinstance(names, tuple) else ()


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
