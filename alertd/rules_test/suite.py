"""Run one test file: load, check references, observe, compare. Its mistakes are its outcome; other files go on."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from alertd.core.labels import Labels, Patterns
from alertd.core.rules.own.names import OWN
from alertd.core.spend.bill import CATEGORIES, KEY_CATEGORIES, PRODUCT_CATEGORIES, SUBSCRIPTION_CATEGORIES
from alertd.errors import Problem, RulesError
from alertd.rules_file.entry import Entry, Findings, entries_of
from alertd.rules_file.faults import Faults
from alertd.rules_file.files import collector_paused, read_mapping
from alertd.rules_file.keys import read
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.rules_file.references import KnownNames, check_matchers, check_unique
from alertd.rules_file.remedy import closest, known_words, show, unknown_key
from alertd.rules_file.source import Node, Number
from alertd.rules_test.compare import differences
from alertd.rules_test.model import LoadedTest, LoadedTests, RuleTest, SubscriptionEntry
from alertd.rules_test.notation import offset_text
from alertd.rules_test.receivers import real_receivers
from alertd.rules_test.report import FileOutcome, Outcome
from alertd.rules_test.run import observe
from alertd.rules_test.schema import RULES, TESTS
from alertd.rules_test.subscriptions import stretches


async def run_file(path: Path, *, timer: Callable[[], float], warn: Callable[[str], None]) -> FileOutcome:
    """
    Run every test of a file.

    Args:
        timer: Seconds on a clock that never steps, for durations in reports.
        warn: Called with each warning and its place.
    """
    try:
        loaded = load_tests(path)
        receivers = real_receivers(loaded.rules)
    except RulesError as error:
        return FileOutcome(path=str(path), problems=error.problems)
    for warning in loaded.warnings:
        warn(warning)
    outcomes = []
    for one in loaded.tests:
        begun_s = timer()
        observations = await observe(one.test, loaded.rules, receivers)
        found = differences(one.test, observations)
        outcomes.append(Outcome(loaded=one, differences=tuple(found), took_s=timer() - begun_s))
    return FileOutcome(path=str(path), tests=tuple(outcomes))


_KEYS = (RULES, TESTS)


def load_tests(path: Path) -> LoadedTests:
    """
    Read and check a test file and its rules.

    Raises:
        RulesError: The file has mistakes; it holds every problem found, including those of the rules.
    """
    findings = Findings()
    with collector_paused():
        root = _root(path, findings)
        rules = _rules(path, root, findings) if root is not None else None
        entries = _entries(path, root, findings) if root is not None else []
        check_unique(entries, {}, findings)
        tests = [_test(entry, rules, findings) for entry in entries]
    if findings.problems or rules is None:
        raise RulesError(findings.problems)
    return LoadedTests(
        rules=rules,
        tests=tuple(test for test in tests if test is not None),
        warnings=tuple(
            f"{one.path}:{one.line}:{one.column}: warning: {one.text}" for one in sorted(set(findings.warnings))
        ),
    )


def _root(path: Path, findings: Findings) -> Node | None:
    """Return the mapping that the file holds, None where it holds none."""
    missing = "there is no such file; name the test files, such as tests/*_test.yaml"
    empty = "the file is empty; write rules: and tests:"
    other = "a test file is a mapping with rules: and tests:, not {}"
    root = read_mapping(path, findings, missing=missing, empty=empty, other=other)
    for key, (line, column) in root.keys.items() if root is not None else ():
        if key not in _KEYS:
            findings.add(Problem(str(path), line, column, unknown_key(key, _KEYS)))
    return root


def _rules(path: Path, root: Node, findings: Findings) -> LoadedRules | None:
    node = root.children.get(RULES)
    if node is None:
        text = "rules is missing; write the rules file's path from this file's folder, e.g. rules: rules.yaml"
        findings.add(Problem(str(path), root.line, root.column, text))
        return None
    if not isinstance(node.value, str) or isinstance(node.value, Number) or not node.value:
        text = f"rules: {show(node.plain())} is not a path; write it like rules.yaml"
        findings.add(Problem(str(path), node.line, node.column, text))
        return None
    target = path.parent / node.value
    try:
        if not target.exists():
            text = f"rules: there is no {target}; write the path from this file's folder"
            findings.add(Problem(str(path), node.line, node.column, text))
            return None
    except (OSError, ValueError):
        # Its mistakes are reported where it is read.
        pass
    try:
        return load_rules(target)
    except RulesError as error:
        for problem in error.problems:
            findings.add(problem)
    return None


def _entries(path: Path, root: Node, findings: Findings) -> list[Entry]:
    node = root.children.get(TESTS)
    if node is None or node.value == [] or (node.value is None):
        line, column = root.keys.get(TESTS, (root.line, root.column))
        text = "there are no tests; write tests: and below it a dash (-), name: and expect: for each"
        findings.add(Problem(str(path), line, column, text))
        return []
    if not isinstance(node.value, list):
        text = f"tests: {show(node.plain())} is not a list; begin each test with a dash (-)"
        findings.add(Problem(str(path), node.line, node.column, text))
        return []
    return entries_of(str(path), "test", node.value)


def _test(entry: Entry, rules: LoadedRules | None, findings: Findings) -> LoadedTest | None:
    try:
        test = read(RuleTest, entry.node)
    except Faults as faults:
        for fault in faults.found:
            findings.add(fault.problem(entry))
        return None
    check_times(entry, test, findings)
    if rules is not None:
        check_names(entry, test, rules, findings)
    places = tuple(part.place for part in parts(entry, "expect", "expectation"))
    return LoadedTest(test=test, place=entry.place, expectation_places=places)


MOST_POLLS = 10_000
"""Most hourly polls: a year. A unit test should not take longer than a few seconds."""


def parts(entry: Entry, key: str, kind: str) -> list[Entry]:
    """Return the items of a list in a test file; a single item may be written without a list."""
    node = entry.node.children.get(key)
    if node is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    return entries_of(entry.path, f"{entry.subject}: {kind}", items)


def check_times(entry: Entry, test: RuleTest, findings: Findings) -> None:
    """Find a start within an hour, times out of order, and tests that would never end."""
    if test.start.minute or test.start.second or test.start.microsecond:
        findings.add(entry.problem(("start",), f"{test.start:%H:%M:%S} is not a whole hour; bills come by the hour"))
    if not test.expect:
        findings.add(entry.problem(("expect",), "nothing is expected; write e.g. [{at: 14h, alerts: []}]"))
    before: timedelta | None = None
    for part, expectation in zip(parts(entry, "expect", "expectation"), test.expect, strict=True):
        if before is not None and expectation.at <= before:
            text = f"this is not after {offset_text(before)} of the one before; write them in the order of time"
            findings.add(part.problem(("at",), text))
        before = expectation.at
        if expectation.alerts is None and expectation.messages is None:
            findings.add(part.problem((), "nothing is expected; write alerts: or messages:, [] for none"))
        polls = expectation.at // test.poll_interval
        if polls > MOST_POLLS:
            text = f"that takes {polls} polls of at most {MOST_POLLS}; write an earlier time or a longer poll_interval"
            findings.add(part.problem(("at",), text))
    for part, reads in zip(parts(entry, "unread", "unread"), test.unread, strict=True):
        if reads.end <= reads.start:
            findings.add(part.problem(("until",), "this is not after from; write a later time"))
    for part, bill in zip(parts(entry, "monthly_bills", "monthly bill"), test.monthly_bills, strict=True):
        times = [change.at for change in bill.status]
        if not times:
            findings.add(part.problem(("status",), "the list is empty; write e.g. [{is: outed}]"))
        if times != sorted(set(times)):
            text = "these changes are not in the order of time; write each at a later time than the one before"
            findings.add(part.problem(("status",), text))
    for part, subscription in zip(parts(entry, "subscriptions", "subscription"), test.subscriptions, strict=True):
        _check_terms(part, subscription, findings)


def _check_terms(part: Entry, subscription: SubscriptionEntry, findings: Findings) -> None:
    """Find terms that end before they begin, and renewals out of order."""
    before, *renewals = stretches(subscription)
    if before.end <= before.start:
        findings.add(part.problem(("until",), "this is not after from; write a later time"))
        return
    for one, renewal in zip(parts(part, "renewed", "renewal"), renewals, strict=True):
        if renewal.bought <= before.bought:
            before_at = offset_text(timedelta(hours=before.bought))
            text = f"this is not after {before_at}, when the term before was bought; write a later time"
            findings.add(one.problem(("at",), text))
        if renewal.end <= renewal.start:
            begins = offset_text(timedelta(hours=renewal.start))
            text = f"this is not after {begins}, when the term begins; write a later time"
            findings.add(one.problem(("until",), text))
        before = renewal


def check_names(entry: Entry, test: RuleTest, rules: LoadedRules, findings: Findings) -> None:
    """Find names in the test that the rules or the billing API do not have."""
    known = known_names(rules)
    # Payments for subscriptions may be written as bills, unless the test lists subscriptions with terms.
    billed = PRODUCT_CATEGORIES if test.subscriptions else CATEGORIES
    for key, kind, categories, what in (
        ("bills", "bill", billed, "category of bills where there are subscriptions:"),
        ("key_bills", "key bill", KEY_CATEGORIES, "category of bills by API key"),
        ("subscriptions", "subscription", SUBSCRIPTION_CATEGORIES, "category of subscriptions"),
        ("balances", "balance", (), ""),
        ("instances", "instance", (), ""),
    ):
        for part in parts(entry, key, kind):
            _check_word(part, ("category",), categories, "category" if categories is CATEGORIES else what, findings)
            _check_account(part, known, findings)
    for part, reads in zip(parts(entry, "unread", "unread"), test.unread, strict=True):
        _check_patterns(part, "category", reads.category, CATEGORIES, findings)
        _check_patterns(part, "account", reads.account, known.accounts, findings)
    seen: set[tuple[str, str]] = set()
    for part, bill in zip(parts(entry, "monthly_bills", "monthly bill"), test.monthly_bills, strict=True):
        _check_account(part, known, findings)
        if (bill.account, bill.id) in seen:
            text = f"id: {show(bill.id)} is written twice; write one bill with several changes of status"
            findings.add(part.problem(("id",), text, has_keys=False))
        seen.add((bill.account, bill.id))
    for part, silence in zip(parts(entry, "silences", "silence"), test.silences, strict=True):
        check_matchers(part, "match", silence.match, known, findings)
    for part, acknowledged in zip(parts(entry, "acknowledge", "acknowledgement"), test.acknowledge, strict=True):
        _check_alert(part, acknowledged.labels, known, findings)
    for part, expectation in zip(parts(entry, "expect", "expectation"), test.expect, strict=True):
        for one, alert in zip(parts(part, "alerts", "alert"), expectation.alerts or (), strict=True):
            _check_alert(one, alert.labels, known, findings)
        for one in parts(part, "messages", "message"):
            _check_word(one, ("to",), known.receivers, "receiver", findings)


def known_names(rules: LoadedRules) -> KnownNames:
    """Return the names that tests may refer to."""
    owners = rules.owners.entries
    return KnownNames(
        actions=tuple(action.name for action in rules.actions),
        receivers=tuple(receiver.name for receiver in rules.receivers),
        accounts=tuple(account.name for account in rules.accounts),
        teams=_unique(owner.team for owner in owners if owner.team),
        owner_labels=_unique(name for owner in owners for name, _ in owner.labels),
        rule_labels=_unique(name for rule in rules.rules for name, _ in rule.labels),
        rules=(*(rule.name for rule in rules.rules), *OWN),
    )


def _check_alert(part: Entry, labels: Labels, known: KnownNames, findings: Findings) -> None:
    _check_word(part, ("rule",), known.rules, "rule", findings)
    check_matchers(part, "labels", tuple((name, Patterns((text,))) for name, text in labels), known, findings)


def _check_account(part: Entry, known: KnownNames, findings: Findings) -> None:
    if "account" in part.node.children:
        _check_word(part, ("account",), known.accounts, "account", findings)
    elif len(known.accounts) > 1:
        text = f"account is missing; the rules have several: {known_words(known.accounts)}"
        findings.add(part.problem((), text))


def _check_word(part: Entry, location: tuple[str, ...], known: tuple[str, ...], what: str, findings: Findings) -> None:
    for place, text in part.texts(*location):
        if text not in known:
            remedy = closest(text, known) or (f"; there are {known_words(known)}" if known else "; there are none")
            findings.add(part.problem(place, f"unknown {what} {show(text)}{remedy}", has_keys=False))


def _check_patterns(part: Entry, key: str, patterns: Patterns, known: tuple[str, ...], findings: Findings) -> None:
    if not any(patterns.matches(name) for name in known):
        written = ", ".join(patterns.texts)
        remedy = closest(written, known) or f"; there are {known_words(known)}"
        findings.add(part.problem((key,), f"{show(written)} matches no {key}{remedy}", has_keys=False))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
