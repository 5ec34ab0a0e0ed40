"""Who may press: members by id, and those of user groups as Slack says them, remembered for a minute."""

from typing import Any, cast

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from alertd.notify.slack.approvers import KEPT_S, Approvers

DANA, KIM, GROUP, OTHER = "U04DANA", "U04KIM", "S04TEAM01", "S04TEAM02"
NOT_AMONG = "Not done: you are not among the approvers of this action in the rules file."


def refused(code: str) -> Exception:
    """Return what slack-sdk raises."""
    return cast("Exception", SlackApiError("no", {"error": code}))  # type: ignore[no-untyped-call] # slack-sdk's


class Slack:
    """Knows the members of groups; counts how often it is asked."""

    def __init__(self) -> None:
        self.groups: dict[str, Any] = {GROUP: [DANA]}
        self.asked: list[str] = []
        self.now_s = 0.0
        self.approvers = Approvers(lambda: self.now_s)

    async def usergroups_users_list(self, *, usergroup: str) -> dict[str, Any]:
        self.asked.append(usergroup)
        found = self.groups.get(usergroup)
        if isinstance(found, Exception):
            raise found
        return {"ok": True, "users": found}

    async def refusal(self, user: str, *approvers: str) -> str:
        return await self.approvers.refusal(cast("AsyncWebClient", self), user, approvers)


async def test_member_when_named_by_id_then_no_group_is_asked_for() -> None:
    """Slack may not answer; who is named may press all the same."""
    slack = Slack()
    assert await slack.refusal(KIM, GROUP, KIM) == ""
    assert await slack.refusal(KIM) == NOT_AMONG
    assert slack.asked == []


async def test_group_when_asked_for_again_then_remembered_for_a_minute_and_no_longer() -> None:
    """Whoever left it may press no more; whoever joined it may."""
    slack = Slack()
    assert await slack.refusal(DANA, GROUP) == ""
    slack.groups[GROUP] = [KIM]
    slack.now_s = KEPT_S - 0.5
    assert (await slack.refusal(DANA, GROUP), await slack.refusal(KIM, GROUP)) == ("", NOT_AMONG)
    assert slack.asked == [GROUP]
    slack.now_s = KEPT_S
    assert (await slack.refusal(DANA, GROUP), await slack.refusal(KIM, GROUP)) == (NOT_AMONG, "")
    assert slack.asked == [GROUP, GROUP]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(refused("missing_scope"), "usergroups:read", id="no scope"),
        pytest.param(refused("no_such_subteam"), "there is no such user group", id="no group"),
        pytest.param(TimeoutError(), "TimeoutError", id="no answer"),
    ],
)
async def test_group_when_it_cannot_be_read_then_nobody_of_it_may_press_until_it_can(
    fault: Exception, why: str
) -> None:
    """A failure is not remembered, and another group is asked for all the same."""
    slack = Slack()
    slack.groups = {GROUP: fault, OTHER: [KIM]}
    refused = await slack.refusal(DANA, GROUP, OTHER)
    assert refused.startswith(f"{NOT_AMONG} The members of a group could not be read ({GROUP}: ")
    assert why in refused
    assert await slack.refusal(KIM, GROUP, OTHER) == ""
    slack.groups[GROUP] = [DANA]
    assert await slack.refusal(DANA, GROUP, OTHER) == ""


async def test_group_when_its_members_are_no_list_then_it_has_none() -> None:
    """What is not understood lets nobody in."""
    slack = Slack()
    slack.groups[GROUP] = {"U04DANA": True}
    assert await slack.refusal(DANA, GROUP) == NOT_AMONG


async def test_group_when_its_time_is_over_and_it_cannot_be_read_then_what_was_known_counts_no_more() -> None:
    """Whoever left it might press for as long as Slack does not answer; other groups count all the same."""
    slack = Slack()
    slack.groups[OTHER] = [KIM]
    assert [await slack.refusal(user, GROUP, OTHER) for user in (DANA, KIM)] == ["", ""]
    slack.now_s = KEPT_S
    for fault in (TimeoutError(), refused("internal_error")):
        slack.groups[GROUP] = fault
        assert (await slack.refusal(DANA, GROUP, OTHER)).startswith(NOT_AMONG)
        assert await slack.refusal(KIM, GROUP, OTHER) == ""
