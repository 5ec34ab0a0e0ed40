"""`alertd test` as people and machines see it: differences, exit codes, JUnit, mistakes without a trace."""

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from alertd.cli.root import run
from tests.examples import in_turn

RULES = Path(__file__).parent.parent / "rules" / "tests" / "rules.yaml"
FIRING = "bills: [{category: gpu, owner: gpu-1, hours: '60'}]"
PENDING = "bills: [{category: llm, hours: '20x5'}]"
SIX = "bills: [" + ", ".join(f"{{category: gpu, owner: gpu-{n}, hours: '60'}}" for n in range(6)) + "]"
BUDGET = "start: 2026-01-31\n    bills: [{category: cloud_storage, hours: '90 0.1x40'}]"
OVERDUE = "monthly_bills: {id: b, month: 2026-02, total: 9, debt: 9, status: {is: overdue}}"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, and a broken one does not matter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_POLL_INTERVAL", "never")
    monkeypatch.delenv("ALERTD_SLACK_BOT_TOKEN", raising=False)
    (tmp_path / "rules.yaml").write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")


def write(body: str, *, name: str = "a_test.yaml") -> str:
    """Write a file with one test; return its name."""
    Path(name).write_text(f"rules: rules.yaml\ntests:\n  - name: one\n    {body}\n", encoding="utf-8")
    return name


