"""
References between entries: receivers, accounts, categories, labels and groups must exist, names must be unique.

An unknown name is an error that suggests the nearest known one; an unknown team, or an unknown label in a route or
inhibition, is only a warning.
"""

from collections.abc import Iterable, Sequence

from alertd.core.alerts.inhibition import Matchers
from alertd.core.alerts.routing import OWNER
from alertd.core.alerts.silence import ALERT_LABELS, RULE_LABELS
from alertd.core.dataclass import dataclass
from alertd.core.key import GROUP_KEYS
from alertd.core.labels import Patterns, is_glob
from alertd.core.rules.base import Rule
from alertd.core.rules.own.names import OWN
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES, KEY_CATEGORIES
from alertd.core.spend.lists import View
from alertd.core.spend.planned import RULE_LABEL
from alertd.core.spend.selection import SERIES_KEYS
from alertd.rules_file.entry import KEY, Entry, Findings
from alertd.rules_file.model import Account, ActionEntry, Place
from alertd.rules_file.remedy import closest, known_words, show
from alertd.rules_file.rule_types import FORMER_NAMES
from alertd.rules_file.values import LIKELY_EXPRESSION

_CONTROL_TOTAL = "summary"
_SEVERITIES = tuple(severity.label for severity in Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """The names that entries may refer to."""

    receivers: tuple[str, ...]
    accounts: tuple[str, ...]
    actions: tuple[str, ...]
    teams: tuple[str, ...]
    owner_labels: tuple[str, ...]
    rule_labels: tuple[str, ...]
    rules: tuple[str, ...]


def check_unique(entries: Iterable[Entry], places: dict[tuple[str, str], Place], findings: Findings) -> None:
    """Find names that are used twice, and record the place of each name in *places*."""
    for entry in entries:
        if not entry.name:
            continue
        first = places.setdefault((entry.kind, entry.name), entry.place)
        if first != entry.place:
            text = f"this name is used twice, first at {first.path}:{first.line}:{first.column}; choose another"
            findings.add(entry.problem(("name",), text, has_keys=False))


def named_type(entry: Entry, what: str, names: tuple[str, ...], findings: Findings) -> str | None:
    """
    Return which of *names* an entry has as its type; None, with the problem found, if it has none of them.

    Args:
        what: What the entry is: "rule".
    """
    node, _, keys = entry.find(("type",))
    if not keys:
        findings.add(entry.problem((), f"type is missing; write type: followed by one of {known_words(names)}"))
    elif isinstance(node.value, str) and node.value in names:
        return str(node.value)
    else:
        near = closest(node.value, names) if isinstance(node.value, str) else ""
        text = f"unknown {what} type {show(node.plain())}{near or f'; there are {known_words(names)}'}"
        findings.add(entry.problem(("type",), text, has_keys=False))
    return None


def check_reserved(entry: Entry, findings: Findings) -> None:
    """Find names that alertd reserves for itself."""
    if entry.kind == "rule" and entry.name in OWN:
        text = f"this name is reserved for {OWN[entry.name]}; choose another"
        findings.add(entry.problem(("name",), text, has_keys=False))
    if entry.kind == "receiver" and entry.name == OWNER:
        text = "this name is reserved: in notify it means the owner of what the alert is about; choose another"
        findings.add(entry.problem(("name",), text, has_keys=False))


def check_receivers(entry: Entry, location: Sequence[str], known: KnownNames, findings: Findings) -> None:
    """Find unknown receivers; `owner` is always known in `notify`."""
    for place, name in entry.texts(*location):
        if name in known.receivers or (name == OWNER and location[-1] == "notify"):
            continue
        remedy = closest(name, known.receivers) or _listed(known.receivers, "the file has no receivers")
        findings.add(entry.problem(place, f"unknown receiver {show(name)}{remedy}", has_keys=False))


def check_accounts(accounts: Sequence[tuple[Entry, Account]], findings: Findings) -> None:
    """Find accounts with two keys, and all accounts without a key but the first."""
    keyless = None
    for entry, account in accounts:
        if account.api_key_env and account.api_key_file:
            findings.add(entry.problem(("api_key_file",), "the key already comes from api_key_env; keep one of them"))
        if account.api_key_env or account.api_key_file:
            continue
        if keyless is not None:
            text = "api_key_env or api_key_file is missing; only one account can use ALERTD_NOVITA_API_KEY"
            findings.add(entry.problem((), text))
        keyless = account


def check_rule_names(entry: Entry, known: KnownNames, findings: Findings) -> None:
    """Find unknown and reserved names in a rule, whether or not the rule is otherwise valid."""
    _check_patterns(entry, ("account",), known.accounts, findings)
    is_by_key = any(text == View.API_KEY for _, text in entry.texts("view"))
    _check_category(entry, ("category",), findings, is_by_key=is_by_key)
    _check_team(entry, ("team",), known, findings)
    check_globs(entry, (*GROUP_KEYS, "product_id"), findings)
    check_groups(entry, known, findings)
    check_receivers(entry, ("notify",), known, findings)
    check_receivers(entry, ("escalate", "notify"), known, findings)
    _check_label_names(entry, RULE_LABELS, findings)


def check_rule(entry: Entry, rule: Rule, known: KnownNames, findings: Findings) -> None:
    """Find contradictions between keys, as reported by the rule's type, and actions that the rule cannot offer."""
    for way, text in rule.problems():
        # The last part of a path is a key that the file's author chose: the problem is placed at that key.
        key, location = (way, (way,)) if isinstance(way, str) else (way[0], (*way, KEY))
        shown = text if text.startswith(key) else f"{key}: {text}"
        findings.add(entry.problem(location, shown, has_keys=False))
    _check_actions(entry, rule, known, findings)


def check_action(entry: Entry, action: ActionEntry, known: KnownNames, findings: Findings) -> None:
    """Find actions without accounts, unknown accounts, and accounts with no key or two keys."""
    if not action.accounts:
        text = "accounts: the mapping is empty; write an account and its key, like prod: {api_key_env: NOVITA_STOP_KEY}"
        findings.add(entry.problem(("accounts",), text, has_keys=False))
    for name, key in action.accounts.items():
        if name not in known.accounts:
            remedy = closest(name, known.accounts) or _listed(known.accounts, "")
            findings.add(entry.problem(("accounts", name, KEY), f"unknown account {show(name)}{remedy}"))
        if key.api_key_env and key.api_key_file:
            text = "the key already comes from api_key_env; keep one of them"
            findings.add(entry.problem(("accounts", name, "api_key_file"), text))
        elif not key.api_key_env and not key.api_key_file:
            text = "api_key_env or api_key_file is missing: an action has a key of its own"
            findings.add(entry.problem(("accounts", name), text))


def _check_actions(entry: Entry, rule: Rule, known: KnownNames, findings: Findings) -> None:
    """Find unknown actions, and actions of rules whose alerts are not each about one owner or are about keys."""
    for place, name in entry.texts("actions"):
        if name not in known.actions:
            remedy = closest(name, known.actions) or _listed(known.actions, "the file has no actions")
            findings.add(entry.problem(place, f"unknown action {show(name)}{remedy}", has_keys=False))
    if not rule.actions:
        return
    if "owner" not in rule.group_keys:
        text = "an action needs to know whose instance it is, and this rule's alerts are not about one owner each"
        remedy = "write group_by: [owner]" if isinstance(rule, SpendRule) else "remove it"
        findings.add(entry.problem(("actions",), f"{text}; {remedy}"))
    elif View.USAGE not in rule.views:
        text = "the owners of view api_key are keys, and no action stops those; remove it, or write view: usage"
        findings.add(entry.problem(("actions",), text))


def check_globs(entry: Entry, keys: Iterable[str], findings: Findings) -> None:
    """Warn of globs that resemble regular expressions or shell braces."""
    for key in keys:
        node = entry.node.children.get(key)
        places = [(key, name) for name in node.children] if node is not None and node.children else [(key,)]
        for location in places:
            for place, text in entry.texts(*location):
                if LIKELY_EXPRESSION.search(text):
                    remedy = "only * ? [ab] are wildcards in globs; write * alone, or a list of values"
                    findings.warn(entry.problem(place, f"{show(text)} looks like a regular expression; {remedy}"))


def _check_team(entry: Entry, keys: tuple[str, ...], known: KnownNames, findings: Findings) -> None:
    for place, text in entry.texts(*keys):
        team = text.removeprefix("!")
        if team and not is_glob(team) and team not in known.teams:
            remedy = closest(team, known.teams) or _listed(known.teams, "no owner has a team")
            findings.warn(entry.problem(place, f"no owner has the team {show(team)}{remedy}", has_keys=False))


def check_owner(entry: Entry, findings: Findings) -> None:
    """Find owners without `match` and `match_name`, and labels with names that alertd sets itself."""
    if not {"match", "match_name"} & entry.node.children.keys():
        text = "match is missing; write match: with the ids it covers, or match_name: with names that the API gives"
        findings.add(entry.problem((), text))
    _check_label_names(entry, (*RULE_LABELS, *GROUP_KEYS), findings)
    check_globs(entry, ("match", "match_name"), findings)


def check_report(entry: Entry, default_notify: tuple[str, ...], findings: Findings) -> None:
    """Find reports without receivers, and reports to `owner`: a report is about everybody."""
    named = list(entry.texts("notify"))
    for place, name in named:
        if name == OWNER:
            text = "notify: a report is about everybody, so it has no owner; write receivers"
            findings.add(entry.problem(place, text, has_keys=False))
    if not named and not default_notify:
        findings.add(entry.problem((), "notify is missing; write the receivers that get the report"))


def _check_label_names(entry: Entry, taken: tuple[str, ...], findings: Findings) -> None:
    labels = entry.node.children.get("labels")
    if labels is not None:
        for name in labels.children.keys() & set(taken):
            text = f"label {show(name)} is set by alertd itself; choose another name"
            findings.add(entry.problem(("labels", name, KEY), text, has_keys=False))


def _check_category(entry: Entry, keys: tuple[str, ...], findings: Findings, *, is_by_key: bool = False) -> None:
    for place, text in entry.texts(*keys):
        if text.removeprefix("!") == _CONTROL_TOTAL:
            reason = "category summary is the control total of all others and would count everything twice"
            remedy = "remove it; without a category a rule sums them all"
            findings.add(entry.problem(place, f"{reason}; {remedy}", has_keys=False))
    if is_by_key:
        _check_key_categories(entry, findings)
    else:
        _check_patterns(entry, keys, CATEGORIES, findings)


def _check_key_categories(entry: Entry, findings: Findings) -> None:
    """Find categories that the API does not offer by API key, including unknown ones."""
    for place, text in entry.texts("category"):
        bare = text.removeprefix("!")
        if bare == _CONTROL_TOTAL or any(Patterns((bare,)).matches(name) for name in KEY_CATEGORIES):
            continue
        near = closest(bare, KEY_CATEGORIES) or "; remove it, or write view: usage"
        reason = f"category {show(text)} does not fit view api_key, which has {known_words(KEY_CATEGORIES)}"
        findings.add(entry.problem(place, f"{reason}{near}", has_keys=False))


def _check_patterns(entry: Entry, keys: tuple[str, ...], known: tuple[str, ...], findings: Findings) -> None:
    """Find patterns that match no name in *known*."""
    key = keys[-1]
    for place, text in entry.texts(*keys):
        bare = text.removeprefix("!")
        if Patterns((bare,)).matches("") or (key == "category" and bare == _CONTROL_TOTAL):
            continue
        if any(Patterns((bare,)).matches(name) for name in known):
            continue
        if is_glob(bare):
            remedy = f"matches no {key}; there are {known_words(known)}"
            findings.add(entry.problem(place, f"{show(text)} {remedy}", has_keys=False))
        else:
            remedy = closest(bare, known) or f"; there are {known_words(known)}"
            findings.add(entry.problem(place, f"unknown {key} {show(bare)}{remedy}", has_keys=False))


def check_groups(entry: Entry, known: KnownNames, findings: Findings) -> None:
    """Find groups that are neither a group key nor an owner label, and repeated ones."""
    seen = set()
    groups = (*GROUP_KEYS, *known.owner_labels)
    for place, name in entry.texts("group_by"):
        if name not in groups:
            remedy = closest(name, groups) or f"; write {known_words(groups)}"
            text = f"cannot group by {show(name)}{remedy}"
            findings.add(entry.problem(place, text, has_keys=False))
        elif name in seen:
            findings.add(entry.problem(place, f"group {show(name)} is written twice", has_keys=False))
        seen.add(name)


def check_matchers(entry: Entry, key: str, matchers: Matchers, known: KnownNames, findings: Findings) -> None:
    """Find unknown severities and rules; warn of labels that no alert can have, and of former names of rule types."""
    labels = (*ALERT_LABELS, *known.owner_labels, *known.rule_labels)
    check_globs(entry, (key,), findings)
    for name, _ in matchers:
        if name not in labels:
            remedy = closest(name, labels) or _listed(tuple(sorted(set(labels))), "")
            findings.warn(entry.problem((key, name, KEY), f"no alert has the label {show(name)}{remedy}"))
        for place, text in entry.texts(key, name):
            bare = text.removeprefix("!")
            if name == "type" and bare in FORMER_NAMES:
                new = FORMER_NAMES[bare]
                renamed = f"rule type {show(bare)} is now called {show(new)}; write {new}"
                findings.warn(entry.problem(place, renamed))
                continue
            choices = {"severity": _SEVERITIES, "rule": known.rules}.get(name)
            if choices is None or any(Patterns((bare,)).matches(choice) for choice in choices):
                continue
            remedy = closest(bare, choices) or _listed(choices, "there are no rules")
            findings.add(entry.problem(place, f"unknown {name} {show(bare)}{remedy}", has_keys=False))


def check_planned(entry: Entry, match: Matchers, known: KnownNames, findings: Findings) -> None:
    """Find an empty match, labels that spend does not have, and unknown names; warn of teams that no owner has."""
    labels = (*SERIES_KEYS, "team", *known.owner_labels, RULE_LABEL)
    check_globs(entry, ("match", "match_name"), findings)
    if "match" in entry.node.children and not match:
        text = "the mapping is empty and would match all spend; write at least one label, or remove the key"
        findings.add(entry.problem(("match",), text))
    for name, _ in match:
        if name not in labels:
            remedy = closest(name, labels) or f"; write {known_words(labels)}"
            text = f"spend has no label {show(name)}{remedy}"
            findings.add(entry.problem(("match", name, KEY), text))
        elif name == "team":
            _check_team(entry, ("match", "team"), known, findings)
        elif name == "category":
            _check_category(entry, ("match", "category"), findings)
        elif name in {"account", RULE_LABEL}:
            choices = known.accounts if name == "account" else known.rules
            _check_patterns(entry, ("match", name), choices, findings)


def check_fallbacks(receivers: Sequence[tuple[Entry, str | None]], findings: Findings) -> None:
    """Find receivers whose chain of fallbacks leads back to themselves."""
    following = {entry.name: fallback for entry, fallback in receivers}
    for entry, fallback in receivers:
        seen, name = {entry.name}, fallback
        while name is not None and name not in seen:
            seen.add(name)
            name = following.get(name)
        if name is not None and name == entry.name:
            text = f"the fallbacks lead back to {show(entry.name)}; name one that has no part in the circle"
            findings.add(entry.problem(("fallback",), text))


def _listed(names: tuple[str, ...], otherwise: str) -> str:
    return f"; there are {known_words(names)}" if names else f"; {otherwise}" if otherwise else ""
