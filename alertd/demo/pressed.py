"""What people do in the demo: they ask as `alertd stop` and the page do, and alertd calls the simulated API."""

from datetime import timedelta

from alertd.core.actions import Act, ActionRequest, ActionState
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.daemon.app import App
from alertd.demo.clock import Clock

_TRIES = 5
"""A simulated call may meet a fault that refuses it; people ask again."""


async def carry_out(app: App, request: Request, clock: Clock) -> RequestOutcome:
    """
    Do what somebody asks for to its end: the simulated clock stands still meanwhile.

    Raises:
        RequestError: It cannot be done as asked.
        StoreError: Nothing was kept.
    """
    outcome = await app.cycle.carry_out(request, clock.now)
    while await app.actions.turn():
        pass
    await app.delivery.drain(patience=timedelta())
    return outcome


async def stop_instance(app: App, clock: Clock, owner: str) -> ActionRequest | None:
    """Have an owner's instance stopped by its alert; return the request, None where nothing was stopped."""
    alerts = [one for one in app.cycle.open_alerts() if dict(one.group).get("owner") == owner and one.fired_at]
    for number in range(_TRIES if alerts else 0):
        name = f"{number:08x}"
        asked = Act(id=name, fingerprint=alerts[0].fingerprint, by="dana", person="cli:dana")
        await carry_out(app, parse_action(asked), clock)
        made = await _request(app, name)
        if made is not None and made.state is ActionState.DONE:
            return made
    return None


async def _request(app: App, name: str) -> ActionRequest | None:
    return await app.gateway.call(lambda store: store.actions.request(name))
