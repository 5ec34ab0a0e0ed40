"""What a rules file becomes: core values, defaults, places, warnings; several files; files that cannot be read."""

import gc
import os
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Patterns
from alertd.core.money import UNITS_PER_USD
from alertd.core.rules.monthly_bill import MonthlyBillRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from alertd.errors import Problem, RulesError, UserError
from alertd.rules_file import receivers, schema
from alertd.rules_file.entry import Findings
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules, Place
from alertd.rules_file.remedy import known_words
from alertd.rules_file.schema import rules_schema

HOUR = timedelta(hours=1)
GOOD = Path(__file__).parent.parent / "rules" / "good"
RULE = "rules:\n  - {name: a, type: rolling_spend, window: 24h, thresholds: {warning: 50.10}, notify: [ops]}\n"
OPS = "receivers:\n  - {name: ops, type: console}\n"


def load_text(tmp_path: Path, text: str) -> LoadedRules:
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\n" + text, encoding="utf-8")
    return load_rules(file)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        load_text(tmp_path, text)
    return [f"{problem.line}:{problem.column}: {problem.text}" for problem in caught.value.problems]


def test_language_when_loaded_then_gives_core_values() -> None:
    """The whole way, once, from text to what the rest of alertd works with."""
    loaded = load_rules(GOOD / "language.yaml")
    spend, bill = loaded.rules
    assert isinstance(spend, RollingSpend)
    assert isinstance(bill, MonthlyBillRule)
    assert spend.thresholds == {Severity.WARNING: 50 * UNITS_PER_USD, Severity.CRITICAL: 100 * UNITS_PER_USD}
    assert (spend.window, spend.category, spend.group_by) == (24 * HOUR, Patterns(("llm",)), ("owner", "cost_centre"))
    assert bill.thresholds == {Severity.WARNING: timedelta(), Severity.CRITICAL: 168 * HOUR}
    assert not bill.enabled
    assert [account.name for account in loaded.accounts] == ["prod", "lab", "default"]
    assert loaded.owners.find("gpu-7f3a9").team == "research"
    assert {name for owner in loaded.owners.entries for name, _ in owner.labels} == {"env", "cost_centre"}
    assert dict(loaded.routes[1].match) == {"cost_centre": Patterns(("4711", "4712")), "rule": Patterns(("gpu-*",))}
    assert [route.continue_ for route in loaded.routes] == [True, False, False]
    assert loaded.default_notify == ("finops",)
    assert [(report.name, report.notify) for report in loaded.reports] == [
        ("weekly", ("finops",)),
        ("daily", ("finops",)),
    ]
    run, hour = loaded.planned
    assert (run.match, run.amount, run.comment) == (
        (("team", Patterns(("research",))),),
        2000 * UNITS_PER_USD,
        "training run 12",
    )
    # Until a date means until its end; 08:00 in UTC+1 is 07:00 UTC.
    first = datetime(2026, 12, 1, tzinfo=UTC)
    assert run.hours == HourRange(hour_of(first), hour_of(first) + 5 * 24)
    assert hour.hours == HourRange(hour_of(first) + 7, hour_of(first) + 8)
    assert len(loaded.inhibitions) == 1


def test_defaults_when_a_rule_is_silent_then_fill_it_and_when_it_speaks_do_not(tmp_path: Path) -> None:
    """That is what defaults are for; what neither says is the rule type's own default."""
    text = OPS + (
        "defaults: {notify: [ops], for: 2h, resolve_below: 80%, repeat_interval: never, repeat_every: $5}\n"
        "rules:\n"
        "  - {name: a, type: rolling_spend, window: 24h, thresholds: {warning: 1}}\n"
        "  - {name: b, type: monthly_bill, for: 0, repeat_interval: 6h}\n"
    )
    loaded = load_text(tmp_path, text)
    first, second = loaded.rules
    assert (first.for_, first.resolve_below, first.repeat_interval) == (2 * HOUR, Fraction(4, 5), None)
    assert first.repeat_every == 5 * UNITS_PER_USD
    assert (second.for_, second.repeat_interval, second.resolve_below) == (timedelta(), 6 * HOUR, Fraction(4, 5))
    assert second.repeat_backoff == 2
    # Routes come before the common default, so it must not stand in the rule itself.
    assert (first.notify, loaded.default_notify) == ((), ("ops",))


