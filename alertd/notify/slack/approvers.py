"""Who may press a button: members by id, and user groups, whose members are queried from Slack."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

KEPT_S = 60.0
"""Seconds for which the members of a group are cached: whoever left it may press for no longer than that."""
_REMEDIES = {
    "missing_scope": "give the app the scope usergroups:read",
    "no_such_subteam": "there is no such user group",
}


class Approvers:
    """
    Decides for one app whether somebody may press; caches groups for a minute.

    Args:
        elapsed: Seconds on a clock that never steps.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    async def refusal(self, web: "AsyncWebClient", user_id: str, approvers: Sequence[str]) -> str:
        """Return why somebody may not press, empty if they may; a group that cannot be read admits nobody."""
        if user_id in approvers:
            return ""
        unread = []
        for group in (one for one in approvers if one.startswith("S")):
            members = await self._members(web, group)
            if isinstance(members, str):
                unread.append(f"{group}: {members}")
            elif user_id in members:
                return ""
        why = f" The members of a group could not be read ({'; '.join(unread)})." if unread else ""
        return f"Not done: you are not among the approvers of this action in the rules file.{why}"

    async def unread(self, web: "AsyncWebClient", groups: Iterable[str]) -> list[str]:
        """Return the reason and remedy for each group whose members Slack does not reveal."""
        said = {group: await self._members(web, group) for group in groups}
        return [f"{group}: {why}" for group, why in said.items() if isinstance(why, str)]

    async def _members(self, web: "AsyncWebClient", group: str) -> frozenset[str] | str:
        """Return the members of a user group, or why they are unknown."""
        import aiohttp  # noqa: PLC0415 -- as in app: only those with an app token need it
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415

        from alertd.notify.slack.web_client import what_slack_said  # noqa: PLC0415

        known = self._groups.get(group)
        if known is not None and self._elapsed() - known[0] < KEPT_S:
            return known[1]
        try:
            answer = await web.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            code = str(what_slack_said(error).get("error") or "")
            return _REMEDIES.get(code, code or "no readable answer")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
        users = answer.get("users")
        found = frozenset(user for user in users if isinstance(user, str)) if isinstance(users, list) else frozenset()
        self._groups[group] = (self._elapsed(), found)
        return found
