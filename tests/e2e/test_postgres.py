"""Daemons that share a PostgreSQL database: one acts, the others wait; whatever dies, nothing is lost or told twice."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.e2e.daemon import PATIENCE_S, Alertd, no_traceback, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.test_requests import alert_of
from tests.e2e.test_service import owners_told
from tests.e2e.world import BillingWorld, Hook
from tests.postgres_server import PASSWORD, PostgresServer, name_of

TAKEOVER_S = 25.0
"""The promise."""
KILLS = 5


@pytest.fixture
def shared(postgres: PostgresServer) -> Iterator[str]:
    """An empty database that several daemons reach."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def first(alertd: Alertd, world: BillingWorld, hook: Hook, shared: str) -> Alertd:
    """The installation on one host."""
    alertd.env["ALERTD_DATABASE_URL"] = shared
    alertd.rules(RULES.format(hook=hook.url))
    return alertd


@contextmanager
def another(first: Alertd, hook: Hook, name: str) -> Iterator[Alertd]:
    """The same installation on another host."""
    folder = first.folder / name
    folder.mkdir()
    other = Alertd(folder, env=dict(first.env), is_fresh=first.is_fresh)
    other.rules(RULES.format(hook=hook.url))
    yield other
    for child in other.children:
        if child.poll() is None:
            child.kill()
            child.wait()


@pytest.fixture
def second(first: Alertd, hook: Hook) -> Iterator[Alertd]:
    with another(first, hook, "second") as other:
        yield other


@pytest.fixture
def third(first: Alertd, hook: Hook) -> Iterator[Alertd]:
    with another(first, hook, "third") as other:
        yield other


def end_lease(postgres: PostgresServer, url: str) -> None:
    """Let the lease's time be over, as it is 15 s after its holder's last sign."""
    postgres.run("UPDATE alertd_lease SET expires_at = '-infinity'", database=name_of(url))


def secret_free(*programs: Alertd) -> bool:
    texts = [path.read_text() for each in programs for path in each.folder.glob("std*.log")]
    return not any(PASSWORD in text for text in texts) and all(map(no_traceback, texts))


def test_once_when_the_store_is_postgres_then_commands_show_what_a_file_would(
    first: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Which database it is, is nobody's business but the operator's; its password is nobody's at all."""
    spend(world, "gpu-1")
    for _ in range(2):
        ran = first.run("run", "--once")
        assert (ran.code, owners_told(hook)) == (0, [("gpu-1", "firing")]), ran.err
    shown = {
        name: first.run(*name.split())
        for name in (
            "status",
            "alerts",
            "spend",
            "explain gpu",
            "db check",
            "db prune",
            "run --dry-run",
            "silence list",
        )
    }
    assert {name: ran.code for name, ran in shown.items()} == dict.fromkeys(shown, 0), shown
    assert "1 firing" in shown["status"].out
    assert "\nStore           postgresql://alertd@/" in shown["status"].out
    assert "9.00" in shown["spend"].out
    assert shown["db check"].out.startswith("postgresql://alertd@/")
    assert shown["db check"].out.endswith(": ok\n")
    assert "Dry run: 1 alert open, nothing sent, nothing stored.\n" in shown["run --dry-run"].err
    refused = first.run("db", "backup", "copy.db")
    assert (refused.code, "pg_dump --format=custom --file=copy.db" in refused.err) == (1, True)
    replayed = first.run("backtest", "--since", "2d")
    assert (replayed.code, "gpu" in replayed.out) == (0, True), replayed.err
    outputs = [*shown.values(), refused, replayed]
    assert not any(PASSWORD in ran.out + ran.err for ran in outputs)
    assert owners_told(hook) == [("gpu-1", "firing")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(("/test", "/nowhere"), "does not exist", id="no such database"),
        pytest.param(("host=/", "host=/nowhere/"), "alertd carries on by itself", id="no server there"),
        pytest.param(("host=", "hosts="), "cannot read this PostgreSQL URL", id="an option that is none"),
    ],
)
def test_database_when_it_cannot_be_reached_then_said_so_without_the_password(
    first: Alertd, change: tuple[str, str], words: str
) -> None:
    """The URL stands in every error of the library."""
    first.env["ALERTD_DATABASE_URL"] = first.env["ALERTD_DATABASE_URL"].replace(*change)
    for command in ("run", "status", "db prune"):
        ran = first.run(*command.split())
        assert (ran.code, words in ran.err) == (1, True), ran.err
        assert PASSWORD not in ran.err
        assert no_traceback(ran.err)


