"""`alertd check --online`: checks accounts and receivers concurrently, without sending anything."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of
from alertd.daemon.accounts import open_instances, open_sources
from alertd.daemon.checked_time import timekeeper
from alertd.daemon.state import BillSource
from alertd.daemon.timekeeper import Timekeeper
from alertd.errors import ApiCategoryUnknown, ApiError
from alertd.notify.base import Checkable, Notifier
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings

if TYPE_CHECKING:
    from alertd.novita.instances import InstanceClient

DEADLINE_S = 60.0
"""Seconds for each check: giving up is more helpful than hanging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    about: str
    """`account "prod"`, `receiver "finops"`."""
    faults: tuple[str, ...] = ()
    is_asked: bool = True
    """False if only a real message could show it."""


async def check_online(
    rules: LoadedRules, settings: Settings, notifiers: Mapping[str, Notifier]
) -> tuple[Finding, ...]:
    """
    Return the results for every account and receiver, in the order of the rules file.

    Raises:
        SettingsError: The key of an account is missing.
    """
    time = timekeeper(settings)
    async with AsyncExitStack() as stack:
        sources = open_sources(rules, settings, stack, hear=time.hear)
        for notifier in notifiers.values():
            stack.push_async_callback(notifier.close)
        questions = [_within(f'account "{name}"', _account_faults(source, time)) for name, source in sources.items()]
        for (action, account), client in open_instances(rules, settings, stack).items():
            questions.append(_within(f'action "{action}", account "{account}"', _key_faults(client)))
        if (question := group_question(rules, settings)) is not None:
            questions.append(_within("approvers", question))
        questions += [_within(f'receiver "{name}"', _receiver_faults(notifier)) for name, notifier in notifiers.items()]
        found = await asyncio.gather(*questions)
    time.verdict()
    return (*found, Finding(about="clock", faults=(time.fault.text,) if time.fault is not None else ()))


async def _within(about: str, question: Coroutine[object, object, tuple[str, ...] | None]) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE_S):
            faults = await question
    except TimeoutError:
        faults = (f"no answer within {DEADLINE_S:.0f} s",)
    return Finding(about=about, faults=faults or (), is_asked=faults is not None)


async def _account_faults(source: BillSource, time: Timekeeper) -> tuple[str, ...]:
    """Read the last hour of one category; the key is valid even if the account does not have the category."""
    now = hour_of(time.now())
    try:
        await source.read_bills("gpu", HourRange(now - 1, now))
    except ApiCategoryUnknown:
        return ()
    except ApiError as error:
        return (str(error),)
    return ()


async def _key_faults(client: "InstanceClient") -> tuple[str, ...]:
    fault = await client.key_fault()
    return (fault,) if fault else ()


def group_question(rules: LoadedRules, settings: Settings) -> Coroutine[object, object, tuple[str, ...]] | None:
    """Return the check that members of approving user groups can be read; None without actions in Slack."""
    groups = sorted({group for action in rules.actions for group in action.approvers if group.startswith("S")})
    token = settings.plain("slack_bot_token")
    if not groups or not token or not settings.plain("slack_app_token"):
        return None
    from alertd.notify.slack.api import SlackApi  # noqa: PLC0415 -- as in the notifier: slack-sdk only where it is used

    api = SlackApi(token=token, webhook_url=None, base_url=settings.slack_base_url, outgoing=settings.outgoing)

    async def ask() -> tuple[str, ...]:
        return tuple(await api.check_groups(groups))

    return ask()


async def _receiver_faults(notifier: Notifier) -> tuple[str, ...] | None:
    if not isinstance(notifier, Checkable):
        return None
    return tuple(await notifier.check())
