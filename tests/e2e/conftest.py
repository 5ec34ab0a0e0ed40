"""What every end-to-end test stands on: a world, a Slack, a mail server, a webhook, and the program beside them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import BOT_TOKEN, SlackDouble
from tests.e2e.daemon import Alertd, LoopThread
from tests.e2e.forked import share_server
from tests.e2e.world import BillingWorld, Hook
from tests.mail_double import MailDouble

FOLDER = Path(__file__).parent

# A shell that runs the tests in its background has them ignore Ctrl-C, and every program that they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the program is forked from once for all workers: it imports for three seconds."""
    is_parallel = session.config.option.workers > 1 and not session.config.option.collectonly
    if is_parallel and any(item.path.is_relative_to(FOLDER) for item in session.items):
        share_server()


@pytest.fixture
def alertd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Alertd]:
    program = Alertd(tmp_path, is_fresh=request.node.get_closest_marker("fresh") is not None)
    yield program
    for child in program.children:
        if child.poll() is None:
            child.kill()
            child.wait()


@pytest.fixture
def world(alertd: Alertd) -> Iterator[BillingWorld]:
    with BillingWorld(clock=alertd.now) as billing:
        alertd.env["ALERTD_NOVITA_BASE_URL"] = billing.url
        yield billing


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as receiving:
        yield receiving


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def slack(alertd: Alertd, loop_thread: LoopThread) -> SlackDouble:
    double = loop_thread.enter(SlackDouble())
    # Its messages are dated like the world's.
    double._ts = int(alertd.now())
    alertd.env |= {"ALERTD_SLACK_BASE_URL": double.base_url, "ALERTD_SLACK_BOT_TOKEN": BOT_TOKEN}
    return double


@pytest.fixture
def mail(alertd: Alertd, loop_thread: LoopThread) -> MailDouble:
    double = loop_thread.enter(MailDouble())
    alertd.env |= {
        "ALERTD_SMTP_HOST": "127.0.0.1",
        "ALERTD_SMTP_PORT": str(double.port),
        "ALERTD_SMTP_SECURITY": "none",
        "ALERTD_SMTP_FROM": "alertd@example.com",
    }
    return double