@pytest.mark.fresh
@pytest.mark.slow
def test_three_daemons_when_one_dies_then_one_other_takes_over_and_reports_what_is_new(
    first: Alertd, second: Alertd, third: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A dead host must not leave the bills unwatched, nor the live ones have everything told twice."""
    spend(world, "gpu-1")
    leader = first.start()
    first.wait_cycles(1)
    for other in (second, third):
        other.start()
        wait_for(lambda other=other: other.events("standby waiting"), why="it waits")  # type: ignore[misc]
        assert f"(pid {leader.pid})" in other.events("standby waiting")[0]["lease_held_by"]
    first.wait_cycles(2)
    assert second.cycles() + third.cycles() == 0
    assert owners_told(hook) == [("gpu-1", "firing")]

    leader.send_signal(signal.SIGKILL)
    died_at = time.monotonic()
    spend(world, "gpu-2")
    wait_for(lambda: len(hook.posts) == 2, why="what is new", patience_s=TAKEOVER_S)
    assert time.monotonic() - died_at <= TAKEOVER_S
    heir, spare = (second, third) if second.cycles() else (third, second)
    heir.wait_cycles(2)
    assert spare.cycles() == 0
    assert owners_told(hook) == [("gpu-1", "firing"), ("gpu-2", "firing")]

    stopped_at = time.monotonic()
    heir.stop(heir.children[0])
    spare.wait_cycles(1)
    assert time.monotonic() - stopped_at < 10, "a clean stop leaves the lease at once"
    spare.stop(spare.children[0])
    assert (second.children[0].returncode, third.children[0].returncode) == (0, 0)
    assert len(hook.posts) == 2
    assert secret_free(first, second, third)
    assert first.run("db", "check").code == 0


@pytest.mark.fresh
@pytest.mark.slow
def test_daemon_when_it_slept_and_lost_the_lease_then_writes_and_reports_nothing(
    first: Alertd, second: Alertd, world: BillingWorld, hook: Hook, postgres: PostgresServer, shared: str
) -> None:
    """A virtual machine that was moved comes back hours later and believes that it is still the one."""
    sleeper = first.start()
    first.wait_cycles(2)
    second.start()
    wait_for(lambda: second.events("standby waiting"), why="the second waits")
    sleeper.send_signal(signal.SIGSTOP)
    # A transaction that it holds open is ended by the server first.
    end = "UPDATE alertd_lease SET expires_at = '-infinity'"
    postgres.cut(shared, but="AND state = 'idle in transaction'")
    postgres.run(end, database=name_of(shared))
    second.wait_cycles(1)
    spend(world, "gpu-1")
    wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the new one tells it")
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait(PATIENCE_S) == 1
    assert "another alertd has taken over the lease" in first.log.read_text()
    second.wait_cycles(2)
    assert owners_told(hook) == [("gpu-1", "firing")]
    second.stop(second.children[0])
    assert secret_free(first, second)


@pytest.mark.fresh
@pytest.mark.slow
def test_connections_when_cut_while_running_then_it_goes_on_and_reports_each_once(
    first: Alertd, world: BillingWorld, hook: Hook, postgres: PostgresServer, shared: str
) -> None:
    """A database is restarted now and then; what was being stored then is stored whole or not at all."""
    rng = random.Random(20260110)
    owners = [f"gpu-{n}" for n in range(6)]
    with first.running() as child:
        first.wait_cycles(1)
        cut = 0
        for owner in owners:
            spend(world, owner)
            for _ in range(3):
                time.sleep(rng.uniform(0, 0.5))
                cut += postgres.cut(shared)
        assert cut >= len(owners)
        wait_for(lambda: {owner for owner, _ in owners_told(hook)} == set(owners), why="every alert")
        first.wait_cycles(2)
        assert child.poll() is None
    keys = Counter(post.headers["idempotency-key"] for post in hook.posts)
    assert Counter(owners_told(hook)) == dict.fromkeys([(owner, "firing") for owner in owners], 1), keys
    assert secret_free(first)
    assert first.run("db", "check").code == 0


@pytest.mark.fresh
@pytest.mark.slow
def test_killed_at_random_moments_when_started_again_then_every_alert_is_notified(
    first: Alertd, world: BillingWorld, hook: Hook, postgres: PostgresServer, shared: str
) -> None:
    """As with a file: the store is the only memory."""
    rng = random.Random(20260111)
    owners = [f"gpu-{n}" for n in range(KILLS)]
    first.is_stepped = True
    with first.running():
        first.wait_cycles(1)
    for owner in owners:
        spend(world, owner)
        child, goal = first.start(), len(world.asked) + rng.randrange(1, 12)
        # Some kills hit while it starts.
        with suppress(AssertionError):
            wait_for(lambda goal=goal: len(world.asked) >= goal, why="any moment will do", patience_s=3)  # type: ignore[misc]
        time.sleep(rng.choice([0, 0.02, 0.1, 0.3]))
        child.send_signal(signal.SIGKILL)
        child.wait()
        first.step(70)
        end_lease(postgres, shared)
    with first.running():
        for _ in range(3):
            first.wait_cycles(2)
            first.step(1900)
        wait_for(lambda: {owner for owner, _ in owners_told(hook)} == set(owners), why="every alert")
        first.wait_cycles(2)
    keys = Counter(post.headers["idempotency-key"] for post in hook.posts)
    assert len({post.body for post in hook.posts}) == len(keys), "what was sent again is the same to the byte"
    assert sum(keys.values()) - len(keys) <= KILLS
    notified = Counter(
        alert["labels"]["owner"] for body in {post.body for post in hook.posts} for alert in json.loads(body)["alerts"]
    )
    assert notified == dict.fromkeys(owners, 1)
    assert secret_free(first)


@pytest.mark.slow
def test_request_when_made_from_another_host_then_the_daemon_does_it(
    first: Alertd, second: Alertd, world: BillingWorld, hook: Hook, unused_tcp_port: int
) -> None:
    """There is no socket between hosts; and without a daemon the store is written as ever."""
    first.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{unused_tcp_port}"
    spend(world, "gpu-1")
    with first.running():
        wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the alert")
        name = alert_of(second, "gpu-1")["fingerprint"]
        acked = second.run("ack", name[:6], "--by", "dana")
        assert (acked.code, acked.err, "No daemon" in acked.out) == (0, "", False)
        assert alert_of(first, "gpu-1")["acknowledged_by"] == "dana"
        added = second.run("silence", "add", "owner=gpu-2", "--for", "1h")
        assert (added.code, added.err) == (0, "")
        refused = second.run("ack", "ffffffff")
        assert (refused.code, refused.err) == (
            1,
            'alertd: there is no alert "ffffffff"; `alertd alerts --all` lists them\n',
        )
        spend(world, "gpu-2")
        wait_for(lambda: alert_of(first, "gpu-2").get("silenced_by"), why="the silence")
        probed = first.run("healthcheck", "--ready")
        assert (probed.code, probed.out) == (0, "ok\n"), probed.err
        busy = second.run("db", "prune")
        assert (busy.code, "holds the lease; stop it first" in busy.err) == (1, True)
    alone = second.run("ack", name, "--undo")
    assert alone.code == 0, alone.err
    assert alone.out.endswith("No daemon runs on this store; it will know when it starts.\n")
    assert owners_told(hook) == [("gpu-1", "firing")]
