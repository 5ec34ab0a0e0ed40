"""What the forms of the status page ask for: the same form, sent twice, is one request; another form is another one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.actions import Act
from alertd.core.alerts.requests import Acknowledge, AddSilence, RequestError
from alertd.web.pages import acknowledgement, action, silence
from tests.core.builders import NOW

FINGERPRINT = "1c00c82c6fe2430d"
CONFIRMED = {"confirm": "1", "action": "stop", "episode": "3", "mark": "m"}
SILENT = {"length": "1h", "comment": "run 12", "episode": "3", "mark": "m"}


def acted(fields: Mapping[str, str], *, fingerprint: str = FINGERPRINT, now: datetime = NOW) -> Act:
    return action(fingerprint, fields, by="dana", now=now)


def silenced(fields: Mapping[str, str], *, fingerprint: str = FINGERPRINT, now: datetime = NOW) -> AddSilence:
    return silence(fingerprint, fields, by="dana", now=now, timezone="Europe/Berlin")


def test_acknowledgement_when_read_then_each_field_has_its_own_value() -> None:
    found = acknowledgement(FINGERPRINT, {"episode": "3"}, by="dana")
    assert found == Acknowledge(fingerprint=FINGERPRINT, by="dana", undo=False, episode=3)
    assert acknowledgement(FINGERPRINT, {"undo": "1"}, by="dana").undo
    assert not acknowledgement(FINGERPRINT, {"undo": "0"}, by="dana").undo


def test_action_when_read_then_each_field_has_its_own_value() -> None:
    """Who asks is known here as somebody of the page: the same name elsewhere is another person."""
    found = acted(CONFIRMED)
    assert found == Act(
        id=found.id,
        fingerprint=FINGERPRINT,
        by="dana",
        person="page:dana",
        action="stop",
        undo=False,
        episode=3,
    )
    assert acted({**CONFIRMED, "undo": "1"}).undo
    for fields in ({}, {"confirm": "0"}, {"confirm": "yes"}):
        with pytest.raises(RequestError, match="tick the box first"):
            acted(fields)


def test_silence_when_read_then_each_field_has_its_own_value() -> None:
    """It ends by the clock of the zone that the page shows."""
    found = silenced(SILENT)
    assert (found.by, found.comment, found.episode) == ("dana", "run 12", 3)
    assert [(name, patterns.texts) for name, patterns in found.matchers] == [("fingerprint", (FINGERPRINT,))]
    assert found.ends_at == NOW + timedelta(hours=1)
    assert silenced({**SILENT, "length": "month-end"}).ends_at == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert silenced({**SILENT, "length": "resolved"}).until_resolved


def test_form_when_sent_twice_then_one_request_however_much_later() -> None:
    """A browser repeats what it thinks was lost; a script that gives no mark means each of its requests."""
    later = NOW + timedelta(seconds=5)
    assert acted(CONFIRMED).id == acted(CONFIRMED, now=later).id
    assert silenced(SILENT).id == silenced(SILENT, now=later).id
    assert acted({"confirm": "1"}).id != acted({"confirm": "1"}, now=later).id
    assert silenced({"length": "1h"}).id != silenced({"length": "1h"}, now=later).id


def test_form_when_it_is_another_one_then_another_request() -> None:
    """A stop and its undo, two alerts, two lengths, two pages."""
    other = "2" * 16
    actions = [
        acted(CONFIRMED),
        acted({**CONFIRMED, "undo": "1"}),
        acted({**CONFIRMED, "mark": "n"}),
        acted(CONFIRMED, fingerprint=other),
    ]
    silences = [
        silenced(SILENT),
        silenced({**SILENT, "length": "24h"}),
        silenced({**SILENT, "mark": "n"}),
        silenced(SILENT, fingerprint=other),
    ]
    ids = [*(one.id for one in actions), *(one.id for one in silences)]
    assert len(set(ids)) == len(ids)
