"""Logs: one line an event, no secret, no control characters, and never a reason to stop."""

import io
import json
import logging

import pytest

from alertd.log import configure_logging, configure_logging_when_used, get_logger, write_out

SECRET = "xoxb-canary-4711"


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


def test_secret_when_logging_is_set_up_at_the_first_line_then_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that only asks sets nothing up until it has something to log."""
    configure_logging_when_used(style="json", level="info", secrets=iter([SECRET]))
    get_logger().warning("boom", url=f"https://x/{SECRET}")
    write_out()
    text = capsys.readouterr().err
    assert json.loads(text)["event"] == "boom"
    assert SECRET not in text
