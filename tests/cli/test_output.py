"""What commands write: tables that line up, colours only where they are seen, and nothing that a terminal obeys."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alertd.cli.common import has_colour, print_json
from alertd.cli.tables import table
from alertd.cli.terminal import protect_terminal, without_orders
from alertd.core.printable import spreadsheet_cell
from tests.examples import rest_slow

ALERTD = (sys.executable, "-m", "alertd")


def ran(*arguments: str, stdout: int | None = subprocess.PIPE, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ALERTD, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | env,
        check=False,
        timeout=60,
    )


def test_table_when_names_are_wide_or_have_marks_then_columns_line_up() -> None:
    """A Chinese character takes two cells, an accent of its own none."""
    drawn = table([("NAME", "USD"), ("训练机", "1"), ("cafe\u0301", "22"), ("plain", "333")], right=frozenset({1}))
    assert drawn.splitlines() == ["NAME    USD", "训练机    1", "cafe\u0301     22", "plain   333"]


def test_table_when_a_name_would_command_the_terminal_then_shown_by_its_number() -> None:
    """Names in bills belong to strangers."""
    assert table([("A",), ("x\x1b[2J\u202ey",)]) == "A\nx\\x1b[2J\\u202ey"


def test_table_when_a_row_is_coloured_then_only_its_cell_is() -> None:
    """The severity, and nothing that a program reads."""
    drawn = table([("A", "B"), ("x", "y")], colours={1: "31"}, coloured=frozenset({1}))
    assert drawn == "A  B\nx  \x1b[31my\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_when_the_terminal_or_its_user_wants_none_then_none(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://no-color.org: set to anything but nothing."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_colour(Terminal()) is expected
    assert not has_colour(io.StringIO())


def test_json_when_a_text_turns_directions_then_escaped_and_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON escapes less than a terminal obeys: U+009B begins a sequence, U+202E turns $001 around."""
    content = [{"name": "a\x9b2Jb\u202ec\x7f\u2028", "other": "训练机\n"}]
    print_json(content)
    shown = capsys.readouterr().out
    assert json.loads(shown) == content
    assert not {"\x9b", "\u202e", "\x7f", "\u2028"} & set(shown)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1", "\\t=1"),
        ("a\r\n=1", "a\\r\\n=1"),
        ("|calc", "'|calc"),
        ("\ufe661+1", "'\ufe661+1"),
        ("\ufe6bSUM(A1)", "'\ufe6bSUM(A1)"),
        ("a;=1+1", "a;'=1+1"),
        ("a; -1;b", "a;' -1;b"),
        ("a\u202eb", "a\\u202eb"),
        ("gpu-1", "gpu-1"),
        ("训练机", "训练机"),
        ("", ""),
    ],
)
def test_cell_when_a_spreadsheet_would_calculate_then_it_reads_text(text: str, cell: str) -> None:
    """An owner's name is chosen by whoever makes the instance."""
    assert spreadsheet_cell(text) == cell
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\tx\r", "plain\n\tx\r"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        ("\x9b2J", "\\x9b2J"),
        ("$\u202e001", "$\\u202e001"),
        ("a\u2066b\u200f", "a\\u2066b\\u200f"),
    ],
)
def test_output_when_a_terminal_would_obey_it_then_shown_instead(text: str, shown: str) -> None:
    """The net under what each command escapes itself."""
    assert without_orders(text) == shown


@pytest.mark.parametrize("words", rest_slow([("help", "rules"), ("--version",)]))
def test_command_when_the_disk_is_full_then_one_line_and_exit_1(words: tuple[str, ...]) -> None:
    """`alertd spend --csv > /full/disk` must not seem to have worked."""
    with Path("/dev/full").open("w") as full:
        found = ran(*words, stdout=full.fileno())
    assert found.returncode == 1
    assert found.stderr == "alertd: standard output cannot be written: No space left on device\n"


def test_command_when_the_reader_goes_away_then_silent() -> None:
    """`alertd help rules | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    found = ran("help", "rules", stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, "")


def test_command_when_all_streams_are_closed_then_ends_well_and_writes_into_no_file() -> None:
    """Without streams the next file that is opened has their numbers."""
    command = ["/bin/sh", "-c", 'exec "$0" -m alertd help settings <&- >&- 2>&-', sys.executable]
    assert subprocess.run(command, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize(
    "env", rest_slow([{"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C"}])
)
def test_command_when_the_locale_knows_no_unicode_then_escapes(env: dict[str, str]) -> None:
    """cron runs with LANG=C."""
    found = ran("help", "settings", stdout=subprocess.PIPE, **env)
    assert found.returncode == 0
    assert "Traceback" not in found.stderr
    assert found.stdout.isascii() is ("PYTHONUTF8" in env), "Python itself turns to UTF-8 otherwise"


def test_command_when_the_encoding_takes_no_escapes_then_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONIOENCODING=idna is one that Python takes and that fails at the first `..`."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="idna"))
    protect_terminal()
    sys.stdout.write("from $1 to $2 … and so on\n")
    sys.stdout.flush()
    assert written.getvalue() == b"from $1 to $2 \\u2026 and so on\n"


@pytest.mark.slow
def test_command_when_the_locale_knows_no_unicode_and_the_disk_is_full_then_one_line() -> None:
    """The net under the output holds there, too."""
    with Path("/dev/full").open("w") as full:
        found = ran("help", stdout=full.fileno(), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert found.stderr == "alertd: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("columns", rest_slow(["1", "20", "400"]))
def test_help_when_the_terminal_is_narrow_or_wide_then_shown(columns: str) -> None:
    """Whatever the window's size."""
    assert ran("help", "rules", COLUMNS=columns).returncode == 0
    assert ran("--help", COLUMNS=columns).returncode == 0


def test_command_when_interrupted_in_the_first_moment_then_exits_130_without_a_traceback() -> None:
    """Ctrl-C while modules are still imported."""
    code = (
        "import sys, os, signal, alertd.__main__ as m\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'alertd.cli.root': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder()); sys.argv = ['alertd', 'help']; m.main()\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stderr) == (128 + signal.SIGINT, "")


def test_entry_point_then_imports_nothing_before_it_takes_ctrl_c() -> None:
    """Whatever is imported before can be interrupted with a traceback, and one that ignores SIGINT goes on to."""
    code = (
        "import os, signal, sys; before = set(sys.modules); import alertd.__main__ as m\n"
        "print(sorted(set(sys.modules) - before - set(sys.builtin_module_names)))\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN); sys.argv = ['alertd', 'completion', 'bash']\n"
        "sys.stdout = None; os.kill(os.getpid(), signal.SIGINT)\n"
        "try: m.main()\n"
        "finally: os.write(2, str(signal.getsignal(signal.SIGINT) is signal.SIG_IGN).encode())\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (found.stdout, found.stderr) == ("['alertd', 'alertd.__main__']\n", "True")


def test_help_on_a_terminal_when_no_colour_is_wanted_then_no_escape() -> None:
    """A real terminal, with and without NO_COLOR."""
    for env, is_coloured in (({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        leader, follower = pty.openpty()
        ran("help", stdout=follower, **{"NO_COLOR": "", **env})
        os.close(follower)
        text = os.read(leader, 65536)
        os.close(leader)
        assert (b"\x1b[" in text) is is_coloured
