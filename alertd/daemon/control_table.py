"""
Requests from commands on any host to the running daemon, through a table of the shared database.

Requests and answers are those of `alertd.daemon.control_socket`.
Anyone with write access to the database may send requests.
"""

import asyncio
import secrets
import time

from alertd.clock import monotonic_s
from alertd.core.alerts.requests import Request
from alertd.daemon.control_socket import Handler, answer, decode_answer, encode
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.store.requests import COUNTS_FOR_S, Requests
from alertd.store.store import Store

_LOOK_S = 1.0
"""Seconds between the daemon's queries for requests."""
_ANSWERED_WITHIN_S = 60.0
_LOOK_FOR_ANSWER_S = 0.2


async def serve_requests(gateway: StoreGateway, handle: Handler) -> None:
    """Serve requests until cancelled."""
    while True:
        try:
            for name, request in await gateway.call(lambda store: store.requests.take()):
                text = await answer(request.encode(), handle)
                await gateway.call(_answer, name, text.decode())
        except StoreError as error:
            # The sender gets no answer; cycle and delivery report the store's failure.
            get_logger().warning("requests not served", error=str(error))
        await asyncio.sleep(_LOOK_S)


def _answer(store: Store, name: str, text: str) -> None:
    store.requests.answer(name, text)


def ask_daemon(requests: Requests, request: Request, *, holder: str) -> str:
    """
    Send a request to the daemon and return its answer.

    Args:
        holder: The daemon's process, for errors.

    Raises:
        UserError: It cannot be done as asked.
        StoreError: The daemon did not answer.
    """
    name, asked_at = secrets.token_hex(8), monotonic_s()
    requests.ask(name, encode(request).decode())
    is_taken = False
    while (found := requests.answer_to(name)) is None:
        waited_s = monotonic_s() - asked_at
        if waited_s > COUNTS_FOR_S and not is_taken:
            if requests.withdraw(name):
                raise StoreError(
                    f"{requests.place}: alertd on {holder} holds the lease and took no request within "
                    f"{COUNTS_FOR_S} s; nothing was done. Try again when it has ended, or see its log"
                )
            is_taken = True
        if waited_s > _ANSWERED_WITHIN_S:
            raise StoreError(
                f"{requests.place}: alertd on {holder} gave no answer; see `alertd alerts` whether it was done"
            )
        time.sleep(_LOOK_FOR_ANSWER_S)  # in the command's own thread: there is no loop, and a table cannot notify
    return decode_answer(found.encode())
