"""The HTML of mails is HTML: what a strict parser finds, a mail client guesses at."""

import html5lib
import pytest
from hypothesis import given

from alertd.core.messages.compose import compose_test
from alertd.core.messages.message import Message
from alertd.notify.email.notifier import html
from alertd.notify.text import printable
from tests.builders import firing_message, resolved_message, storm_message
from tests.core.builders import NOW
from tests.examples import examples
from tests.notify.slack.test_blocks import messages


def errors(message: Message) -> list[str]:
    """What the HTML standard calls parse errors, and elements that did not come out as they were written."""
    parser = html5lib.HTMLParser()
    parser.parse(html(printable(message), picture_id="chart@alertd"))
    return [f"{place}: {code} {details}" for place, code, details in parser.errors]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(firing_message(), id="firing"),
        pytest.param(resolved_message(), id="resolved"),
        pytest.param(storm_message(), id="storm"),
        pytest.param(compose_test("mail", now=NOW), id="test"),
    ],
)
def test_html_when_parsed_strictly_then_without_error(message: Message) -> None:
    """Gmail, Outlook and Apple Mail mend mistakes each in their own way."""
    assert errors(message) == []


@examples(3, thorough=60)
@given(messages)
def test_html_when_the_content_is_hostile_then_still_without_error(message: Message) -> None:
    """Names from bills cannot break out of their places."""
    assert errors(message) == []