def test_fallback_when_default_then_holds_for_all_but_itself(tmp_path: Path) -> None:
    """A receiver that falls back to itself would fail twice."""
    text = (
        "receivers:\n  - {name: a, type: console}\n  - {name: b, type: console}\n"
        "  - {name: c, type: console, fallback: a}\ndefaults: {fallback: b}\n"
    )
    loaded = load_text(tmp_path, text)
    assert [(spec.name, spec.fallback) for spec in loaded.receivers] == [("a", "b"), ("b", None), ("c", "a")]


def test_rule_digest_when_only_the_order_of_words_differs_then_stays(tmp_path: Path) -> None:
    """An edit without a meaning must not touch open alerts."""
    one = "name: a, type: rolling_spend, category: [gpu, llm], window: 24h, thresholds: {info: 1, warning: 2}"
    two = "thresholds: {warning: $2, info: 1.0}, window: 1d, category: [llm, gpu], type: rolling_spend, name: a"
    digests = [load_text(tmp_path, f"rules:\n  - {{{text}}}\n").rules[0].digest() for text in (one, two)]
    assert digests[0] == digests[1]


def test_accounts_when_there_are_none_then_one_is_default(tmp_path: Path) -> None:
    """One key in the environment is all that most people have."""
    loaded = load_text(tmp_path, RULE + OPS)
    assert [(account.name, account.api_key_env) for account in loaded.accounts] == [("default", "")]
    assert load_text(tmp_path, RULE.replace("name: a,", "name: a, account: default,") + OPS).rules


def test_owner_in_notify_when_written_then_kept_as_it_is(tmp_path: Path) -> None:
    """Who the owner is depends on the alert."""
    loaded = load_text(tmp_path, OPS + RULE.replace("[ops]", "[owner, ops]"))
    assert (loaded.rules[0].notify, loaded.warnings) == (("owner", "ops"), ())


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        pytest.param(
            RULE.replace(", notify: [ops]", ""), ["1:1: there are no receivers: alerts are"], id="no receivers"
        ),
        pytest.param(
            OPS + RULE.replace(", notify: [ops]", ""),
            ['5:5: rule "a": nobody is notified: it has no notify'],
            id="no way",
        ),
        pytest.param(
            OPS + RULE.replace(", notify: [ops]", ", enabled: false"), [], id="no way, and disabled: it says nothing"
        ),
        pytest.param(OPS, ["1:1: there are no rules: nothing is watched"], id="no rules"),
        pytest.param(
            OPS + "owners: [{match: x, team: research}]\n" + RULE.replace("name: a,", "name: a, team: reserch,"),
            ['6:21: rule "a": no owner has the team "reserch"; did you mean "research"?'],
            id="a team that nobody is in",
        ),
        pytest.param(
            OPS + RULE + "routes: [{match: {serverity: critical}, notify: [ops]}]\n",
            ['6:19: route 1: match: no alert has the label "serverity"; did you mean "severity"?'],
            id="a label that no alert has",
        ),
        pytest.param(
            OPS
            + "owners: [{match: x, team: research}]\n"
            + RULE
            + "planned: [{match: {team: reserch}, amount: 5, from: 2026-12-01, until: 2026-12-05}]\n",
            ['7:26: planned spend 1: no owner has the team "reserch"; did you mean "research"?'],
            id="planned spend of a team that nobody is in",
        ),
        pytest.param(
            OPS + RULE.replace("name: a,", "name: a, owner: gpu.*,"),
            ['5:22: rule "a": owner: "gpu.*" looks like a regular expression; only * ? [ab] are wildcards'],
            id="a glob that looks like a regular expression",
        ),
        pytest.param(
            OPS + RULE.replace("name: a,", "name: a, owner: ['gpu-[0-9]+', 'gpu-{a,b}', 'gpu-[0-9]{3}', '(?i)gpu'],"),
            [
                '5:23: rule "a": owner: "gpu-[0-9]+" looks like a regular expression',
                '5:37: rule "a": owner: "gpu-{a,b}" looks like',
                '5:50: rule "a": owner: "gpu-[0-9]{3}" looks like',
                '5:66: rule "a": owner: "(?i)gpu" looks like',
            ],
            id="repetitions, braces and flags",
        ),
        pytest.param(
            OPS + RULE.replace("name: a,", "name: a, owner: ['a+b', '{x}', 'c++', 'llama-3.?', 'g[ab]*', 'f(x)'],"),
            [],
            id="names and globs that only resemble them",
        ),
        pytest.param(
            OPS + RULE + "inhibitions: [{when: {owner: 'a|b'}, mute: {owner: x}}]\n",
            ['6:30: inhibition 1: when.owner: "a|b" looks like a regular expression'],
            id="alternatives in a matcher",
        ),
        pytest.param(OPS + RULE, [], id="nothing to say"),
    ],
)
def test_file_that_is_hardly_meant_when_loaded_then_warns(tmp_path: Path, text: str, warnings: list[str]) -> None:
    """These are allowed, and still nearly always mistakes."""
    found = [f"{one.line}:{one.column}: {one.text}" for one in load_text(tmp_path, text).warnings]
    assert len(found) == len(warnings)
    assert all(one.startswith(start) for one, start in zip(found, warnings, strict=True))


