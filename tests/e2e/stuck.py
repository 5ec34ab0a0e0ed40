"""
Run the program with a store whose thread stands still while a file exists, and with less patience for store and sends.

Nothing else of it is changed: so does a disk that does not answer, which a test cannot make.
"""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from alertd.daemon import watchdog
from alertd.store.thread import StoreThread

HANG = Path(os.environ["E2E_HANG"])
_call = StoreThread.call


async def _held_call(self: StoreThread, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    def held(*inner: Any, **named: Any) -> Any:
        while HANG.exists():
            time.sleep(0.01)
        return function(*inner, **named)

    return await _call(self, held, *args, **kwargs)


if __name__ == "__main__":
    StoreThread.call = _held_call  # type: ignore[method-assign]
    watchdog.STORE_PATIENCE = watchdog.SENDING_PATIENCE = timedelta(seconds=1)
    watchdog.ASK_EVERY_S = 0.1
    from alertd.__main__ import main

    main()
