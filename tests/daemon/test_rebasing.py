"""Which alerts are checked for instants in the future: each once, and all of them after the clock went back."""

from dataclasses import replace
from pathlib import Path

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts import rebase as rebasing
from alertd.core.alerts.rebase import rebased_alert
from alertd.core.spend.lists import View
from alertd.daemon.rebasing import rebase_state
from alertd.daemon.store_gateway import StoreGateway
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import DAY, HOUR, NOW, firing


async def test_alerts_when_none_changed_then_none_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice at each poll, on the loop that answers pages; a clock that went back makes all of them doubtful."""
    checked: list[str] = []

    def noted(alert: Alert, now: object) -> Alert:
        checked.append(dict(alert.group)["owner"])
        return rebased_alert(alert, now)  # type: ignore[arg-type]

    monkeypatch.setattr(rebasing, "rebased_alert", noted)
    alerts = {one.fingerprint: one for one in (firing(owner="a"), firing(owner="b"), firing(owner="c"))}
    thread = await StoreThread.start(lambda: Store.open(f"sqlite:///{tmp_path / 'alertd.db'}", now=NOW))
    gateway = StoreGateway(thread)
    state = await gateway.load((View.USAGE,))
    state.alerts.update(alerts)

    async def check(hours: int) -> tuple[int, str]:
        checked.clear()
        found = await rebase_state(state, gateway, NOW + hours * HOUR, has_jumped=False)
        return found, "".join(checked)

    assert await check(0) == (0, "abc")
    assert await check(1) == (0, "")
    second = firing(owner="b").fingerprint
    state.alerts[second] = replace(state.alerts[second], headline="more")
    new = firing(owner="d", now=NOW + 9 * DAY)
    state.alerts[new.fingerprint] = new
    assert await check(1) == (1, "bd")
    assert await check(0) == (1, "abcd")
    await thread.close()