def test_warnings_when_there_are_several_then_each_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """They are read from the top down."""
    text = (
        OPS
        + "owners: [{match: x, team: research}]\n"
        + RULE.replace("name: a,", "name: a, team: reserch, owner: gpu.*,").replace(", notify: [ops]", "")
        + "routes: [{match: {serverity: critical}, notify: []}]\n"
    )
    found = [(one.line, one.column) for one in load_text(tmp_path, text).warnings]
    assert found == sorted(set(found))
    assert len(found) == 3


def test_quiet_hours_when_written_in_part_then_the_rest_is_every_day_and_the_whole_day(tmp_path: Path) -> None:
    """Each key has a meaning of its own when it is left out."""
    hours = "[{days: [sat, mon]}, {hours: '22:00-07:00', timezone: Europe/Berlin}]"
    (spec,) = load_text(tmp_path, OPS.replace("console}", f"console, quiet_hours: {hours}}}") + RULE).receivers
    assert spec.quiet_hours == (
        QuietHours(days=frozenset({0, 5}), start=clock_time(), end=clock_time(), timezone="UTC"),
        QuietHours(days=frozenset(range(7)), start=clock_time(22), end=clock_time(7), timezone="Europe/Berlin"),
    )


def test_label_when_any_owner_has_it_then_rules_may_group_by_it(tmp_path: Path) -> None:
    """Not the first owner's alone."""
    owners = "owners: [{match: x, labels: {env: a}}, {match: y, labels: {cost: b}}]\n"
    loaded = load_text(tmp_path, OPS + owners + RULE.replace("name: a,", "name: a, group_by: [env, cost],"))
    assert set(loaded.rules[0].group_keys) == {"env", "cost"}


def test_key_of_an_action_when_it_is_in_a_file_then_enough(tmp_path: Path) -> None:
    """One of the two ways is needed, whichever."""
    action = "actions: [{name: stop, type: stop_instance, approvers: [U04ABCDEF], accounts: {default: {%s: key}}}]\n"
    for key in ("api_key_file", "api_key_env"):
        (loaded,) = load_text(tmp_path, OPS + RULE + action % key).actions
        assert getattr(loaded.accounts["default"], key) == "key"


def test_language_when_used_whole_then_nothing_is_left_undone() -> None:
    """What the file may say, alertd does."""
    loaded = load_rules(GOOD / "language.yaml")
    assert loaded.warnings == ()
    assert loaded.rules[0].notify == ("owner", "finops")


