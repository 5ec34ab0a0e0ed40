"""How long servers ask to wait, in every spelling that they use; the one reader for bills and notifications."""

from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.retry_after import parse_http_date, retry_after

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"Retry-After": ""}, None, id="an empty header"),
        pytest.param({"Retry-After": "30"}, 30, id="seconds"),
        pytest.param({"Retry-After": " 30 "}, 30, id="blanks around"),
        pytest.param({"Retry-After": "0.5"}, 0.5, id="a fraction, which some servers send"),
        pytest.param({"Retry-After": "999999999"}, 999999999, id="31 years: the caller bounds it"),
        pytest.param({"Retry-After": "9" * 400}, 999999999, id="more than a number can hold"),
        pytest.param({"Retry-After": "-5"}, None, id="a negative number is none"),
        pytest.param({"Retry-After": "nan"}, None, id="no number"),
        pytest.param({"Retry-After": "٣٠"}, None, id="digits that are not ASCII"),
        pytest.param({"Retry-After": "Sat, 10 Jan 2026 12:02:00 GMT"}, 120, id="a date, by our clock"),
        pytest.param({"Retry-After": "Sat, 10 Jan 2026 11:00:00 GMT"}, 0, id="a date that is past"),
        pytest.param(
            {"Retry-After": "Sat, 10 Jan 2026 13:00:30 GMT", "Date": "Sat, 10 Jan 2026 13:00:00 GMT"},
            30,
            id="a date, by the server's own clock",
        ),
        pytest.param({"Retry-After": "soon"}, None, id="a word"),
        pytest.param({"Retry-After": "Sat, 99 Jan 2026 12:00:00 GMT"}, None, id="no date"),
    ],
)
def test_retry_after_then_the_wait_in_any_spelling(headers: dict[str, str], seconds: float | None) -> None:
    """What cannot be read is left to the caller's own wait."""
    found = retry_after(headers, now=NOW)
    assert found == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("text", [None, "", "yesterday", "Sat, 10 Jan 99999999999 12:00:00 GMT"])
def test_http_date_when_it_is_none_then_none(text: str | None) -> None:
    """A server's odd date is no reason to fail."""
    assert parse_http_date(text) is None
