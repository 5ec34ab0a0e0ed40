"""`ack`, `silence`, `explain` and why `alerts` says they are withheld, without a daemon, at a fixed instant."""

import json

import pytest

from alertd.core.labels import Patterns
from alertd.store.store import Store
from tests.cli.request_desk import NOW, RULES, URL, Desk, desk, full
from tests.core.builders import HOUR, silenced_by, withheld
from tests.e2e.daemon import no_traceback

__all__ = ["desk", "full"]
NOBODY = "No daemon runs on this store; it will know when it starts.\n"


def name_of(made: Desk, owner: str) -> str:
    return made.stage.of(owner).fingerprint


# --- alerts ---------------------------------------------------------------------------------------------------------


def test_alerts_when_some_are_withheld_then_json_says_why(full: Desk) -> None:
    """Dashboards colour by these fields."""
    code, out, _ = full.run("alerts", "--all", "--json")
    found = {alert["labels"]["owner"]: alert for alert in json.loads(out)}
    silence = "51133ce0 by dana until 2026-01-10 15:30 UTC (run 12)"
    assert code == 0
    assert {owner: (a["silenced_by"], a["acknowledged_by"], a["withheld"]) for owner, a in found.items()} == {
        "plain": (None, None, None),
        "acked": (None, "dana", "acknowledged by dana"),
        "hushed": (silence, None, f"silenced by {silence[12:]}"),
        "held": (None, None, "quiet hours until 2026-01-11 00:00 UTC (finops)"),
        "over": (None, None, None),
    }
    assert found["acked"]["acknowledged_at"] == "2026-01-10T12:00:00Z"


def test_alerts_when_some_are_withheld_then_the_table_names_them_below(full: Desk) -> None:
    """Whoever wonders why nothing came finds it where they look first."""
    code, out, _ = full.run("alerts")
    table, _, reasons = out.partition("\nNotifications withheld at the moment:\n")
    assert code == 0
    assert [line.split()[0] for line in table.splitlines()[1:]] == [
        name_of(full, owner)[:8]
        for owner in ("hushed", *sorted(("plain", "acked", "held"), key=lambda o: name_of(full, o)))
    ]
    assert sorted(line.split("  ")[0] for line in reasons.splitlines()) == sorted(
        name_of(full, owner)[:8] for owner in ("hushed", "acked", "held")
    )


# --- ack ------------------------------------------------------------------------------------------------------------


def test_ack_when_no_daemon_runs_then_kept_in_the_store(full: Desk) -> None:
    """The daemon is down at the very moment somebody cleans up after it."""
    name = name_of(full, "plain")
    assert full.run("ack", name[:5].upper(), "--by", "kim") == (
        0,
        f"gpu-24h ({name}) is acknowledged: plain spent $60. It is not repeated until its severity rises.\n{NOBODY}",
        "",
    )
    assert full.alerts()["plain"].acknowledged_by == "kim"
    assert full.events("plain") == ["acknowledged by kim"]
    code, out, _ = full.run("ack", name)
    assert (code, out.splitlines()[0]) == (0, f"gpu-24h ({name}) was acknowledged by kim already: plain spent $60")
    assert full.run("ack", name, "--undo")[0] == 0
    assert full.alerts()["plain"].acknowledged_by is None
    assert full.events("plain") == ["acknowledged by kim", "acknowledgement taken back by dana"]


def test_ack_when_a_name_comes_from_a_bill_then_it_cannot_write_on_the_terminal(desk: Desk) -> None:
    """Names in bills belong to strangers; escape sequences are shown, not obeyed."""
    desk.stage.cycle({"gpu\x1b[2J": "60"})
    desk.keep()
    name = name_of(desk, "gpu\x1b[2J")
    for arguments in (("ack", name), ("silence", "add", name, "--for", "1h"), ("explain", name), ("alerts",)):
        code, out, _ = desk.run(*arguments)
        assert code == 0
        assert "\x1b" not in out
        assert "gpu\\x1b[2J" in out