def test_mistakes_when_there_are_many_then_all_are_notified_sorted(tmp_path: Path) -> None:
    """One run, not one mistake at a time."""
    text = (
        "rulez: []\n"
        "receivers:\n  - {name: ops, type: console, colour: red}\n"
        "defaults: {resolve_below: lots}\n"
        "rules:\n"
        "  - {name: a, type: rolling_spend, window: never, thresholds: {warning: x, critcal: 2}}\n"
        "  - {name: a, type: monthly_bill, notify: [opps]}\n"
    )
    found = problems_of(tmp_path, text)
    assert [one.partition(": ")[0] for one in found] == ["2:1", "4:32", "5:27", "7:44", "7:73", "7:76", "8:12", "8:44"]


def test_mistakes_when_there_are_thousands_then_stop_at_a_bound(tmp_path: Path) -> None:
    """Looking for the nearest name for each of a million would take hours."""
    found = problems_of(tmp_path, "rules:\n" + "  - {name: A}\n" * 3000)
    assert len(found) == 1001
    assert "more than 1000 problems" in found[-1]


def test_places_when_asked_then_name_entries_and_receivers_keys(tmp_path: Path) -> None:
    """A secret that is missing at start is notified at the line that asks for it."""
    loaded = load_text(tmp_path, "receivers:\n  - name: ops\n    type: webhook\n    url_env: HOOK\n" + RULE)
    path = str(tmp_path / "rules.yaml")
    assert loaded.places["rule", "a"] == Place(path, 7, 5)
    assert str(loaded.problem("receiver", "ops", "HOOK is not set", key="url_env")) == (
        f'{path}:5:14: receiver "ops": HOOK is not set'
    )
    assert loaded.problem("receiver", "ops", "x", key="url").line == 3
    assert loaded.problem("receiver", "gone", "x").line == 1


class FakeConfig(BaseModel):
    """A plugin's keys, with every kind of fault that pydantic knows well."""

    model_config = ConfigDict(extra="forbid")

    pages: int = Field(default=1, ge=1, le=9)
    name_of_team: str = Field(default="x", min_length=2)
    colours: list[str] = []
    secret_env: str | None = None
    nested: dict[str, int] = {}
    level: float = Field(default=1.0, examples=[2.5])

    @field_validator("colours")
    @classmethod
    def known(cls, colours: list[str]) -> list[str]:
        if "mauve" in colours:
            raise ValueError("mauve has gone out of fashion; write teal")
        return colours

    @model_validator(mode="after")
    def both(self) -> "FakeConfig":
        if self.pages == 7:
            raise ValueError("seven pages need a team")
        return self


class FakeNotifier:
    Config: ClassVar[type[BaseModel]] = FakeConfig


@pytest.fixture
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> type[FakeNotifier]:
        if name == "broken":
            raise UserError('receiver type "broken" of package acme cannot be imported: no module')
        return FakeNotifier

    for module in (receivers, schema):
        monkeypatch.setattr(module, "notifier_names", lambda: ("broken", "pager"))
        monkeypatch.setattr(module, "notifier_class", find)


