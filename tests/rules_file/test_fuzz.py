"""Whatever happens to a good file, loading it gives rules or problems with places, soon."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertd.errors import Problem, RulesError
from alertd.rules_file.load import load_rules
from tests.examples import examples

GOOD = Path(__file__).parent.parent / "rules" / "good"
TEXTS = [(GOOD / name).read_text(encoding="utf-8") for name in ("language.yaml", "spellings.yaml", "yaml-forms.yaml")]
WORDS = [
    "null", "true", "[]", "{}", "-", ":", "&a", "*a", "!", "?", "'", '"', "\t", "0", "-1", "1e99", ".nan", "%", "a: b",
    "[[[[", "name", "owner", "24h", "\n", "  ", "{{", "<<: *a", "é", "\x00", "summary", "never", "99999999999999999999",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a good file with a few lines or words cut, doubled or replaced."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["drop", "double", "indent", "value", "insert", "join"]))
        line = lines[at]
        match what:
            case "drop":
                lines[at] = ""
            case "double":
                lines.insert(at, line)
            case "indent":
                lines[at] = " " * draw(st.integers(0, 6)) + line.lstrip()
            case "value":
                lines[at] = line.partition(":")[0] + ": " + draw(st.sampled_from(WORDS))
            case "join":
                lines[at] = line + draw(st.sampled_from(lines))
            case _:
                cut = draw(st.integers(0, len(line)))
                lines[at] = line[:cut] + draw(st.sampled_from(WORDS)) + line[cut:]
    return "\n".join(lines)


@settings(examples(15, thorough=150), suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_good_file_when_mutated_then_loads_or_reports_places(text: str) -> None:
    """No mistake may show a traceback or hang `check`."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yaml"
        file.write_text(text, encoding="utf-8")
        started = time.process_time()
        problems = _problems(file)
        assert time.process_time() - started < 3
        assert all(one.path == str(file) and one.line >= 1 and one.column >= 1 for one in problems)
        assert not any("Input should" in one.text or "\n" in one.text for one in problems)


def _problems(file: Path) -> tuple[Problem, ...]:
    try:
        return load_rules(file).warnings
    except RulesError as error:
        return error.problems
