"""
The status page in a real headless Chromium: charts, an acknowledgement, no complaint of the browser or of axe.

axe-core is looked for in ALERTD_TEST_AXE, a folder that holds `axe.min.js`.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Page, running_chromium, tab
from tests.core.builders import RUNNING, row
from tests.web.house import TOKEN, Account, House, house, usual_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs chromium: apt-get install chromium"),
]
AXE = Path(os.environ.get("ALERTD_TEST_AXE", "")) / "axe.min.js"
LONG = "a-very-long-name-of-an-instance-that-nobody-would-choose-but-a-script-did-" * 2
COLOURED = """(() => {
  const canvas = document.querySelector("figure canvas");
  const seen = new Set();
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] === 255) seen.add(pixels.slice(at, at + 3).join());
  return seen.size;
})()"""
"""How many solid colours a chart has."""


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    rows = [*usual_rows(), *(row(RUNNING - 4, "30", owner=f"{LONG}{n}", category="serverless") for n in range(12))]
    async with house(tmp_path, account=Account(rows=rows)) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    with running_chromium() as url:
        yield url


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    async with tab(chromium) as found:
        yield found


async def test_page_when_opened_then_its_charts_are_drawn_and_an_alert_is_acknowledged(home: House, page: Page) -> None:
    """The whole way of somebody on duty: look, sign in, open the alert, take it."""
    await page.open(f"{home.url}/?by=owner")
    assert await page.run("document.title") == "2 firing · alertd"
    assert await page.run("document.querySelector('figure').classList.contains('drawn')")
    assert await page.run(COLOURED) > 3
    async with page.loading():
        await page.run("document.querySelector('.visitor a').click()")
    async with page.loading():
        await page.run(
            f"document.querySelector('#token').value = '{TOKEN}', document.querySelector('#name').value = 'Dana',"
            "document.querySelector('.login').requestSubmit()"
        )
    assert await page.run("location.pathname + location.search") == "/?by=owner"
    async with page.loading():
        await page.run("[...document.querySelectorAll('.alert a')].find((a) => a.text.includes('trainer')).click()")
    assert await page.run(COLOURED) > 3
    async with page.loading():
        await page.run("document.querySelector('form[action$=acknowledge] button').click()")
    assert "Dana (status page) acknowledged it" in await page.run("document.querySelector('main').innerText")
    assert await page.run("document.activeElement.className") == "notice done"
    assert home.alert().acknowledged_by == "Dana (status page)"
    async with page.loading():
        await page.run("document.querySelector('form.silence').requestSubmit()")
    assert [silence.author for silence in home.app.cycle.state.silences.values()] == ["Dana (status page)"]
    assert page.errors == []
    assert {url.split("/")[2] for url in page.requests} == {f"127.0.0.1:{home.port}"}


async def test_chart_when_pointed_at_then_reports_the_exact_amounts(home: House, page: Page) -> None:
    """A bar is for looking; its figures are one movement away."""
    await page.look()
    await page.open(f"{home.url}/?window=7d")
    x, y = await page.run(
        "(() => { const box = document.querySelector('.u-over').getBoundingClientRect();"
        "return [box.left + box.width * 0.55, box.top + box.height / 2] })()"
    )
    await page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    notified = await page.run(
        "new Promise((tell) => requestAnimationFrame(() => tell(document.querySelector('.tip').innerText)))"
    )
    assert [line for line in notified.split("\n") if line] == [
        "Jan 7",
        "All",
        "$102.00",
        "gpu",
        "$84.00",
        "llm",
        "$18.00",
    ]


async def test_page_when_news_come_then_it_shows_them_by_itself_and_keeps_what_was_opened(
    home: House, page: Page
) -> None:
    """On a wall nobody reloads."""
    # Its clock runs so fast that the next look, after ten minutes, comes at once.
    await page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const slow = setInterval; window.setInterval = (task) => slow(task, 50);",
    )
    await page.open(f"{home.url}/?by=owner")
    await page.run("document.getElementById('others').open = true")
    home.account.rows = [*home.account.rows, *(row(RUNNING - 3, "60", owner=f"gpu-new-{n}") for n in range(2))]
    await home.poll(timedelta(minutes=10))
    notified = await page.run(
        "new Promise((tell) => { const look = () => document.title.startsWith('4 ')"
        " ? tell([document.getElementById('news').textContent, document.getElementById('others').open,"
        " document.querySelector('figure').classList.contains('drawn')]) : requestAnimationFrame(look); look(); })"
    )
    assert notified == ["4 firing · alertd", True, True]
    assert page.errors == []


async def test_page_when_another_site_links_it_then_who_is_signed_in_stays_so(tmp_path: Path, page: Page) -> None:
    """Each alert in a web mail links its page; a session that ends there would be typed anew all night."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    external = f"http://alertd.localhost:{port}"
    async with house(tmp_path, external_url=external, port=port) as home:
        url = f"{external}/alerts/{home.alert().fingerprint}"
        await page.call(
            "Network.setCookie", name="alertd_session", value=await cookie(home), url=url, sameSite="Strict"
        )
        await page.open(f"{home.url}/login")
        await page.run(f"document.body.innerHTML = '<a href=\"{url}\">the alert</a>'")
        async with page.loading():
            await page.run("document.querySelector('a').click()")
        notified = await page.until("document.querySelector('form.silence') && location.href")
        assert notified == url


