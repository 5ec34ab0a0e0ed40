"""Where receivers may send: secrets over TLS or to this machine, and nothing to a cloud's metadata service."""

import pytest

from alertd.notify.alertmanager import AlertmanagerConfig, AlertmanagerNotifier
from alertd.notify.apprise import AppriseConfig, AppriseNotifier
from alertd.notify.base import Notifier, ReceiverError
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from alertd.notify.webhook import WebhookConfig, WebhookNotifier
from tests.builders import FakeContext

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def build(kind: str, url: str, *, settings: dict[str, str] | None = None) -> Notifier:
    """A receiver that would send to a URL."""
    context = FakeContext(environment={"URL": url, "TOKEN": "canary-token"}, settings=settings or {})
    match kind:
        case "webhook":
            return WebhookNotifier("r", WebhookConfig(url=url), context)
        case "webhook with a token":
            return WebhookNotifier("r", WebhookConfig(url=url, bearer_token_env="TOKEN"), context)
        case "secret webhook":
            return WebhookNotifier("r", WebhookConfig(url_env="URL"), context)
        case "alertmanager":
            return AlertmanagerNotifier("r", AlertmanagerConfig(url=(url,)), context)
        case "alertmanager with a token":
            return AlertmanagerNotifier("r", AlertmanagerConfig(url=(url,), bearer_token_env="TOKEN"), context)
        case "slack webhook":
            return SlackNotifier("r", SlackConfig(webhook_url_env="URL"), context)
        case "slack bot":
            bot = {"slack_bot_token": "xoxb-canary", "slack_base_url": url, **(settings or {})}
            return SlackNotifier("r", SlackConfig(channel=("#a",)), FakeContext(settings=bot))
        case _:
            return AppriseNotifier("r", AppriseConfig(url_env=("URL",)), context)


CLEAR = "without encryption"
OFF = "metadata service"


@pytest.mark.parametrize(
    ("kind", "url", "problem"),
    [
        ("webhook", "http://10.0.0.1:8080/hook", ""),
        ("webhook with a token", "http://10.0.0.1:8080/hook", CLEAR),
        ("webhook with a token", "https://10.0.0.1:8080/hook", ""),
        ("webhook with a token", "http://127.0.0.1:8080/hook", ""),
        ("webhook with a token", "http://[::1]:8080/hook", ""),
        ("secret webhook", "http://bridge:8080/hook/x", CLEAR),
        ("secret webhook", "http://bridge:8080/?key=x", CLEAR),
        ("secret webhook", "http://bridge:8080", ""),
        ("alertmanager", "http://alertmanager:9093", ""),
        ("alertmanager with a token", "http://alertmanager:9093", CLEAR),
        ("slack webhook", "http://hooks.example.com/services/x", CLEAR),
        ("slack webhook", "https://hooks.example.com/services/x", ""),
        ("slack bot", "http://slack.example.com/api/", CLEAR),
        ("apprise", "json://example.com/x", CLEAR),
        ("apprise", "jsons://example.com/x", ""),
        ("apprise", "json://127.0.0.1/x", ""),
        ("webhook", "http://169.254.169.254/latest/meta-data", OFF),
        ("webhook", "https://[fe80::1]/", OFF),
        ("secret webhook", "http://metadata.google.internal/", OFF),
        ("alertmanager", "http://169.254.169.254", OFF),
        ("slack webhook", "https://169.254.169.254/services/x", OFF),
        ("apprise", "json://169.254.169.254/x", OFF),
    ],
)
def test_url_then_sends_only_where_it_may(kind: str, url: str, problem: str) -> None:
    """Said by `alertd check`, before anything left."""
    if not problem:
        build(kind, url)
        return
    with pytest.raises(ReceiverError, match=problem) as caught:
        build(kind, url)
    assert url not in str(caught.value)
    if problem == CLEAR:
        build(kind, url, settings={"allow_plain_http": "True"})
