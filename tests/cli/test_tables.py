"""Tables on terminals of every width: nothing beyond the edge, and as much as possible of what distinguishes rows."""

import re

import pytest
from wcwidth import wcswidth

from alertd.cli.tables import table

ALERTS = [
    ("FINGERPRINT", "STATE", "SEVERITY", "SINCE (UTC)", "VALUE", "THRESHOLD", "RULE", "WHAT"),
    ("1c00c82c", "firing", "critical", "2026-01-10 12:00", "$61.25", "$50.00", "gpu-24h-per-owner", "训练机 " * 20),
    ("9d00c82c", "firing", "warning", "2026-01-10 12:00", "$1.25", "$1.00", "all", "all spend of 7 days"),
]


def drawn(width: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    return table(ALERTS, right={4, 5}, whole={3}, optional=(1, 5, 3))


@pytest.mark.parametrize("width", [40, 41, 60, 79, 80, 100, 132, 200])
def test_table_when_the_terminal_says_its_width_then_no_line_is_longer(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that the terminal breaks itself takes every column apart."""
    lines = drawn(width, monkeypatch).splitlines()
    assert max(map(wcswidth, lines)) <= width
    assert all(any(fingerprint in line for line in lines) for fingerprint in ("1c00c82c", "9d00c82c"))


@pytest.mark.parametrize(
    ("width", "gone", "kept"),
    [
        pytest.param(60, ("THRESHOLD", "STATE", "SINCE"), ("FINGERPRINT", "VALUE", "RULE"), id="narrow"),
        pytest.param(80, ("STATE", "THRESHOLD"), ("FINGERPRINT", "SINCE (UTC)", "RULE", "WHAT"), id="usual"),
        pytest.param(120, (), ("STATE", "THRESHOLD", "WHAT", "gpu-24h-per-owner"), id="wide"),
    ],
)
def test_table_when_there_is_less_room_then_what_matters_least_goes_first(
    width: int, gone: tuple[str, ...], kept: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of every word says less than some words whole."""
    text = drawn(width, monkeypatch)
    assert [word for word in gone if word in text] == []
    assert [word for word in kept if word not in text] == []


def test_table_when_names_differ_at_their_ends_then_their_ends_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fleets are numbered; of a sentence the beginning stays."""
    monkeypatch.setenv("COLUMNS", "40")
    rows = [("NAME", "WHAT"), *((f"trainer-of-the-platform-team-{n:02}", "it spent much more") for n in (1, 2))]
    ends = [line.split("  ")[0][-3:] for line in table(rows).splitlines()[1:]]
    assert ends == ["-01", "-02"]


def test_table_when_nothing_fits_then_each_row_is_shown_whole_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone, or a pane of a divided screen: nothing is lost, and nothing wrapped at random."""
    first, second = drawn(40, monkeypatch).split("\n\n")
    assert second.splitlines()[:3] == ["FINGERPRINT  9d00c82c", "STATE        firing", "SEVERITY     warning"]
    assert first.count("训练机") == 20


def test_table_when_it_goes_to_a_pipe_then_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """`alertd alerts | grep` finds what is there."""
    text = drawn(None, monkeypatch)
    assert text.count("训练机") == 20
    assert len(text.splitlines()) == len(ALERTS)


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "…"), ("ascii", "...")])
def test_table_when_a_cell_is_cut_then_a_mark_that_the_terminal_can_show(
    encoding: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With LANG=C a mark of its own would come as six letters, past the edge."""

    class Out:
        def __init__(self) -> None:
            self.encoding = encoding

        def isatty(self) -> bool:
            return False

    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr("sys.stdout", Out())
    cut, number = table([("A", "B"), ("x" * 40, "1")], right={1}).splitlines()[1].split("  ")
    assert (len(cut), set(cut), number) == (27, {"x", *mark}, "1")


@pytest.mark.parametrize("width", [40, 60, None])
def test_table_when_a_row_has_a_colour_then_its_columns_that_show_it_have_it(
    width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line and in columns alike: by it a critical alert is found among many."""
    drawn(width, monkeypatch)
    text = table(ALERTS, right={4, 5}, whole={3}, optional=(1, 5, 3), colours={1: "31"}, coloured={0, 2})
    assert [cell.strip() for cell in re.findall(r"\x1b\[31m(.*?)\x1b\[0m", text)] == ["1c00c82c", "critical"]
    assert text.count("\x1b") == 4


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        pytest.param(26, ["xxxxxx…xxxxx  yyyyyyyyyyy…"], id="twelve cells for each column"),
        pytest.param(
            25, [f"A  {'x' * 22}", f"   {'x' * 8}", f"B  {'y' * 22}", f"   {'y' * 8}"], id="a cell less: line by line"
        ),
        pytest.param(
            22, [f"A  {'x' * 20}", f"   {'x' * 10}", f"B  {'y' * 20}", f"   {'y' * 10}"], id="ten cells for each"
        ),
    ],
)
def test_table_when_columns_would_be_under_twelve_cells_then_line_by_line(
    width: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names cut to less are no longer told apart."""
    monkeypatch.setenv("COLUMNS", str(width))

    class Out:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdout", Out())
    text = table([("A", "B"), ("x" * 30, "y" * 30)])
    assert [line for line in text.splitlines() if set(line) & {"x", "y"}] == lines


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        pytest.param("1234567890 123456789", ["1234567890 123456789"], id="as long as the line"),
        pytest.param("1234567890 1234567890", ["1234567890", "1234567890"], id="a letter longer: between words"),
        pytest.param("x" * 45, ["x" * 20, "x" * 20, "x" * 5], id="a word of several lines"),
        pytest.param("ab " + "x" * 21, ["ab", "x" * 20, "x"], id="a long word behind a short one"),
    ],
)
def test_cell_when_shown_line_by_line_then_wrapped_at_the_edge(
    cell: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty cells are left for text, however narrow the terminal is."""
    monkeypatch.setenv("COLUMNS", "10")
    shown = table([("A", "B"), (cell, "y" * 30)]).splitlines()
    assert [line.removeprefix("A").strip() for line in shown if "y" not in line] == lines