CASES = [
    pytest.param(
        FIRING, "at: 2h, alerts: [{rule: gpu-24h, value: $61}]",
        ["expected    gpu-24h firing $61",
         "got         gpu-24h{owner=gpu-1} firing warning $60.00 (threshold $50.00, billed through 1h, Jan 05 01:00)",
         "differs     value: expected $61, got $60.00",
         "because     firing since 1h, Jan 05 01:00"],
        id="another value",
    ),
    pytest.param(
        FIRING, "at: 2h, alerts: [{rule: gpu-24h, severity: critical, headline: none, withheld: by}]",
        ["differs     severity: expected critical, got warning", 'differs     headline: "none" is not in "notebook (g',
         'differs     withheld: expected "by", got ""'],
        id="another severity, headline and muting",
    ),
    pytest.param(
        FIRING, "at: 2h, alerts: [{rule: gpu-24h, labels: {owner: gpu-2}}]",
        ["missing     gpu-24h{owner=gpu-2} firing",
         "because     gpu-24h has other alerts: gpu-24h{owner=gpu-1} firing",
         "unexpected  gpu-24h{owner=gpu-1} firing warning $60.00"],
        id="another owner",
    ),
    pytest.param(
        FIRING, "at: 0h, alerts: [{rule: gpu-24h}]",
        ["missing     gpu-24h firing",
         "because     gpu-24h has had no alert so far; bills are read through -2h, Jan 04 22:00"],
        id="nothing yet",
    ),
    pytest.param(FIRING, "at: 2h, alerts: []", ["unexpected  gpu-24h{owner=gpu-1}"], id="none expected"),
    pytest.param(
        PENDING, "at: 2h, alerts: [{rule: llm-6h}]",
        ["got         llm-6h pending warning $40.00", "differs     state: expected firing, got pending"],
        id="only pending",
    ),
    pytest.param(
        PENDING, "at: 4h, alerts: [{rule: llm-6h, state: pending}]",
        ["differs     state: expected pending, got firing"],
        id="pending no more",
    ),
    pytest.param(
        FIRING, "at: 2h, alerts: [{rule: gpu-24h, state: resolved}]",
        ["differs     state: expected resolved, got firing"],
        id="not resolved yet",
    ),
    pytest.param(
        FIRING, "at: 28h, alerts: [{rule: gpu-24h}]",
        ["got         gpu-24h{owner=gpu-1} resolved $0.00", "because     resolved since 27h"],
        id="resolved already",
    ),
    pytest.param(
        FIRING, "at: 2h, messages: [{to: finops, reason: firing, title: gpu-9, text: [nowhere]}]",
        ['expected    finops firing "gpu-9"',
         'got         finops (#finops) firing "WARNING: notebook (gpu-1) spent $60.00 on gpu in 24h (warning',
         'differs     title: "gpu-9" is not in', 'differs     text: "nowhere" is not in it',
         "            | Team research · firing since 2026-01-05 01:00 UTC."],
        id="another text",
    ),
    pytest.param(
        FIRING, "at: 2h, messages: [{to: finops, recipient: '#ops', severity: critical, title: gpu-1}]",
        ["differs     recipient: expected #ops, got #finops", "differs     severity: expected critical, got warning"],
        id="another recipient",
    ),
    pytest.param(
        FIRING, "at: 2h, messages: [{to: mail}]",
        ["missing     mail", "unexpected  finops (#finops) firing"],
        id="another receiver",
    ),
    pytest.param(FIRING, "at: 2h, messages: []", ["unexpected  finops (#finops) firing"], id="no message expected"),
    pytest.param(
        PENDING, "at: 2h, messages: [{to: night}]",
        ["missing     night", "because     llm-6h is only pending, since 1h, Jan 05 01:00"],
        id="no message of what is pending",
    ),
    pytest.param(
        "start: 2026-01-05T20:00:00Z\n    " + PENDING, "at: 5h, messages: [{to: night}]",
        ['because     night is held until 11h30m, Jan 06 07:30: "Spend on llm'],
        id="quiet hours",
    ),
    pytest.param(
        SIX, "at: 1h, messages: [{to: finops, reason: firing}]",
        ["missing     finops firing", 'unexpected  finops (#finops) many alerts "WARNING: '],
        id="a storm",
    ),
    pytest.param(
        FIRING + "\n    silences: {match: {owner: gpu-1}, for: 9h, author: dana}",
        "at: 2h, messages: [{to: finops}]",
        ["because     gpu-24h{owner=gpu-1} is silenced by dana until 2026-01-05 09:00 UTC"],
        id="a silence",
    ),
    pytest.param(
        FIRING + "\n    silences: {match: {owner: gpu-1}, for: 9h, author: dana}",
        "at: 2h, alerts: [{rule: gpu-24h, withheld: ''}]",
        ['differs     withheld: expected "", got "silenced by dana until 2026-01-05 09:00 UTC"'],
        id="a silence where none should be",
    ),
    pytest.param(
        FIRING + "\n    acknowledge: {rule: gpu-24h, at: 1h, by: dana}",
        "at: 2h, alerts: [{rule: gpu-24h, withheld: acknowledged by kim}]",
        ['differs     withheld: expected "acknowledged by kim", got "acknowledged by dana"'],
        id="somebody else's acknowledgement",
    ),
    pytest.param(
        FIRING + "\n    acknowledge: {rule: gpu-24h, at: 1h, by: dana}", "at: 2h, alerts: []",
        ["because     acknowledged by dana"],
        id="an acknowledgement",
    ),
    pytest.param(
        FIRING + "\n    acknowledge: {rule: gpu-24h, labels: {owner: gpu-1}, at: 0h, by: dana}",
        "at: 2h, messages: [{to: finops}]",
        ["fault       dana cannot acknowledge gpu-24h{owner=gpu-1} at 0h: nothing fires (there is no such alert)"],
        id="nothing to acknowledge",
    ),
    pytest.param(
        "bills: [{category: gpu, owner: a, hours: '60', late: 3h}]", "at: 2h, alerts: [{rule: gpu-24h}]",
        ["missing     gpu-24h firing"],
        id="late rows",
    ),
    pytest.param(
        FIRING + "\n    unread: {category: gpu, from: 2h, until: 9h}", "at: 5h, alerts: []",
        ["because     not complete: gpu could not be read since 2026-01-05 02:00 UTC"],
        id="unread",
    ),
    pytest.param(
        "unread: {category: gpu, from: 0h, until: 9h}", "at: 1h, alerts: [{rule: gpu-24h}]",
        ["because     gpu-24h has had no alert so far; bills are read through -1h, Jan 04 23:00; gpu cannot be read"],
        id="unread from the beginning",
    ),
    pytest.param(
        "bills: [{category: gpu, hours: '60', revised: {at: 2h, hours: '40'}}]", "at: 3h, alerts: [{rule: gpu-24h}]",
        ["got         gpu-24h{owner=} resolved $40.00"],
        id="a revision",
    ),
    pytest.param(
        OVERDUE, "at: 12h, alerts: [{rule: overdue, value: 1d}]",
        ["differs     value: expected 1d, got 12h"],
        id="a monthly bill",
    ),
    pytest.param(
        BUDGET, "at: 26h, alerts: [{rule: storage-month, value: 92%}]",
        ["expected    storage-month firing 92%", "because     resolved since 25h, Feb 01 01:00: new month"],
        id="a budget at the turn of the month",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("world", "expectation", "lines"), in_turn(CASES, 0, every=2))
def test_expectation_when_not_met_then_the_difference_and_its_reason_are_notified(
    world: str, expectation: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads it should know what to mend, the rule or the test."""
    assert run(["test", write(f"{world}\n    expect: [{{{expectation}}}]")]) == 1

    out = capsys.readouterr().out
    assert out.startswith("FAIL a_test.yaml:3:5: one\n  at ")
    missing = [line for line in lines if f"\n    {line}" not in out]
    assert not missing, out
    assert out.endswith("\n1 test, 0 passed, 1 failed\n")
    assert "\x1b" not in out


def test_rule_that_fails_when_tested_then_the_test_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of a rule type must not pass as "nothing fires"."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("alertd.core.rules.rolling_spend.RollingSpend.evaluate", fail)
    assert run(["test", write(f"{FIRING}\n    expect: {{at: 0h, alerts: []}}")]) == 1
    assert 'fault       rule "gpu-24h" failed' in capsys.readouterr().out


def test_files_when_run_together_then_summed_up_and_written_as_junit(capsys: pytest.CaptureFixture[str]) -> None:
    """Machines read the XML; a file with mistakes hides no other file's result."""
    good = write(f"{FIRING}\n    expect: {{at: 1h, alerts: {{rule: gpu-24h}}}}", name="good_test.yaml")
    failing = write(f"{FIRING}\n    expect: {{at: 1h, alerts: []}}", name="failing_test.yaml")
    broken = write("expect: {at: 1h, alert: []}", name="broken_test.yaml")
    name = 'odd "\\u0001 <&> é name'
    Path(good).write_text(Path(good).read_text().replace("name: one", f'name: "{name.replace(chr(34), chr(39))}"'))

    assert run(["test", good, failing, broken, "--junit", "report.xml"]) == 1

    notified = capsys.readouterr()
    assert notified.out.endswith("\n2 tests, 1 passed, 1 failed; 1 file with mistakes\n")
    assert notified.err == 'broken_test.yaml:4:22: test "one": expect: unknown key "alert"; did you mean "alerts"?\n'
    root = ET.parse("report.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == ("testsuites", "3", "1", "1")
    suites = {suite.get("name"): suite for suite in root.findall("testsuite")}
    assert list(suites) == [good, failing, broken]
    assert [case.get("name") for case in suites[good]] == ["odd '? <&> é name"]
    assert not list(suites[good].iter("failure"))
    (failure,) = suites[failing].iter("failure")
    assert failure.get("message") == "at 1h (2026-01-05 01:00 UTC), line 5: alerts"
    assert "unexpected  gpu-24h{owner=gpu-1}" in str(failure.text)
    (error,) = suites[broken].iter("error")
    assert 'unknown key "alert"' in str(error.text)
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert float(suite.get("time", "")) >= 0
        for case in suite:
            assert case.get("classname") == suite.get("name")


def test_tests_when_all_pass_then_exit_code_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """Success is one line."""
    path = write(f"{FIRING}\n    expect: {{at: 1h, alerts: {{rule: gpu-24h}}}}")
    assert run(["test", path, path]) == 0
    assert capsys.readouterr().out == "2 tests, 2 passed\n"


def test_output_when_a_terminal_then_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red and green only where somebody sees them, and not against NO_COLOR."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path = write(f"{FIRING}\n    expect: {{at: 1h, alerts: []}}")
    for setting, is_coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", setting)
        monkeypatch.setattr("sys.stdout", terminal := Terminal())
        assert run(["test", path]) == 1
        assert ("\x1b[31mFAIL" in terminal.getvalue()) is is_coloured


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gone.yaml", "gone.yaml:1:1: there is no such file; name the test files, such as tests/*_test.yaml"),
        (".", ".:1:1: this is a folder; name the files in it, such as ./*.yaml"),
        ("loop.yaml", "loop.yaml:1:1: cannot be read"),
    ],
)
def test_file_when_it_cannot_be_read_then_says_why(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names and permissions are the user's to mend."""
    Path("loop.yaml").symlink_to("loop.yaml")
    assert run(["test", name]) == 1
    notified = capsys.readouterr()
    assert text in notified.err
    assert notified.out == "0 tests, 0 passed; 1 file with mistakes\n"


def test_report_when_it_cannot_be_written_then_fails_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A report that is not there must not look like success."""
    path = write(f"{FIRING}\n    expect: {{at: 1h, alerts: {{rule: gpu-24h}}}}")
    assert run(["test", path, "--junit", "no/such/folder.xml"]) == 1
    assert capsys.readouterr().err == "alertd: cannot write no/such/folder.xml: No such file or directory\n"


def test_label_that_no_alert_has_when_expected_then_warns(capsys: pytest.CaptureFixture[str]) -> None:
    """It can never be met, and a typo is likelier than an intention."""
    run(["test", write(f"{FIRING}\n    expect: {{at: 1h, alerts: {{rule: gpu-24h, labels: {{ownr: gpu-1}}}}}}")])
    assert 'no alert has the label "ownr"; did you mean "owner"?' in capsys.readouterr().err


def test_command_when_called_without_files_then_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no default: tests are named."""
    assert run(["test"]) == 2
    assert "FILE" in capsys.readouterr().err


def test_reads_when_they_fail_until_an_hour_then_that_hours_poll_reads_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The end of the failing reads is the first moment at which they succeed."""
    unread = "unread: {category: gpu, from: 0h, until: 3h}"
    nothing, read = "{at: 2h59m, alerts: []}", "{at: 3h, alerts: {rule: gpu-24h}}"
    assert run(["test", write(f"{FIRING}\n    {unread}\n    expect: [{nothing}, {read}]")]) == 0
    assert capsys.readouterr().out == "1 test, 1 passed\n"