# --- silence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "ends_at"),
    [
        pytest.param(["--for", "90m"], "2026-01-10T16:00:00Z", id="a while"),
        pytest.param(["--until", "2026-01-12T08:00+01:00"], "2026-01-12T07:00:00Z", id="a time"),
        pytest.param(["--until", "day-end"], "2026-01-11T00:00:00Z", id="the day"),
        pytest.param(["--until", "day-end", "--timezone", "Asia/Tokyo"], "2026-01-10T15:00:00Z", id="the day there"),
        pytest.param(["--until", "week-end"], "2026-01-12T00:00:00Z", id="the week, to Monday"),
        pytest.param(["--until", "month-end"], "2026-02-01T00:00:00Z", id="the month"),
        pytest.param(["--until", "quarter-end"], "2026-04-01T00:00:00Z", id="the quarter"),
        pytest.param(["--until", "month-end", "--for", "1h"], "2026-01-10T15:30:00Z", id="whichever is first"),
        pytest.param(["--until", "resolved"], None, id="the end of what fires"),
        pytest.param(["--until", "resolved", "--for", "1h"], "2026-01-10T15:30:00Z", id="or a while"),
        pytest.param(["--until-spend", "+$200"], None, id="an amount"),
        pytest.param(["--until-spend", "200.50", "--until", "day-end"], "2026-01-11T00:00:00Z", id="or the day"),
    ],
)
def test_silence_when_added_then_listed_with_its_end(full: Desk, arguments: list[str], ends_at: str | None) -> None:
    """Every way to say until when."""
    code, out, err = full.run("silence", "add", "owner=plain", *arguments)
    assert (code, err) == (0, "")
    assert name_of(full, "plain") in out
    silences = json.loads(full.run("silence", "list", "--json")[1])
    (added,) = [one for one in silences if one["id"] != "51133ce0"]
    assert (added["ends_at"], added["author"], added["state"]) == (ends_at, "dana", "active")
    is_bound = "resolved" in arguments or "--until-spend" in arguments
    assert [alert["fingerprint"] for alert in added["alerts"]] == [name_of(full, "plain")] * is_bound
    assert silenced_by(full.alerts()["plain"]) is not None


def test_silence_when_until_an_amount_then_the_limit_is_shown(full: Desk) -> None:
    """A decimal text, as everywhere."""
    full.run("silence", "add", "owner=plain", "--until-spend", "$1,200.50")
    silences = json.loads(full.run("silence", "list", "--json")[1])
    assert [one["until_spend"] for one in silences if one["until_spend"]] == ["1200.5"]


@pytest.mark.parametrize(
    ("matchers", "owners"),
    [
        pytest.param(["owner=plain,held"], {"plain", "held"}, id="a list"),
        pytest.param(["owner=*a*", "owner_name="], {"plain", "acked"}, id="a glob, and a label that none has"),
        pytest.param(["rule=gpu-*", "owner=!plain,!acked"], {"held"}, id="exclusions"),
        pytest.param(
            ["severity=warning", "account=default", "type=rolling_spend"], {"plain", "acked", "held"}, id="any"
        ),
        pytest.param(["owner= plain , held "], {"plain", "held"}, id="blanks"),
    ],
)
def test_silence_when_matchers_are_written_then_hold_what_they_mean(
    full: Desk, matchers: list[str], owners: set[str]
) -> None:
    """As in the rules file."""
    assert full.run("silence", "add", *matchers, "--for", "9h")[0] == 0
    silenced = {owner for owner, alert in full.alerts().items() if silenced_by(alert) is not None}
    assert silenced - {"hushed"} == owners


@pytest.mark.parametrize("length", [4, 16])
def test_silence_when_a_fingerprint_is_given_then_holds_that_alert(full: Desk, length: int) -> None:
    """Copied from the table, whole or cut, in capitals or not."""
    assert full.run("silence", "add", name_of(full, "held")[:length].upper(), "--until", "resolved")[0] == 0
    assert silenced_by(full.alerts()["held"]) is not None
    assert silenced_by(full.alerts()["plain"]) is None


