"""What people paste from Slack, in the forms in which its menus copy it."""

from collections.abc import Callable

import pytest

from alertd.core.slack_ids import parse_approver_id, parse_channel, parse_member_id, parse_owner_id

READERS = (parse_owner_id, parse_approver_id, parse_channel, parse_member_id)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("{id}", id="bare"),
        pytest.param(" {id}\n", id="with blanks around it"),
        pytest.param("<@{id}>", id="a mention"),
        pytest.param("<@{id}|dana>", id="a mention with a name"),
        pytest.param("<#{id}|>", id="a channel with an empty name"),
        pytest.param("<!subteam^{id}|@ops>", id="a user group"),
        pytest.param("https://acme.slack.com/archives/{id}", id="a link"),
        pytest.param("https://acme.slack.com/archives/{id}/p1768046701000100?x=1", id="a link to a message"),
        pytest.param("https://acme.slack.com/team/{id}", id="a link to a member"),
        pytest.param("https://app.slack.com/client/T0123ACME/{id}", id="a link of the browser"),
    ],
)
def test_id_when_pasted_in_any_form_then_read_by_whatever_takes_its_kind(written: str) -> None:
    """The kind is its first letter: members, user groups, channels."""
    taken = {
        kind: [reader for reader in READERS if _read(reader, written.format(id=f"{kind}04ABCDEF")) == f"{kind}04ABCDEF"]
        for kind in "UWSCGDT"
    }
    assert taken == {
        "U": [parse_owner_id, parse_approver_id, parse_channel, parse_member_id],
        "W": [parse_owner_id, parse_approver_id, parse_channel, parse_member_id],
        "S": [parse_owner_id, parse_approver_id],
        "C": [parse_owner_id, parse_channel],
        "G": [parse_owner_id, parse_channel],
        "D": [parse_owner_id, parse_channel],
        "T": [],
    }


@pytest.mark.parametrize(
    ("text", "is_channel"),
    [
        pytest.param("#finops", True, id="a name"),
        pytest.param("finops", True, id="a name without its sign"),
        pytest.param("#финансы_2", True, id="any script"),
        pytest.param("#FinOps", False, id="capitals, which no channel has"),
        pytest.param("#fin ops", False, id="a blank"),
        pytest.param("#" + "a" * 80, True, id="as long as a name may be"),
        pytest.param("#" + "a" * 81, False, id="longer"),
        pytest.param("U04", False, id="too short for an id"),
    ],
)
def test_name_then_is_a_channel_and_nothing_else(text: str, is_channel: bool) -> None:
    """Only channels have names that count."""
    assert [_read(reader, text) for reader in READERS] == ["", "", text if is_channel else "", ""]


def _read(reader: Callable[[str], str], text: str) -> str:
    try:
        return reader(text)
    except ValueError:
        return ""
