"""What tests of the delivery share."""

from collections.abc import Coroutine

import pytest
from structlog.testing import capture_logs

from tests.outbox_double import Run, run_jumping


@pytest.fixture
def jumping() -> Run:
    """Run the test's coroutine on a loop whose waits take no time, quietly."""

    def run(main: Coroutine[object, object, object]) -> object:
        with capture_logs():
            return run_jumping(main)

    return run
