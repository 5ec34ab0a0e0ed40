"""
What Slack's answers mean for a message, and the remedies; pure.

Source of the codes: https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

import json
import re
from collections.abc import Mapping

from alertd.clock import utc_now
from alertd.core.retry_after import retry_after
from alertd.notify.base import ConfigurationRefused, ContentRefused, Delivered, NotSent, Outcome, Unknown
from alertd.notify.text import quoted

# Slack did nothing, and asks for a retry.
_LATER = {"ratelimited", "rate_limited", "message_limit_exceeded", "request_timeout", "team_added_to_org"}

# "It's possible some aspect of the operation succeeded before the error was raised."
_AMBIGUOUS = {"fatal_error", "internal_error", "service_unavailable"}

_CONTENT = {
    "cannot_reply_to_message",
    "invalid_arg_name",
    "invalid_arguments",
    "invalid_array_arg",
    "invalid_attachments",
    "invalid_charset",
    "invalid_form_data",
    "invalid_json",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "invalid_payload",
    "invalid_thread_ts",
    "json_not_object",
    "markdown_text_conflict",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "thread_not_found",
    "too_many_attachments",
}

# `invalid_blocks` and `invalid_blocks_format`, and possible answers of a Slack that does not know a type of block.
_ABOUT_BLOCKS = re.compile(r"(?:invalid|unknown|unsupported)_block(?:s|_|$)")

# The message was deleted, or the workspace no longer allows edits: there is nothing left to correct.
_UNCHANGEABLE = {"message_not_found", "cant_update_message", "edit_window_closed"}

_BOT_REMEDY = "put the app's current bot token (xoxb-…) into ALERTD_SLACK_BOT_TOKEN or the receiver's bot_token_env"
_ADMIN_REMEDY = "ask a workspace admin to let the app post in {channel}"
_REMEDIES = {
    "account_inactive": f"the app was removed from the workspace: install it again and {_BOT_REMEDY}",
    "access_denied": _ADMIN_REMEDY,
    "accesslimited": "the workspace does not accept this network: add this host's address to Slack's allow list",
    "cannot_dm_bot": "{channel} is a bot: name a channel or a person",
    "channel_not_found": (
        "there is no {channel} that the app can see: check the name; for a private channel invite the app: "
        "/invite @alertd in {channel}"
    ),
    "ekm_access_denied": "a workspace admin suspended access with Enterprise Key Management",
    "enterprise_is_restricted": "the token belongs to an organisation: install the app in the workspace itself",
    "invalid_auth": f"the token is wrong: {_BOT_REMEDY}",
    "is_archived": "{channel} is archived: unarchive it or name another channel",
    "messages_tab_disabled": "switch on the Messages tab under App Home in the app's settings",
    "metadata_must_be_sent_from_app": f"the token is not an app's: {_BOT_REMEDY}",
    "missing_scope": "add the scope under OAuth & Permissions in the app's settings and install the app again",
    "no_permission": _ADMIN_REMEDY,
    "not_allowed_token_type": f"this kind of token may not post: {_BOT_REMEDY}",
    "not_authed": f"no token arrived: {_BOT_REMEDY}",
    "not_in_channel": "invite the app: /invite @alertd in {channel}",
    "org_login_required": "the workspace is moving into an organisation: install the app again when it is done",
    "team_access_not_granted": "install the app in the workspace of {channel}",
    "token_expired": f"the token has expired: switch token rotation off, or {_BOT_REMEDY}",
    "token_revoked": f"the token was revoked: {_BOT_REMEDY}",
    "user_not_found": "there is no person {channel}: check the owner's Slack id",
}
_RESTRICTED_REMEDY = "only some people may post in {channel}: let the app post there in the channel's settings"
_WEBHOOK_REMEDY = "make a new webhook under Incoming Webhooks in the app's settings and set its URL"
# Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_WEBHOOK_GONE = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)
_WEBHOOK_CONTENT = _CONTENT | {"invalid_payload", "missing_text_or_fallback_or_attachments"}
_UNKNOWN_REMEDY = "see https://docs.slack.dev/reference/methods/chat.postMessage#errors"


def outcome_of_answer(*, status: int, headers: Mapping[str, str], code: str, detail: str = "", channel: str) -> Outcome:
    """
    Return what an answer of the Web API other than "ok" means.

    An unknown code blocks the receiver: Slack certainly refused, so nothing is sent twice, and a
    blocked receiver is reported at once and retried later, so nothing is lost.

    Args:
        code: Slack's `error`; empty if the answer could not be read.
        detail: Further details from Slack: the missing scope, the place in the blocks.
    """
    said = f"Slack says {code} for {channel}" if code else f"Slack answered {status} for {channel}"
    said += f" ({quoted(detail)})" if detail else ""
    if status in {408, 429} or code in _LATER:
        return NotSent(said, retry_after(headers, now=utc_now()))
    if status >= 500 or code in _AMBIGUOUS:
        return Unknown(said)
    if code:
        return _refusal(code, said, channel)
    if status < 300:
        return Unknown(f"{said}, and its answer cannot be read")
    if status < 400:
        return ConfigurationRefused(f"{said}: redirects are not followed; check ALERTD_SLACK_BASE_URL and the proxy")
    return ConfigurationRefused(f"{said}, not in Slack's form; check ALERTD_SLACK_BASE_URL and the proxy")


def _refusal(code: str, said: str, channel: str) -> Outcome:
    if code in _UNCHANGEABLE:
        return Delivered()
    if code in _CONTENT or _ABOUT_BLOCKS.match(code):
        return ContentRefused(said)
    remedy = _REMEDIES.get(code) or (_RESTRICTED_REMEDY if code.startswith("restricted_action") else _UNKNOWN_REMEDY)
    return ConfigurationRefused(f"{said}; {remedy.format(channel=channel)}")


def outcome_of_webhook(*, status: int, headers: Mapping[str, str], body: str) -> Outcome:
    """
    Return what the answer of an incoming webhook means; *body* must hold no secret.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
    """
    text = body.strip()
    said = f"Slack's incoming webhook answered {status}" + (f" ({quoted(text)})" if text else "")
    if status == 200:
        return _outcome_of_taken_post(text, said)
    if status in {408, 429}:
        return NotSent(said, retry_after(headers, now=utc_now()))
    if status == 400:
        return ContentRefused(said)
    if 300 <= status < 400:
        return ConfigurationRefused(f"{said}: redirects are not followed; set the webhook URL that Slack shows now")
    if 400 <= status < 500:
        return ConfigurationRefused(f"{said}; {_WEBHOOK_REMEDY}")
    return Unknown(said)


def _outcome_of_taken_post(text: str, said: str) -> Outcome:
    """Return what a webhook's 200 means: Slack confirms with the text `ok`, and a proxy may answer 200 itself."""
    if text == "ok":
        return Delivered()
    code = _code_of(text)
    if code in _LATER:
        return NotSent(said)
    if code in _WEBHOOK_CONTENT or _ABOUT_BLOCKS.match(code):
        return ContentRefused(said)
    if code in _WEBHOOK_GONE:
        return ConfigurationRefused(f"{said}; {_WEBHOOK_REMEDY}")
    return Unknown(f"{said} instead of ok; check the webhook URL and the proxy")


def _code_of(text: str) -> str:
    """Return Slack's code, which webhooks answer as bare text, and proxies of them as the Web API's JSON."""
    try:
        answer = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return ""
    code = answer.get("error") if isinstance(answer, dict) and answer.get("ok") is False else text
    return code if isinstance(code, str) else ""