async def test_page_when_scripts_are_off_then_has_the_chart_and_its_figures(home: House, page: Page) -> None:
    """Reading needs no script."""
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{home.url}/")
    assert 100 < await page.run("document.querySelector('figure svg').getBoundingClientRect().height") < 300
    assert (
        await page.run(
            "[...document.querySelectorAll('figure svg path[class^=g]')].filter((p) => p.getBBox().width).length"
        )
        > 1
    )
    assert "$102.00" in (await home.get("/spend?window=7d"))[1]
    assert page.errors == []


@pytest.mark.parametrize("is_dark", [pytest.param(False, id="light"), pytest.param(True, id="dark")])
@pytest.mark.parametrize("width", [pytest.param(1280, id="desk"), pytest.param(390, id="phone")])
async def test_page_on_any_screen_then_fits_and_axe_finds_nothing(
    home: House, page: Page, width: int, is_dark: bool
) -> None:
    """Everybody reads it: without a mouse, without eyes, on a phone at night."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install axe-core, and ALERTD_TEST_AXE=…/node_modules/axe-core")
    axe = await asyncio.to_thread(AXE.read_text, encoding="utf-8")
    home.account.broken = {"gpu"}
    await home.poll(timedelta(hours=3))
    await page.look(width=width, is_dark=is_dark)
    alert = f"/alerts/{home.alert().fingerprint}"
    for path in ("/login", "/nothing", "/?by=owner", "/spend?window=7d&by=owner", alert):
        await page.open(f"{home.url}{path}")
        await require_good(page, axe, path)
    await page.call("Network.setCookie", name="alertd_session", value=await cookie(home), url=home.url)
    for path in ("/?by=owner", alert):
        await page.open(f"{home.url}{path}")
        await page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        await require_good(page, axe, path)
    # The browser logs each answer that is no success; one was asked for.
    assert [error for error in page.errors if "404" not in error] == []


BEYOND = (
    "[...document.querySelectorAll('.scroll, table')].filter((e) => e.scrollWidth > e.clientWidth + 1"
    " || e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 200))"
)


async def paths_of(home: House) -> list[str]:
    """Pages with every table that there is."""
    home.account.broken = {"gpu"}
    await home.poll(timedelta(hours=3))
    return ["/?by=owner", "/spend?window=7d&by=owner", f"/alerts/{home.alert().fingerprint}"]


async def test_page_on_a_phone_then_no_table_has_anything_out_of_sight(home: House, page: Page) -> None:
    """Whether a notification was delivered stood in a column that nobody knew to scroll to."""
    paths = await paths_of(home)
    for width in (320, 390):
        await page.look(width=width)
        for path in paths:
            await page.open(f"{home.url}{path}")
            await page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            assert await page.run(BEYOND) == [], (width, path)
            cells = "[...document.querySelectorAll('.rows tbody tr > *')]"
            words = await page.run(f"{cells}.map((e) => e.textContent.trim() ? e.dataset.label ?? '' : '-')")
            assert all(words), (path, words)


async def test_page_when_printed_then_keeps_its_legends_and_every_column(home: House, page: Page) -> None:
    """Browsers leave grounds out: then no colour of the chart had a name, and no badge a word."""
    paths = await paths_of(home)
    for path in paths:
        # A sheet on its end, and for the table of days, which is the widest, on its side.
        await page.look(width=1000 if path.startswith("/spend") else 720)
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        await page.call("Emulation.setEmulatedMedia", media="print", features=[dark])
        await page.open(f"{home.url}{path}")
        await page.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert await page.run(BEYOND) == [], path
        assert await page.run(
            "[...document.querySelectorAll('.swatch, .badge, .key span, .bar rect, th')]"
            ".every((e) => getComputedStyle(e).printColorAdjust === 'exact')"
        )
        assert await page.run("[...document.querySelectorAll('.uplot')].every((e) => !e.getClientRects().length)")
        assert await page.run("[...document.querySelectorAll('figure svg')].every((e) => e.getClientRects().length)")
        assert await page.run("getComputedStyle(document.body).color") == "rgb(27, 36, 48)"


async def cookie(home: House) -> str:
    await home.sign_in()
    return next(cookie.value for cookie in home.session.cookie_jar if cookie.key == "alertd_session")


async def require_good(page: Page, axe: str, path: str) -> None:
    """Nothing is cut off at the side, and no rule of WCAG 2.2 AA or of good practice is broken."""
    assert await page.run("document.documentElement.scrollWidth <= innerWidth"), path
    await page.run(axe)
    found = await page.run(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then(({violations}) => violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html)}`))"
    )
    assert found == [], path
