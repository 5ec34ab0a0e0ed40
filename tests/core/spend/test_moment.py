"""What was computed at a moment counts only between the reads for which all of it counts."""

from datetime import timedelta

from alertd.core.spend.moment import is_within, moment_of, seconds_of
from tests.core.builders import NOW, RUNNING, desk_with, row


def test_reads_when_several_results_hold_then_the_narrowest_range_of_each_category() -> None:
    """One result that no longer counts is enough to compute them all again."""
    facts = desk_with(row(RUNNING - 3, "1")).facts()
    moment, now_s = moment_of(facts.spend, facts.data), seconds_of(NOW)
    gpu, llm = ("default", "gpu"), ("default", "llm")
    for since, until in ((-50, 90), (-20, 100), (-70, 60), (-60, 70)):
        moment.hold({gpu: (now_s + since, now_s + until)})
    moment.hold({llm: (now_s, now_s + 10)})
    assert moment.reads == {gpu: (now_s - 20, now_s + 60), llm: (now_s, now_s + 10)}

    def holds(seconds: int) -> bool:
        return is_within({gpu: NOW + timedelta(seconds=seconds), llm: NOW}, moment.reads)

    assert [holds(seconds) for seconds in (-21, -20, 59, 60)] == [False, True, True, False]
    assert not is_within({gpu: NOW}, moment.reads), "a category that is read no more"
