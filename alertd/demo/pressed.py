"""What people do in the demo: they request as with `alertd stop` or on the page, and alertd calls the simulated API."""

from datetime import timedelta

from alertd.core.actions import Act, ActionRequest, ActionState
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.hand_clock import HandClock
from alertd.daemon.app import App

_TRIES = 5
"""How often people request again: a fault may refuse a simulated call."""


async def carry_out(app: App, request: Request, clock: HandClock) -> RequestOutcome:
    """
    Carry out a request to its end, while the simulated clock does not advance.

    Raises:
        RequestError: It cannot be done as requested.
        StoreError: Nothing was stored.
    """
    outcome = await app.cycle.carry_out(request, clock.now)
    while await app.actions.turn():
        pass
    await app.delivery.drain(patience=timedelta())
    return outcome


async def stop_instance(app: App, clock: HandClock, owner: str) -> ActionRequest | None:
    """Have an owner's instance stopped through its alert; return the request, None if nothing was stopped."""
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