@pytest.mark.usefixtures("_plugin")
@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("pages: x", '3:37: receiver "ops": pages: "x" is not a whole number'),
        ("pages: 0", '3:37: receiver "ops": pages: 0 is too little; the least is 1'),
        ("pages: 10", '3:37: receiver "ops": pages: 10 is too much; the most is 9'),
        ("pages: 7", '3:5: receiver "ops": seven pages need a team'),
        ("name_of_team: 5", '3:44: receiver "ops": name_of_team: 5 is not text; write it in quotes if it is meant'),
        ("name_of_team: a", '3:44: receiver "ops": name_of_team: "a" is too short; the least length is 2'),
        ("colours: red", '3:39: receiver "ops": colours: "red" is not a list; write e.g. [first, second]'),
        ("colours: [red, 5]", '3:45: receiver "ops": colours: 5 is not text; write it in quotes if it is meant'),
        ("colours: [mauve]", '3:39: receiver "ops": colours: mauve has gone out of fashion; write teal'),
        ("colors: []", '3:30: receiver "ops": unknown key "colors"; did you mean "colours"?'),
        ("secret: hunter2", '3:30: receiver "ops": secret: secrets do not belong in this file; write secret_env: …'),
        ("secret_env: [hunter2]", '3:42: receiver "ops": secret_env: this is not text; write it in quotes if …'),
        ("nested: {a: x}", '3:42: receiver "ops": nested.a: "x" is not a whole number'),
        ("nested: 5", '3:38: receiver "ops": nested: 5 is not a mapping; write key: value pairs'),
        ("level: ", '3:37: receiver "ops": level: nothing is written here; write a value like 2.5 or remove the key'),
    ],
)  # fmt: skip
def test_receiver_of_a_plugin_when_wrong_then_is_notified_in_our_words(tmp_path: Path, keys: str, problem: str) -> None:
    """A plugin's author declares fields only; place and words come from here."""
    (found,) = problems_of(tmp_path, f"receivers:\n  - {{name: ops, type: pager, {keys}}}\n")
    assert found == problem or (problem.endswith("…") and found.startswith(problem[:-1]))
    assert "hunter2" not in found


@pytest.mark.usefixtures("_plugin")
def test_receiver_of_a_plugin_when_right_then_has_native_values(tmp_path: Path) -> None:
    """Plugins' configurations take ints and lists as JSON has them."""
    loaded = load_text(tmp_path, "receivers:\n  - {name: ops, type: pager, pages: 0x2, colours: [red], level: 1e1}\n")
    assert loaded.receivers[0].config == FakeConfig(pages=2, colours=["red"], level=10.0)


@pytest.mark.usefixtures("_plugin")
def test_plugin_when_it_cannot_be_imported_then_its_receivers_are_problems(tmp_path: Path) -> None:
    """Its keys cannot be checked, and the schema must still come out."""
    text = 'receiver "ops": receiver type "broken" of package acme cannot be imported: no module'
    assert problems_of(tmp_path, "receivers:\n  - {name: ops, type: broken, x: 1}\n") == [f"3:23: {text}"]
    assert "broken" in str(rules_schema())


def test_folder_when_loaded_then_its_files_are_joined_in_name_order() -> None:
    """Teams keep their own files."""
    loaded = load_rules(GOOD / "folder")
    assert [file.name for file in loaded.files] == ["10-people.yaml", "15-rules.yaml", "20-rules.yml"]
    assert [rule.name for rule in loaded.rules] == ["first", "second"]
    assert loaded.rules[1].repeat_interval == 6 * HOUR
    assert loaded.warnings == ()


def test_folder_when_a_file_is_broken_then_the_others_are_still_checked(tmp_path: Path) -> None:
    """One bad quote must not hide the rest."""
    (tmp_path / "a.yaml").write_text('version: 1\nrules: ["\n')
    (tmp_path / "b.yaml").write_text("version: 1\nrules:\n  - {name: B, type: monthly_bill}\n")
    (tmp_path / "c.yaml").write_text("version: 1\nrules:\n  - {name: x, type: monthly_bill}\n")
    (tmp_path / "d.yaml").write_text("version: 1\nrules:\n  - {name: x, type: monthly_bill}\n")
    (tmp_path / ".hidden.yaml").write_text("][")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "notes.txt").write_text("][")
    with pytest.raises(RulesError) as caught:
        load_rules(tmp_path)
    found = [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]
    assert [one.partition(": ")[0] for one in found] == ["a.yaml:2:9", "b.yaml:3:12", "d.yaml:3:12"]
    assert "first at c.yaml:3:5" in found[2]


def test_defaults_when_two_files_differ_then_it_is_an_error(tmp_path: Path) -> None:
    """Which one holds would depend on the names of files."""
    (tmp_path / "a.yaml").write_text("version: 1\ndefaults: {for: 1h, repeat_interval: 6h}\n")
    (tmp_path / "b.yaml").write_text("version: 1\ndefaults: {for: 60m, repeat_interval: 7h}\n")
    with pytest.raises(RulesError) as caught:
        load_rules(tmp_path)
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems] == [
        "b.yaml:2:39: defaults: repeat_interval: another file says otherwise, at a.yaml:2:38; keep one of them"
    ]


