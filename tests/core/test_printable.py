"""Foreign text in a terminal, a log or a header does nothing but be read."""

import pytest

from alertd.core.owners import OwnerDirectory
from alertd.core.printable import escape_controls, one_line


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        pytest.param("trainer-a", "trainer-a", "trainer-a", id="plain"),
        pytest.param("größe 日本 🙂", "größe 日本 🙂", "größe 日本 🙂", id="letters of the world"),
        pytest.param("a\nb", "a b", r"a\nb", id="a second line"),
        pytest.param("a\r\nBcc: x", "a Bcc: x", r"a\r\nBcc: x", id="a forged header"),
        pytest.param("ä\x1b[31mred", "ä [31mred", r"ä\x1b[31mred", id="a colour; the letters beside it stay"),
        pytest.param("\x9b31m", "31m", r"\x9b31m", id="C1: one byte is an escape sequence too"),
        pytest.param("$\u202e001", "$ 001", r"$\u202e001", id="the reading direction"),
        pytest.param("a\u2028b", "a b", r"a\u2028b", id="a line separator"),
        pytest.param("a\ud800b", "a b", r"a\ud800b", id="half of a pair, which has no UTF-8"),
        pytest.param("a\ufeffb", "a b", r"a\ufeffb", id="a byte-order mark"),
        pytest.param("1\u00a0000", "1 000", "1 000", id="a space of another width is a space"),
        pytest.param("a\u206ab", "a b", r"a\u206ab", id="a mark that swaps letters"),
        pytest.param("a\U000e0041b", "a b", r"a\U000e0041b", id="a tag, which nobody sees"),
        pytest.param("a\ufffbb", "a b", r"a\ufffbb", id="an annotation"),
        pytest.param("gp\u200bu", "gp u", r"gp\u200bu", id="a space without width"),
        pytest.param("\u200b\u2060\u200d", "", r"\u200b\u2060\u200d", id="only what nobody sees"),
        pytest.param("\u3164\u115f \u2800", "", r"\u3164\u115f \u2800", id="letters that are not drawn"),
        pytest.param("\u0301\ufe0f", "", r"\u0301\ufe0f", id="accents without a letter"),
        pytest.param(
            "a" + "\u0336" * 50 + "b", "a\u0336\u0336\u0336b", "a\u0336\u0336\u0336b", id="a flood of accents"
        ),
        pytest.param(
            "Tiê\u0301ng क्षि ที่ 👩\u200d🔬",
            "Tiê\u0301ng क्षि ที่ 👩\u200d🔬",
            "Tiê\u0301ng क्षि ที่ 👩\\u200d🔬",
            id="scripts",
        ),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_text_then_nothing_in_it_is_obeyed(text: str, line: str, shown: str) -> None:
    """One line each: what messages carry, and what terminals and logs show."""
    assert (one_line(text), escape_controls(text)) == (line, shown)
    assert one_line(text).replace("\u200d", "").isprintable()
    assert escape_controls(text).isprintable()


@pytest.mark.parametrize("name", ["\u200b\u200b\u2060", "\u3164", "\u0301\u0302", "\u200d", "   "])
def test_name_when_nothing_of_it_is_seen_then_the_id_stands_alone(name: str) -> None:
    """A message about " (gpu-1)", or about nobody at all, helps no one."""
    assert OwnerDirectory(names={"gpu-1": name}).display("gpu-1") == "gpu-1"
    assert OwnerDirectory().display("\u200b") == r"\u200b"
