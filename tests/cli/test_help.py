"""`alertd help`: topics, pages for a terminal, Markdown, and what to do about a topic that is not there."""

import re
import subprocess
import sys

import pytest

from alertd.cli.help import NAMES, TOPICS, read_page, summary_of
from alertd.cli.help_text import render
from alertd.cli.root import COMMANDS, run
from tests.help.documents import PAGES, text_of

STYLE = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (40, 80, 100)
CONTRACT = {"rules", "settings", "metrics", "receivers", "budgets", "tests"}


def test_topics_when_compared_with_the_pages_then_the_same() -> None:
    """A page that is not listed is not found, and one that is listed must be there."""
    assert sorted(NAMES) == sorted(path.stem for path in PAGES)
    assert set(NAMES) >= CONTRACT


def test_topics_when_listed_then_one_line_of_a_terminal_each(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is for choosing at a glance."""
    assert run(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(NAMES)
    assert [line for line in lines if line in {heading for heading, _ in TOPICS}] == [heading for heading, _ in TOPICS]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_page_when_opened_then_begins_with_title_and_summary(name: str) -> None:
    """The list takes the third line."""
    page = read_page(name)
    assert re.match(r"# .+\n\n.+\n\n", page)
    assert summary_of(page).endswith(".")


def unbroken(page: str) -> set[str]:
    """The lines of a page that are shown as they are, however wide: code and headings."""
    code = [line for block in re.findall(r"```\w+\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    return {f"    {line}".rstrip() for line in code} | set(re.findall(r"^#+ (.+)$", page, re.MULTILINE))


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", STYLE.sub("", text)))


def headings(page: str) -> set[str]:
    """The words in the first rows of tables: where a table is set row by row, most are left out."""
    return words(" ".join(re.findall(r"^(\|.*)\n\| ---", page, re.MULTILINE)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_page_when_rendered_then_every_word_is_there_within_the_width(name: str, width: int) -> None:
    """Wrapping loses nothing; only what must not be broken (code, headings, long names) may be wider."""
    page = read_page(name)
    text = render(page, width=width, has_colour=False)
    for line in set(text.splitlines()) - unbroken(page):
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= width or longest + 8 > width, line
    shown = re.sub(r"```.*?```|<!--.*?-->|<img[^>]*>|\]\([^)]*\)", " ", page, flags=re.DOTALL)
    assert words(shown) - words(text) <= headings(page)


@pytest.mark.parametrize("name", NAMES)
def test_page_when_coloured_then_the_same_words_with_styles(name: str) -> None:
    """Colour adds to the text and takes only the marks that it stands for."""
    page = read_page(name)
    plain, coloured = (render(page, width=80, has_colour=has_colour) for has_colour in (False, True))
    assert "\x1b[" not in plain
    assert "\x1b[1;4m" in coloured
    assert words(plain) ^ words(coloured) <= headings(page)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        pytest.param(
            "| a | b |\n| --- | --- |\n| `x` | one |\n", "a    b\n---  ---\n`x`  one\n", id="a table in columns"
        ),
        pytest.param(
            "| key | meaning | default |\n| --- | --- | --- |\n| `a_rather_long_name` | " + "word " * 9 + "| 24h |\n",
            "`a_rather_long_name`\n    word word word word word word word\n    word word\n    default: 24h\n",
            id="a table that is too wide, row by row",
        ),
        pytest.param(
            "| a | b |\n| --- | --- |\n| x \\| y | z |\n", "a      b\n-----  -\nx | y  z\n", id="a bar in a cell"
        ),
        pytest.param("- one\n  goes on\n- two\n", "  - one goes on\n  - two\n", id="a list"),
        pytest.param("see [budgets](budgets.md).\n", "see budgets (alertd help budgets).\n", id="a link to a page"),
        pytest.param("see [`a/b`](../../a/b).\n", "see `a/b`.\n", id="a link to a file"),
        pytest.param(
            "see <https://a.example>, **bold** and *so*\n", "see https://a.example, bold and so\n", id="marks"
        ),
        pytest.param("a\n\n<img src='x'>\n\n<!-- c -->\n\nb\n", "a\n\nb\n", id="pictures and comments are left out"),
        pytest.param("```yaml\nx: *a*\n\n- `y`\n```\n", "    x: *a*\n\n    - `y`\n", id="code is left alone"),
        pytest.param("`gpu-*` and `x-*`\n", "`gpu-*` and `x-*`\n", id="stars in code are no emphasis"),
    ],
)
def test_markdown_when_rendered_then_reads_well(markdown: str, expected: str) -> None:
    """Each form that the pages use."""
    assert render(markdown, width=40, has_colour=False) == expected


@pytest.mark.parametrize("name", NAMES)
def test_page_when_written_as_markdown_then_is_the_file(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For a wiki, or a program that reads Markdown."""
    assert run(["help", name, "--markdown"]) == 0
    (path,) = (path for path in PAGES if path.stem == name)
    assert capsys.readouterr().out == text_of(path)


@pytest.mark.parametrize(
    ("topic", "remedy"),
    [
        pytest.param("ruls", 'Did you mean "rules"?', id="a typing error in a topic"),
        pytest.param("statsu", 'Did you mean "status"?', id="a typing error in a command"),
        pytest.param("rolling_spend", "alertd help rules", id="a rule type"),
        pytest.param("alertd_spend_month_usd", "alertd help metrics", id="a metric"),
        pytest.param("PagerDuty", "alertd help receivers", id="a word of a heading"),
        pytest.param("qqq", "`alertd help` lists all", id="nothing near"),
    ],
)
def test_topic_when_unknown_then_usage_error_that_says_where_to_look(
    topic: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, as for every wrong usage."""
    assert run(["help", topic]) == 2
    assert remedy in capsys.readouterr().err


def test_topic_when_the_name_of_a_command_then_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever knows other programs types it so."""
    assert run(["help", "spend"]) == 0
    assert capsys.readouterr().out.startswith("Usage: alertd spend [OPTIONS]")
    assert "spend" in COMMANDS


def test_help_when_a_page_is_shown_then_imports_nothing_heavy() -> None:
    """The reference is at hand at once: pages are files."""
    code = (
        "import sys; from alertd.cli.root import run; run(['help', 'rules']);"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'pydantic', 'pydantic_settings', 'numpy', 'httpx', 'aiohttp', 'slack_sdk', 'yaml', 'jinja2', 'asyncio'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