def test_path_when_nothing_is_there_then_says_how_to_begin(tmp_path: Path) -> None:
    """The first thing that anybody does with alertd."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for path, start in ((tmp_path / "no.yaml", "there is no such file"), (folder, "no *.yaml file in this folder")):
        with pytest.raises(RulesError) as caught:
            load_rules(path)
        (problem,) = caught.value.problems
        assert (problem.path, problem.line, problem.column) == (str(path), 1, 1)
        assert problem.text.startswith(start)
        assert "alertd init" in problem.text


def test_path_when_it_cannot_be_read_then_says_why(tmp_path: Path) -> None:
    """Permissions, loops and impossible names are the user's to mend."""
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    for path in (loop, Path("\0"), tmp_path / ("x" * 300)):
        with pytest.raises(RulesError) as caught:
            load_rules(path)
        assert "cannot be read" in str(caught.value) or "no such file" in str(caught.value)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without end")
def test_path_when_it_has_no_end_then_is_refused() -> None:
    """A device is never read, so nothing waits for it."""
    with pytest.raises(RulesError, match="cannot be read: it is not a regular file"):
        load_rules(Path("/dev/zero"))


def test_path_when_it_is_huge_then_is_cut_at_the_bound(tmp_path: Path) -> None:
    """Reading is bounded before anything is decoded."""
    path = tmp_path / "rules.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # Sparse: it takes no room.
    with pytest.raises(RulesError, match="larger than 16 MiB"):
        load_rules(path)


def test_collector_when_loading_ends_then_runs_again(tmp_path: Path) -> None:
    """It is paused for speed, and a failed load must not leave it so."""
    assert gc.isenabled()
    with pytest.raises(RulesError):
        load_text(tmp_path, "rules: 5\n")
    assert gc.isenabled()


def test_many_rules_when_loaded_then_take_time_in_proportion(tmp_path: Path) -> None:
    """A quadratic check between rules would show here; the bound is loose because machines are shared."""

    def seconds(count: int) -> float:
        rules = "".join(
            f"  - name: rule-{i}\n    type: rolling_spend\n    owner: gpu-{i}*\n    category: [gpu, llm]\n"
            f"    group_by: [owner]\n    window: 24h\n    thresholds: {{warning: {i + 1}}}\n    notify: [ops]\n"
            for i in range(count)
        )
        started = os.times()
        assert len(load_text(tmp_path, OPS + "rules:\n" + rules).rules) == count
        return os.times().user - started.user

    seconds(10)
    assert seconds(2000) < 40 * max(seconds(200), 0.02)


