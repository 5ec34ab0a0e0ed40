"""The demo is the first thing people see: it must count what was billed, to the last digit."""

import re

import pytest

from alertd.demo import demo
from tests.help.documents import README, ROOT, blocks, text_of


# A month of polls takes as long as a thousand other tests; two days of it are lived through in the page's test.
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_demo_when_run_then_counts_exactly_and_shows_and_costs_what_the_pages_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    A month with late, revised and vanishing bills and faults.

    Whoever changes how often or how alertd notifies sees it here: the count, and the message in the README.
    """
    (stated,) = re.findall(r"puts (\d+) messages into its channel", text_of(ROOT / "alertd" / "help" / "slack.md"))
    said: list[str] = []

    is_equal = await demo.run_demo(said.append, seed=7)

    assert is_equal
    text, sent = "\n".join(said), capsys.readouterr().out
    assert ": equal" in text
    assert f"; {stated} messages\n" in text
    (shown,) = blocks(README, "text")
    assert set(shown.splitlines()) <= set(sent.splitlines())
    # The first is about money; that bills cannot be read is said too, once there was something to see.
    assert "owed" in sent.partition("\n\n")[0]
    assert "cannot read the bills" in sent
    # From March 10, 17:00 to March 12, 8:00 at $8.36 an hour: nothing is billed after the hour in which it was stopped.
    assert "the stop of dana-sandbox saved $1,805.76: it was billed $326.04" in text