def test_silences_when_listed_then_those_that_hold_and_with_all_the_others(full: Desk) -> None:
    """Who, until when, what, why; what ended is history."""
    full.run("silence", "add", "owner=over", "rule=gpu-*,!x", "--for", "9h", "--by", "kim", "--comment", "änd")
    added = next(one.id for one in full.silences() if one.id != "51133ce0")
    assert full.run("silence", "expire", "51133ce0", "--by", "kim") == (
        0,
        f"Silence 51133ce0 is ended. What it withheld and still fires is sent at the next poll.\n{NOBODY}",
        "",
    )
    assert full.run("silence", "list")[1] == (
        "ID        STATE   UNTIL                 MATCHES                   BY   COMMENT\n"
        f"{added}  active  2026-01-10 23:30 UTC  owner=over rule=gpu-*,!x  kim  änd\n"
    )
    lines = full.run("silence", "list", "--all")[1].splitlines()
    assert lines[1].split() == [
        "51133ce0",
        "ended",
        "by",
        "kim",
        "2026-01-10",
        "15:30",
        "UTC",
        "owner=hushed",
        *["dana", "run", "12"],
    ]
    ended, active = json.loads(full.run("silence", "list", "--all", "--json")[1])
    assert ended == {
        "id": "51133ce0",
        "state": "ended",
        "matchers": {"owner": ["hushed"]},
        "author": "dana",
        "comment": "run 12",
        "created_at": "2026-01-10T12:00:00Z",
        "ends_at": "2026-01-10T15:30:00Z",
        "ended_at": "2026-01-10T14:30:00Z",
        "ended_by": "kim",
        "until_spend": None,
        "alerts": [],
    }
    assert (active["id"], active["state"], active["matchers"]["rule"]) == (added, "active", ["gpu-*", "!x"])
    assert withheld(full.alerts()["hushed"]) == ""