def test_rule_when_one_key_is_wrong_then_its_other_mistakes_are_notified_too(tmp_path: Path) -> None:
    """Mending a file one message at a time wears people out."""
    text = (
        OPS
        + "rules:\n"
        + (
            "  - {name: a, type: rolling_spend, window: soon, thresholds: {warning: 1}, notify: [opps],"
            " group_by: [ownr], account: prd, escalate: {after: 1h, notify: [x]}, summary: '{{ nothing }}'}\n"
        )
    )
    with pytest.raises(RulesError) as caught:
        load_text(tmp_path, text)
    found = [problem.text.removeprefix('rule "a": ').partition(";")[0] for problem in caught.value.problems]
    assert found == [
        'window: "soon" is not a duration',
        'unknown receiver "opps"',
        'cannot group by "ownr"',
        'unknown account "prd"',
        'unknown receiver "x"',
        'summary: line 1 of the template: unknown variable "nothing"',
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("receivers: [{name: 'a b', type: console, fallback: 3}]", id="a receiver's own keys"),
        pytest.param("receivers: [{name: a, type: webhook, url: x, pace: x, quiet_hours: 5}]", id="both kinds of keys"),
        pytest.param("accounts: [{name: '', base_url: 5, api_key_env: 7}]", id="an account"),
        pytest.param("owners: [{match: {}, name: {}, team: [x]}]", id="an owner"),
        pytest.param("rules: [{name: 5, type: rolling_spend, window: x, thresholds: {warning: x}}]", id="a rule"),
        pytest.param("rules: [{name: a, type: budget, period: x, amount: x, thresholds: {x: 5}}]", id="a budget"),
        pytest.param("routes: [{match: 5, notify: [nobody], continue: x}]", id="a route"),
        pytest.param("inhibitions: [{when: 5, mute: 5}]", id="an inhibition"),
        pytest.param("reports: [{name: a, schedule: x, window: x, notify: [nobody]}]", id="a report"),
        pytest.param("planned: [{amount: x, from: x, to: x}]", id="planned spend"),
        pytest.param("defaults: {notify: 5, timezone: Nowhere, repeat_interval: x}", id="the defaults"),
        pytest.param("rulez: []\nreceiverz: []", id="keys of the file"),
        pytest.param(f"{OPS}defaults: {{notify: [owner, nobody]}}\nrules: [{{name: 5}}]", id="names and types"),
    ],
)
def test_mistakes_when_an_entry_has_several_then_all_of_them_are_found_in_one_run(tmp_path: Path, text: str) -> None:
    """Whoever fixes one and runs again, only to hear of the next, stops running it."""
    places = {problem.split(" ")[0] for problem in problems_of(tmp_path, text)}
    assert len(places) > 1, problems_of(tmp_path, text)


@pytest.mark.parametrize("length", [399, 400, 401, 5000])
def test_problem_when_its_text_is_long_then_cut_with_a_mark_and_else_whole(tmp_path: Path, length: int) -> None:
    """A type of a plugin may say anything of a value."""
    findings = Findings()
    findings.add(Problem(str(tmp_path), 1, 1, "x" * length))
    assert findings.problems[0].text == ("x" * length if length <= 400 else f"{'x' * 400}…")


def test_action_when_a_rule_is_about_keys_and_groups_by_none_then_one_mistake_is_named(tmp_path: Path) -> None:
    """The first thing to change: a second sentence about the same key would ask for what then is wrong."""
    stop = "{name: stop, type: stop_instance, accounts: {default: {api_key_env: K}}, approvers: [U04ABCDEF]}"
    rule = "{name: a, type: rolling_spend, view: api_key, window: 24h, thresholds: {warning: 5}, actions: [stop]"
    (found,) = problems_of(tmp_path, f"actions: [{stop}]\nrules:\n  - {rule}}}\n")
    assert "this rule's alerts are not about one owner each; write group_by: [owner]" in found
    (found,) = problems_of(tmp_path, f"actions: [{stop}]\nrules:\n  - {rule}, group_by: [owner]}}\n")
    assert "the owners of view api_key are keys, and no action stops those" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("receivers: [{name: a, type: console, fallback: owner}]", "unknown receiver", id="as a fallback"),
        pytest.param(f"{OPS}reports: [{{name: r, schedule: '0 8 * * 1', notify: [owner]}}]", "owner", id="of a report"),
        pytest.param("receivers: [{name: a, type: email, to: []}]", "to: ", id="an empty list of addresses"),
        pytest.param("receivers: [{name: a, type: email, to: [x, y]}]", "to", id="a list of wrong addresses"),
    ],
)
def test_receiver_when_nobody_is_reached_by_what_is_written_then_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    """Who is named must be somebody at any time, not only where an alert has an owner."""
    assert any(problem in found for found in problems_of(tmp_path, text))


@pytest.mark.parametrize(("count", "is_cut"), [(19, False), (20, False), (21, True)])
def test_known_words_when_listed_then_cut_with_a_mark_only_where_there_are_more(count: int, is_cut: bool) -> None:
    """A mark without more behind it sends people to look for it."""
    words = tuple(f"w{number}" for number in range(count))
    assert known_words(words) == ", ".join(words[:20]) + (", …" if is_cut else "")
