"""
A real headless Chromium, driven over its DevTools protocol: no driver to install, only the browser itself.

Source of the protocol: https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_PATIENCE_S = 30.0


class Page:
    """One tab, with the errors of its console and its requests."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.bytes_received = 0

    async def listen(self) -> None:
        """Process the browser's messages until the connection closes."""
        async for message in self._socket:
            notified = json.loads(message.data)
            if "id" in notified:
                self._answers.pop(notified["id"]).set_result(notified)
            else:
                self._take(notified["method"], notified["params"])

    def _take(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.errors.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.loadingFinished":
            self.bytes_received += int(params["encodedDataLength"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the browser and return its result."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(_PATIENCE_S):
            notified = await answer
        if "error" in notified:
            raise AssertionError(f"{method}: {notified['error']}")
        result: dict[str, Any] = notified["result"]
        return result

    async def open(self, url: str) -> None:
        """Load a page and wait until it is loaded."""
        async with self.loading():
            await self.call("Page.navigate", url=url)

    @asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """Wait at the end of the block until the page that it navigates to is loaded."""
        self._loaded.clear()
        yield
        async with asyncio.timeout(_PATIENCE_S):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """Return the value of an expression; a promise is awaited."""
        found = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    async def until(self, script: str) -> Any:
        """Evaluate an expression repeatedly and return its first true value, even if the tab changes pages."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                # Leaving a page aborts the evaluation on it.
                with suppress(AssertionError):
                    if found := await self.run(script):
                        return found
                await asyncio.sleep(0.02)

    async def look(self, *, width: int = 1280, height: int = 900, is_dark: bool = False, scale: float = 1) -> None:
        """Set the page's size and colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, *, is_whole: bool = True) -> bytes:
        """Return a PNG of the entire page, or with *is_whole* false of the window."""
        found = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole)
        return base64.b64decode(found["data"])


@contextmanager
def running_chromium() -> Iterator[str]:
    """Run a browser for the block and yield the URL at which it accepts commands."""
    with tempfile.TemporaryDirectory(prefix="alertd-chromium-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "stderr.log")
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [CHROMIUM, *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "HOME": folder},
            )
        try:
            yield _url(process, log)
        finally:
            # It has its own session, so that its child processes are killed too.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return the WebSocket URL that the browser prints once it listens."""
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        if found := re.search(r"DevTools listening on (ws://\S+)\n", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"{CHROMIUM} does not listen: {log.read_text(errors='replace')[-500:]}")


@asynccontextmanager
async def tab(chromium: str) -> AsyncIterator[Page]:
    """Open a tab with cookies and storage of its own in a running browser."""
    async with aiohttp.ClientSession() as session, session.ws_connect(chromium) as control:
        desk = Page(control)
        answering = asyncio.create_task(desk.listen())
        context = (await desk.call("Target.createBrowserContext"))["browserContextId"]
        target = (await desk.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        place = chromium.partition("/devtools/")[0]
        async with session.ws_connect(f"{place}/devtools/page/{target}", max_msg_size=0) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{domain}.enable")
            yield page
            listening.cancel()
        await desk.call("Target.disposeBrowserContext", browserContextId=context)
        answering.cancel()