def test_silences_when_their_time_or_alert_is_over_then_not_listed_as_active(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds nothing any more is over, also where nobody ended it."""
    full.run("silence", "add", name_of(full, "plain"), "--until", "resolved")
    full.run("silence", "add", "owner=held", "--for", "1h")
    store = Store.open(URL, now=NOW)
    full.stage.cycle({"plain": "44"})
    with store.transaction():
        store.alerts.save([full.stage.of("plain")])
    store.close()
    monkeypatch.setattr("alertd.clock.utc_now", lambda: NOW + 2 * HOUR)
    assert full.run("silence", "list")[1] == "Nothing is silenced.\n"
    assert {one["state"] for one in json.loads(full.run("silence", "list", "--all", "--json")[1])} == {"ended"}
    states = [line.split()[1] for line in full.run("silence", "list", "--all")[1].splitlines()[1:]]
    assert states == ["over"] * 3


def test_silence_list_when_there_are_none_then_says_so(desk: Desk) -> None:
    """An empty table would look like a fault."""
    desk.keep()
    assert desk.run("silence", "list") == (0, "Nothing is silenced.\n", "")
    assert desk.run("silence", "list", "--all")[1] == "There are no silences.\n"
    assert desk.run("silence", "list", "--json")[1] == "[]\n"


# --- wrong input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ack"], 2, "Missing argument 'FINGERPRINT'"),
        (["ack", "zzzz"], 1, 'there is no alert "zzzz"; `alertd alerts --all` lists them'),
        (["ack", "1c"], 1, 'there is no alert "1c"; write at least 4 of its digits'),
        (["ack", "PLAIN", "--undo"], 1, "is not acknowledged"),
        (["ack", "OVER"], 1, "has already ended 2026-01-10 13:00 UTC: there is nothing to acknowledge"),
        (["silence"], 2, "Usage"),
        (["silence", "add", "--for", "1h"], 2, "Missing argument"),
        (["silence", "add", "owner=x"], 2, "--for: a silence needs an end: 24h, month-end, resolved"),
        (["silence", "add", "owner=x", "--for", "5"], 2, '"5" is not a duration; write 90m, 24h, 7d or 4w'),
        (["silence", "add", "owner=x", "--for", "99999d"], 2, "is too long"),
        (["silence", "add", "owner=x", "--for", "0h"], 1, "which is in the past; choose a later time"),
        (["silence", "add", "owner=x", "--until", "tomorrow"], 2, "month-end, quarter-end or resolved"),
        (["silence", "add", "owner=x", "--until", "2026-12-01T08:00"], 2, "2026-12-01T08:00"),
        (["silence", "add", "owner=x", "--until", "2020-12-01T08:00Z"], 1, "which is in the past; choose a later time"),
        (["silence", "add", "owner=x", "--until", "day-end", "--timezone", "Mars/Base"], 2, "Mars/Base"),
        (["silence", "add", "owner=x", "--until-spend", "0"], 2, "is not an amount above zero; write it like +$200"),
        (["silence", "add", "owner=x", "--until-spend", "lots"], 2, '"lots" is not an amount above zero'),
        (["silence", "add", "owner=x", "--until-spend=-5"], 2, '"-5" is not an amount above zero'),
        (["silence", "add", "owner=x", "--until", "resolved"], 1, "nothing that fires now matches"),
        (["silence", "add", "gpu-1", "--for", "1h"], 2, '"gpu-1" is neither label=value, like owner=gpu-1, nor'),
        (["silence", "add", "=x", "--for", "1h"], 2, '"=x" names no label'),
        (["silence", "add", "a=1", "a=2", "--for", "1h"], 2, '"a" is matched twice; join its values: a=a,b'),
        (["silence", "expire", "51"], 1, 'there is no active silence "51"'),
        (["silence", "expire", "ffffffff"], 1, "`alertd silence list` shows them"),
        (["explain", "nonsense"], 1, "lists them; nor is there a rule of that name"),
        (["explain", "gpu-24h", "--at", "yesterday"], 2, '"yesterday" is not a time'),
        (["explain", "gpu-24h", "--at", "2026-01-10T14:31Z"], 2, "this time is in the future"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_command_when_asked_wrongly_then_one_error_with_the_remedy(
    full: Desk, arguments: list[str], code: int, words: str
) -> None:
    """Exit code 2 for what was written, 1 for what cannot be done; nothing is changed."""
    before = (full.alerts(), full.silences())
    names = {owner.upper(): name_of(full, owner) for owner in ("plain", "over")}
    found, out, err = full.run(*(names.get(argument, argument) for argument in arguments))
    assert (found, words in err + out) == (code, True), err
    assert no_traceback(err.replace("Error: ", ""))
    assert (full.alerts(), full.silences()) == before


@pytest.mark.parametrize(
    "arguments",
    [("ack", "1c00"), ("silence", "add", "owner=x", "--for", "1h"), ("silence", "list"), ("explain", "1c00")],
)
def test_command_when_there_is_no_store_then_says_so_and_makes_none(desk: Desk, arguments: tuple[str, ...]) -> None:
    """A typo in a path must not leave an empty database behind."""
    code, out, err = desk.run(*arguments)
    assert (code, out) == (1, "")
    assert "alertd.db" in err
    assert not (desk.folder / "alertd.db").exists()


def test_command_when_the_database_is_in_memory_then_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept."""
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite://")
    code, _, err = desk.run("ack", "1c00")
    assert (code, "an in-memory database; no other process can read it" in err) == (1, True)


def test_commands_when_the_rules_are_broken_then_requests_are_carried_out_all_the_same(full: Desk) -> None:
    """Who fixes the rules may want a silence meanwhile; only an amount needs the rules."""
    (full.folder / "rules.yaml").write_text("rules: [")
    name = name_of(full, "plain")
    assert full.run("ack", name)[0] == 0
    assert full.run("silence", "add", name, "--for", "1h")[0] == 0
    code, _, err = full.run("silence", "add", name, "--until-spend", "$5")
    assert (code, "its rule cannot be read now" in err) == (1, True)
    code, out, _ = full.run("explain", name)
    assert (code, "Goes to       unknown: the rules file cannot be read" in out) == (0, True)


def test_silence_when_added_then_its_matchers_are_kept_as_written(full: Desk) -> None:
    """What the list shows must be what holds."""
    full.run("silence", "add", "rule=b,a,!c", "--for", "1h")
    assert dict(full.silences()[-1].matchers) == {"rule": Patterns(("b", "a", "!c"))}


# --- explain --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "lines"),
    [
        pytest.param(
            "plain",
            [
                "State         firing (warning); fired 2026-01-10 12:00 UTC",
                "Goes to       finops, by defaults: no route matches",
            ],
            id="plain",
        ),
        pytest.param(
            "hushed",
            [
                "State         firing (critical); fired 2026-01-10 13:00 UTC",
                "Notified      not yet: silenced by dana until 2026-01-10 15:30 UTC (run 12)",
                "Suppressed    silenced by dana until 2026-01-10 15:30 UTC (run 12)",
                "Silence       51133ce0 by dana until 2026-01-10 15:30 UTC (run 12)",
                "Notifications: none",
            ],
            id="silenced",
        ),
        pytest.param(
            "held",
            [
                "Suppressed    quiet hours until 2026-01-11 00:00 UTC (finops)",
                "  2026-01-10 14:00 UTC  firing, finops: pending, held until 2026-01-11 00:00 UTC",
            ],
            id="held by quiet hours",
        ),
        pytest.param(
            "acked",
            ["Acknowledged  by dana, 2026-01-10 12:00 UTC: not repeated until its severity rises"],
            id="acknowledged",
        ),
        pytest.param(
            "over",
            [
                "State         resolved; fired 2026-01-10 12:00 UTC, resolved 2026-01-10 13:00 UTC",
                (
                    "  2026-01-10 12:00 UTC  none -> firing (warning): $80.00; warning from $50.00; "
                    "billed through 2026-01-10 12:00 UTC, complete"
                ),
                (
                    "  2026-01-10 13:00 UTC  firing (warning) -> resolved: $44.00; "
                    "billed through 2026-01-10 12:00 UTC, complete"
                ),
            ],
            id="resolved",
        ),
    ],
)
def test_explain_when_an_alert_is_quiet_then_says_why(full: Desk, owner: str, lines: list[str]) -> None:
    """One answer to "why did I not hear of it"."""
    code, out, _ = full.run("explain", name_of(full, owner))
    assert code == 0
    notified = out.splitlines()
    assert [line for line in lines if line not in notified] == []


