"""Rereading the rules when something goes wrong that nobody foresaw: the old rules stay, and the watching goes on."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from alertd.daemon import app as app_module
from alertd.daemon import reload as reload_module
from alertd.daemon.app import App, open_app
from alertd.daemon.receivers import printing_notifiers
from alertd.daemon.reload import RulesReloader
from alertd.daemon.systemd import ServiceManager
from alertd.errors import StoreError
from alertd.rules_file.load import load_rules
from alertd.rules_file.watch import RulesWatch
from alertd.settings.model import Settings
from alertd.store.store import Store
from tests.core.builders import NOW
from tests.web.house import RULES, Account

EDITED = RULES.replace("gpu-24h", "gpu-48h")
FAULTS = [
    pytest.param(ValueError("a plugin's"), "ValueError while the rules were read: a plugin's", id="a plugin's error"),
    pytest.param(
        FileNotFoundError(2, "No such file or directory", "/etc/ca.pem"),
        "FileNotFoundError while the rules were read: [Errno 2] No such file or directory: '/etc/ca.pem'",
        id="a certificate file that is gone",
    ),
    pytest.param(OverflowError("cannot convert float infinity"), "OverflowError while", id="an endless number"),
    pytest.param(RecursionError("too deep"), "RecursionError while", id="a nesting without end"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that tests need not wait."""
    monkeypatch.setattr(reload_module, "_LOOK_S", 0.01)


class Reread:
    """Notes each rereading; `again` waits for the next."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self._event.set()

    async def again(self) -> None:
        async with asyncio.timeout(20):
            await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[App, Callable[[str], None], Reread]]:
    """Watch the rules of a daemon; yield it, what edits them, and what waits for the rereading."""
    path = folder / "rules.yaml"
    path.write_text(RULES)
    settings = Settings.model_construct(rules=path, novita_api_key=SecretStr("key"))
    rules, reread = load_rules(path), Reread()

    def edit(text: str) -> None:
        fresh = folder / "new"
        fresh.write_text(text)
        fresh.replace(path)

    def opened() -> Store:
        return Store.open(f"sqlite:///{folder / 'alertd.db'}", now=NOW)

    async with open_app(
        settings,
        rules,
        open_store=opened,
        notifiers=printing_notifiers(rules, settings),
        sources={"default": Account()},
    ) as app:
        reloader = RulesReloader(
            app, watch=RulesWatch(path), manager=ServiceManager(), turn=asyncio.Lock(), on_reread=reread
        )
        app.tasks.keep("rules file", reloader.run)
        yield app, edit, reread
        await app.tasks.stop()
        await reloader.close()


def names(app: App) -> set[str]:
    return {rule.name for rule in app.cycle.plan.rules}


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
@pytest.mark.parametrize("where", ["load_rules", "open_notifiers", "open_sources", "build_plan", "timetables"])
async def test_edit_when_reading_it_fails_unforeseen_then_old_rules_reason_and_the_next_edit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, fault: Exception, reason: str
) -> None:
    """Whatever raises, at whichever step: it once ended the watching for good, without a line in the log."""

    def fail(*_arguments: object, **_named: object) -> None:
        raise fault

    async with watched(tmp_path) as (app, edit, reread):
        before = app.cycle.plan
        with monkeypatch.context() as broken, capture_logs() as log:
            broken.setattr(reload_module, where, fail)
            edit(EDITED)
            await reread.again()
        assert app.cycle.plan is before
        file = app.cycle.rules_file
        assert (len(file.faults), file.failures, file.broken_since is not None) == (1, 1, True)
        assert file.faults[0].startswith(reason)
        (line,) = [one for one in log if one["event"] == "rules not reloaded"]
        assert line["exc_info"] is fault
        edit(EDITED + "\n")
        await reread.again()
        assert app.cycle.rules_file.faults == ()
        assert "gpu-48h" in names(app)
        assert app.tasks.failing() == ()


async def test_edit_when_the_store_fails_after_the_swap_then_the_new_rules_are_in_force_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force and what is shown must be the same."""

    async def fail() -> None:
        raise StoreError("database is locked")

    async with watched(tmp_path) as (app, edit, reread):
        monkeypatch.setattr(app.delivery, "unblock", fail)
        edit(EDITED)
        await reread.again()
        assert "gpu-48h" in names(app)
        assert app.cycle.rules_file.faults == ()


async def test_connections_when_closing_them_fails_then_logged_and_counted(tmp_path: Path) -> None:
    """A plugin's `close` that raises is no reason to lose its trace."""

    async def close() -> None:
        raise ValueError("half closed")

    async with watched(tmp_path) as (app, edit, reread):
        app.connections.push_async_callback(close)
        with capture_logs() as log:
            edit(EDITED)
            await reread.again()
            async with asyncio.timeout(20):
                while not app.figures.task_failures:  # noqa: ASYNC110 -- what is waited for sets no event
                    await asyncio.sleep(0.01)
        assert app.figures.task_failures == {"closing replaced connections": 1}
        assert [line["task"] for line in log if line["event"] == "task failed"] == ["closing replaced connections"]


