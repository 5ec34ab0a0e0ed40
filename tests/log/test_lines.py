"""Logs: one line an event, no secret, no control characters, and never a reason to stop."""

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import alertd
from alertd.log import REPEATS_S, configure_logging, configure_logging_when_used, get_logger, write_out

SECRET = "xoxb-canary-4711"
EVENT = re.compile(r"[a-z][a-z0-9]*( [a-z0-9]+){1,5}")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = re.compile(r"\b_?(log|trouble)$|get_logger\(\)$")
PASSED_ON = {("log/__init__.py", "event"), ("web/connections.py", "why"), ("notify/delivery/deliver.py", "event")}
"""Where the event is a variable; what it may be is tested there."""


def logged(style: str, **facts: object) -> str:
    """Log one event and return what was written."""
    stream = io.StringIO()
    configure_logging(style=style, level="info", secrets=[SECRET], stream=stream)
    get_logger().info("notification delivered", **facts)
    return stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"url": f"https://x/{SECRET}"}, id="in a text"),
        pytest.param({"deep": [{"token": SECRET}]}, id="deep inside"),
        pytest.param({"error": ValueError(SECRET)}, id="in an object"),
    ],
)
def test_secret_when_logged_anywhere_then_masked(style: str, facts: dict[str, object]) -> None:
    """A secret in a log is a secret lost."""
    text = logged(style, **facts)

    assert SECRET not in text
    assert "********" in text


def test_event_when_data_has_line_ends_then_stays_one_line() -> None:
    """A name from a bill must not forge a log line."""
    text = logged("console", owner="gpu-1\nlevel=error forged \x1b[31m")

    assert text.count("\n") == 1
    assert "\x1b[31m" not in text


def test_event_when_json_then_fixed_keys() -> None:
    """Machines read event, level and timestamp."""
    event = json.loads(logged("json", rows=7))

    assert (event["event"], event["level"], event["rows"]) == ("notification delivered", "info", 7)
    assert event["timestamp"].endswith("Z")


def test_library_when_it_logs_a_secret_then_masked_and_debug_is_silent() -> None:
    """HTTP libraries print URLs; theirs are held at WARNING and masked too."""
    stream = io.StringIO()
    configure_logging(style="json", level="debug", secrets=[SECRET], stream=stream)
    logging.getLogger("httpx").info("GET https://hooks/%s", SECRET)
    logging.getLogger("slack_sdk").warning("failed: %s", SECRET)

    assert "GET" not in stream.getvalue()
    assert "failed: ********" in stream.getvalue()


def test_library_when_it_logs_in_a_loop_then_five_lines_pass_and_later_one_with_the_number_of_the_rest() -> None:
    """Asyncio without descriptors fills a disk; each form of a line is counted by itself, the second time anew."""
    stream = io.StringIO()
    configure_logging(style="json", level="info", secrets=[], stream=stream)

    def passed(*at: float, text: str = "accept failed: %s") -> list[str]:
        stream.seek(0)
        stream.truncate()
        for seconds in at:
            record = logging.LogRecord("asyncio", logging.ERROR, "", 0, text, (24,), None)
            record.created = seconds
            logging.getLogger("asyncio").handle(record)
        return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]

    plain, last = "accept failed: 24", REPEATS_S - 1
    assert passed(*[0.0] * 4, last) == [plain] * 5
    assert passed(last, last, last) == []
    assert passed(last, text="select failed: %s") == ["select failed: 24"]
    assert passed(REPEATS_S) == [f"{plain} (and 3 more like it before)"]
    assert passed(*[REPEATS_S] * 5) == [plain] * 4
    assert passed(2 * REPEATS_S) == [f"{plain} (and 1 more like it before)"]
    assert passed(3 * REPEATS_S) == [plain]
    # The clock by which lines are dated may be set back.
    assert passed(0) == [plain]


def test_secret_when_logging_is_set_up_at_the_first_line_then_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that only asks sets nothing up until it has something to log."""
    configure_logging_when_used(style="json", level="info", secrets=iter([SECRET]))
    get_logger().warning("boom", url=f"https://x/{SECRET}")
    write_out()
    text = capsys.readouterr().err
    assert json.loads(text)["event"] == "boom"
    assert SECRET not in text


def logged_events() -> Iterator[tuple[str, ast.expr]]:
    """Yield the first argument of every call of a logger in alertd, with its file."""
    root = Path(alertd.__file__).parent
    for path in sorted(root.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if not any(word in source for word in ("log.", "trouble.", "get_logger()")):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and node.args:
                called = node.func.body if isinstance(node.func, ast.IfExp) else node.func
                if (
                    isinstance(called, ast.Attribute)
                    and called.attr in LEVELS
                    and LOGGERS.search(ast.unparse(called.value))
                ):
                    yield path.relative_to(root).as_posix(), node.args[0]


def test_events_when_logged_then_fixed_lower_case_words_without_values() -> None:
    """Whoever searches or counts them must find each by one text: values are keys."""
    found = list(logged_events())
    assert len(found) > 60
    wrong = {
        f"{place}: {ast.unparse(event)}"
        for place, event in found
        if (place, ast.unparse(event)) not in PASSED_ON
        and not (isinstance(event, ast.Constant) and EVENT.fullmatch(str(event.value)))
    }
    assert wrong == set()