@pytest.mark.parametrize(
    ("at", "lines"),
    [
        pytest.param(
            "2026-01-10T11:59Z",
            [
                "At            2026-01-10 11:59 UTC: nothing was known of it yet",
                "Notifications: none",
                "History: none is kept",
            ],
            id="before it began",
        ),
        pytest.param(
            "2026-01-10T12:30Z",
            [
                "State         firing (warning), since 2026-01-10 12:00 UTC",
                (
                    "Value         $80.00; warning from $50.00; billed through 2026-01-10 12:00 UTC, complete, "
                    "when it changed"
                ),
            ],
            id="while it fired",
        ),
        pytest.param(
            "2026-01-10T14:00+01:00", ["State         resolved, since 2026-01-10 13:00 UTC"], id="in another zone"
        ),
    ],
)
def test_explain_when_asked_of_the_past_then_reports_as_it_was(full: Desk, at: str, lines: list[str]) -> None:
    """The discussion is about the moment when nobody was notified."""
    code, out, _ = full.run("explain", name_of(full, "over"), "--at", at)
    assert code == 0
    assert [line for line in lines if line not in out.splitlines()] == []


def test_explain_when_a_rule_has_many_alerts_then_the_first_are_notified_whole_and_the_rest_named(desk: Desk) -> None:
    """Open ones first; nobody reads fifty stories."""
    desk.stage.cycle({f"gpu-{n}": "60" for n in range(7)})
    desk.stage.cycle({"gpu-0": "44"})
    desk.keep()
    code, out, _ = desk.run("explain", "gpu-24h")
    assert code == 0
    assert out.startswith("Rule gpu-24h (rolling_spend), judged for ")
    assert out.count("-" * 80) == 5
    rest = [line for line in out.splitlines() if line.startswith("Not explained in full: ")]
    assert len(rest) == 2
    assert rest[-1] == f"Not explained in full: {name_of(desk, 'gpu-0')}  resolved  gpu-0 spent $44"


def test_explain_when_a_rule_has_had_no_alert_then_says_how_it_judges(full: Desk) -> None:
    """Why nothing is notified is asked most of rules that notify nobody."""
    code, out, _ = full.run("explain", "calm")
    assert (code, out.splitlines()[1:]) == (
        0,
        [
            "  nothing to judge: no spend fits it, or nothing was read yet",
            "  No alert of it is known.",
        ],
    )


def test_explain_when_the_rule_is_gone_then_says_so(full: Desk) -> None:
    """The alert outlives it until the daemon has reread the file."""
    (full.folder / "rules.yaml").write_text(RULES.replace("gpu-24h", "renamed"))
    assert "Goes to       nobody new: the rules file has no such rule any more" in full.run("explain", "gpu-24h")[1]


def test_this_person_when_behind_sudo_then_the_person_counts(full: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root acknowledges nothing; somebody does."""
    monkeypatch.setenv("SUDO_USER", "kim")
    full.run("ack", name_of(full, "plain"))
    assert full.alerts()["plain"].acknowledged_by == "kim"