@pytest.mark.parametrize("under_way", ["a send", "a call"])
async def test_connections_when_replaced_then_closed_once_what_is_under_way_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under_way: str
) -> None:
    """Closed meanwhile, its outcome would be unknown: a message may come twice, and nobody knows what was stopped."""
    ended, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closed.set()

    async def read() -> tuple[()]:
        await ended.wait()
        return ()

    async def send() -> None:
        await ended.wait()

    async with watched(tmp_path) as (app, edit, reread):
        app.connections.push_async_callback(close)
        monkeypatch.setattr(app.cycle, "open_actions", read)
        work = app.actions.turn() if under_way == "a call" else app.delivery.alone(("finops", ""), send)
        working = asyncio.create_task(work)
        edit(EDITED)
        await reread.again()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not closed.is_set()
        ended.set()
        async with asyncio.timeout(20):
            await asyncio.gather(working, closed.wait())


async def test_connections_when_the_rules_are_edited_twice_then_each_is_closed_once_and_the_last_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an edit opened is replaced by the next one, and is as good a leak as what the start opened."""
    closed, edits = list[str](), itertools.count(1)

    async def close(name: str) -> None:
        closed.append(name)

    def opened(_rules: object, _settings: object, stack: AsyncExitStack, **_: object) -> dict[str, object]:
        stack.push_async_callback(close, f"edit {next(edits)}")
        return {}

    monkeypatch.setattr(reload_module, "open_instances", opened)
    async with watched(tmp_path) as (app, edit, reread):
        app.connections.push_async_callback(close, "start")
        for number, known in enumerate((["start"], ["start", "edit 1"])):
            edit(EDITED + "\n" * number)
            await reread.again()
            async with asyncio.timeout(20):
                while closed != known:  # noqa: ASYNC110 -- what is waited for sets no event
                    await asyncio.sleep(0.002)
    assert closed == ["start", "edit 1", "edit 2"]


async def test_edit_when_read_then_everything_is_opened_by_the_clocks_of_the_start_and_put_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody hears the answers' `Date` any more, and alerts are dated by a clock that was not checked."""
    openers = ("open_notifiers", "open_sources", "open_instances")
    given: dict[ModuleType, dict[str, object]] = {app_module: {}, reload_module: {}}
    for module, found in given.items():
        for name in openers:

            def note(
                *_: object, found: dict[str, object] = found, name: str = name, **named: object
            ) -> dict[str, object]:
                found[name] = named
                return {}

            monkeypatch.setattr(module, name, note)
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    settings = Settings.model_construct(rules=path, novita_api_key=SecretStr("key"))
    async with open_app(settings, load_rules(path), open_store=lambda: Store.open("sqlite://", now=NOW)) as app:
        used: list[object] = []
        monkeypatch.setattr(app.delivery, "use", lambda *sent: used.append(sent))
        reloader = RulesReloader(
            app, watch=RulesWatch(path), manager=ServiceManager(), turn=asyncio.Lock(), on_reread=lambda: None
        )
        path.write_text(
            RULES.replace("{name: finops,", "{name: paper, type: console}\n  - {name: finops, fallback: paper,")
        )
        await reloader.reread()
        assert app.cycle.rules_file.faults == ()
    assert set(given[app_module]) == set(openers)
    assert given[app_module] == given[reload_module]
    assert used == [({}, {"paper": "finops", "finops": "paper"})]


async def test_edit_when_the_file_has_several_mistakes_then_each_is_kept_with_its_place(tmp_path: Path) -> None:
    """`alertd-rules` and the status list them one by one, and count them."""
    async with watched(tmp_path) as (app, edit, reread):
        edit(f"{EDITED}rulez: []\nreceiverz: []\n")
        await reread.again()
        faults = app.cycle.rules_file.faults
        assert len(faults) == 2
        assert all(fault.startswith(f"{tmp_path / 'rules.yaml'}:") and "unknown key" in fault for fault in faults)


async def test_edit_when_a_rule_is_disabled_then_it_counts_among_those_in_force(tmp_path: Path) -> None:
    """`alertd status` counts what the file has, as somebody who reads it does."""
    async with watched(tmp_path) as (app, edit, reread):
        edit(EDITED.replace("    period: month\n", "    period: month\n    enabled: false\n"))
        await reread.again()
        assert (app.cycle.rules_file.faults, app.cycle.rules_file.rules) == ((), RULES.count("  - name:"))


async def test_reload_when_asked_for_then_done_once_for_each_time_it_is_asked(tmp_path: Path) -> None:
    """A request that is not taken off is done again and again, a whole reading of the rules each time."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    done = Counter[str]()

    class Noted(RulesReloader):
        async def reread(self) -> None:
            done["reread"] += 1
            await asyncio.sleep(0)

    settings = Settings.model_construct(rules=path, novita_api_key=SecretStr("key"))
    rules = load_rules(path)
    async with open_app(
        settings,
        rules,
        open_store=lambda: Store.open("sqlite://", now=NOW),
        notifiers=printing_notifiers(rules, settings),
        sources={"default": Account()},
    ) as app:
        reloader = Noted(
            app, watch=RulesWatch(path), manager=ServiceManager(), turn=asyncio.Lock(), on_reread=lambda: None
        )
        running = asyncio.create_task(reloader.run())
        for count in (1, 2):
            reloader.ask()
            for _ in range(20):
                await asyncio.sleep(0)
            assert done == {"reread": count}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
