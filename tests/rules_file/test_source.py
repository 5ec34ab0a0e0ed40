"""YAML with places: scalars, what is refused, and how long hostile input may take."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from alertd.rules_file.source import Node, Number, parse, scalar


def read(text: str | bytes) -> tuple[object, list[str]]:
    source = parse(text if isinstance(text, bytes) else text.encode(), "f")
    plain = source.root.plain() if source.root is not None else None
    return plain, [str(problem) for problem in source.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("no", "no", id="no is a country, not a boolean"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("22:00", "22:00", id="a time of day is not a number to base 60"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="false in capitals is in the core schema"),
        pytest.param("~", None, id="a tilde is nothing"),
        pytest.param("2026-12-01", "2026-12-01", id="a date is text"),
        pytest.param("1_000", "1_000", id="underscores make text"),
        pytest.param("0b1", "0b1", id="no binary in YAML 1.2"),
        pytest.param("-", "-", id="a sign alone is text"),
        pytest.param("1" * 65, "1" * 65, id="more digits than a quantity has are an id"),
    ],
)
def test_plain_scalar_when_resolved_then_follows_the_core_schema(written: str, value: object) -> None:
    """YAML 1.1's surprises are what people are bitten by most."""
    assert scalar(written) == value
    assert not isinstance(scalar(written), Number)


@pytest.mark.parametrize(
    ("written", "native"),
    [("010", 10), ("0x1F", 31), ("0o17", 15), ("-3", -3), ("50.10", 50.1), ("1e3", 1000.0), (".5", 0.5)],
)
def test_number_when_resolved_then_keeps_its_spelling(written: str, native: float) -> None:
    """Money is read from the spelling: 50.10 must not pass through a binary float."""
    found = scalar(written)
    assert isinstance(found, Number)
    assert (str(found), found.native) == (written, native)


def test_infinities_when_resolved_then_are_numbers() -> None:
    """They must be refused as numbers where a quantity is asked for, not pass as text."""
    found = [scalar(text) for text in (".inf", "-.INF", ".nan")]
    assert all(isinstance(one, Number) for one in found)
    assert [str(one.native) for one in found if isinstance(one, Number)] == ["inf", "-inf", "nan"]


def test_quoted_number_when_read_then_is_text() -> None:
    """Quotes are how an author says that digits are text."""
    plain, _ = read('a: "10"\nb: |\n  10\n')
    assert plain == {"a": "10", "b": "10\n"}
    assert not any(isinstance(value, Number) for value in plain.values())


def test_nodes_when_read_then_know_line_and_column_in_characters() -> None:
    """Problems point at them, and editors count characters, not bytes."""
    root = parse('ä: [ö, "x"]\nb:\n  - c: d\n'.encode(), "f").root
    assert root is not None
    assert root.keys == {"ä": (1, 1), "b": (2, 1)}
    value = root.children["ä"].value
    assert isinstance(value, list)
    assert [(node.line, node.column) for node in value] == [(1, 5), (1, 8)]
    inner = root.children["b"].value
    assert isinstance(inner, list)
    assert isinstance(inner[0], Node)
    assert inner[0].keys == {"c": (3, 5)}


def test_byte_order_mark_when_read_then_is_ignored() -> None:
    """Windows editors write it, and it must not shift the first column."""
    assert read(b"\xef\xbb\xbfa: 1\n") == ({"a": "1"}, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(b"a: \xff\n", "f:1:4: the file is not UTF-8 text; save it with the encoding UTF-8", id="bytes"),
        pytest.param(
            "a: 1\nb: \x07", "f:2:4: character U+0007 is not allowed in YAML; remove it", id="control character"
        ),
        pytest.param("&a [*a]", "f:1:5: alias *a refers to a value that contains it; write the values out", id="cycle"),
        pytest.param(
            "a: &x [[[1]]]\nb: " + "[" * 29 + "*x" + "]" * 29,
            "f:2:33: with alias *x, lists and mappings are nested more than 32 deep",
            id="an alias adds depth",
        ),
    ],
)
def test_unreadable_file_when_read_then_says_where_and_why(text: str | bytes, problem: str) -> None:
    """These never reach the YAML library, or it would let them pass."""
    assert read(text) == (None, [problem])


def test_aliases_when_in_bounds_then_stand_for_their_values() -> None:
    """They are the one way to share values between rules of a file."""
    assert read("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y\n")[0] == {"a": ["1", "2"], "b": ["1", "2"], "c": "z", "d": "z"}


def test_many_mistakes_when_read_then_are_all_notified_up_to_a_bound() -> None:
    """One run should show every doubled key, but not a million of them."""
    plain, few = read("a: 1\na: 2\na: 3\n")
    _, many = read("a: 1\n" * 5000)
    assert plain == {"a": "1"}
    assert len(few) == 2
    assert len(many) == 100


def _bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(8)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_bomb(), id="a bomb of aliases"),
        pytest.param("[" * 5000, id="5,000 brackets"),
        pytest.param("{a: " * 5000, id="5,000 braces"),
        pytest.param("- " * 500_000, id="one line of dashes"),
        pytest.param("? " * 500_000, id="one line of question marks"),
        pytest.param("a: " * 300_000, id="one line of keys"),
        pytest.param('"' + "x" * 1_000_000, id="an open quote of 1 MB"),
        pytest.param("&a " * 300_000, id="one line of anchors"),
        pytest.param("!" * 1_000_000, id="one line of exclamation marks"),
        pytest.param("a: 1\n" * 200_000, id="one key 200,000 times"),
        pytest.param("x" * (16 * 2**20 + 1), id="more than 16 MiB"),
    ],
)
def test_hostile_file_when_read_then_is_refused_at_once(text: str) -> None:
    """`check` runs on pull requests of strangers: no crash, no hang, no gigabytes."""
    started = time.process_time()
    source = parse(text.encode(), "f")
    assert source.problems
    assert time.process_time() - started < 1


def test_pure_parser_when_libyaml_is_absent_then_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML comes without libyaml on some platforms."""
    text = 'a: [1, no, "x"]\nb: {c: &d 22:00, e: *d}\n'
    with_c = parse(text.encode(), "f")
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert parse(text.encode(), "f") == with_c
    broken = parse(b"a:\n\t- b\n", "f")
    assert [str(problem) for problem in broken.problems] == ["f:2:1: not valid YAML: a tab cannot indent; use spaces"]
    half = parse(b'a: "\\ud800"\n', "f")
    assert "half of a surrogate pair" in half.problems[0].text


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`?#,\n\t \\0~<"), max_size=60))
def test_any_text_when_read_then_gives_nodes_or_problems(text: str) -> None:
    """Whatever is written, the answer is a tree or a place, never an exception of the library."""
    source = parse(text.encode(), "f")
    lines = text.split("\n")
    for problem in source.problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
    if source.root is not None:
        source.root.native()
