"""The daemon itself, as `alertd run` starts it: what it holds while idle, and what a poll of many accounts takes."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import api
from tests.bench.measure import Row
from tests.doubles import BOT_TOKEN, SlackDouble
from tests.e2e.daemon import Alertd, LoopThread, wait_for
from tests.ports import free_port

POLLS = 3
"""After so many everything was used at least once."""
_IDLE_EVERY = "20s"
"""Between polls it waits, as it does nearly all of the ten minutes that are usual."""
_SETTLED_S = 4
"""After a poll freed memory is given back, outside the loop."""
_TYPES = (
    "type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 1000}",
    "type: rolling_spend, group_by: [category], window: 7d, thresholds: {warning: 10000000}",
    "type: budget, group_by: [owner], period: month, amount: 9000, thresholds: {warning: 80%}",
    "type: rolling_spend, metric: pay, group_by: [product], window: 72h, thresholds: {warning: 10000000}",
    "type: spike, group_by: [owner], window: 6h, thresholds: {warning: 10}",
)
_RULES = """version: 1
accounts:
%(accounts)s
receivers:
%(receivers)s
rules:
%(rules)s
"""


_HOOK = """  - {name: hook, type: webhook, url: "http://127.0.0.1:9/hook"}
defaults: {notify: [hook]}"""
_ALL = """  - {name: slack, type: slack, channel: "#finops"}
  - {name: mail, type: email, to: [dana@example.com]}
  - {name: hook, type: webhook, url: "http://127.0.0.1:9/hook"}
defaults: {notify: [slack, mail, hook]}"""


def many_rules(count: int) -> str:
    """Return so many rules of five kinds, which no spend of the benchmarks reaches, as lines of a rules file."""
    return "\n".join(f"  - {{name: rule-{n}, {_TYPES[n % len(_TYPES)]}}}" for n in range(count))


def _file(accounts: str, receivers: str, rules: str) -> str:
    return _RULES % {"accounts": accounts, "receivers": receivers, "rules": rules}


def _account(name: str, key: str) -> str:
    return f"  - {{name: {name}, api_key_env: {key}}}"


def resident_mib(pid: int) -> float:
    """Return what a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(pid)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _idle(owners: int, rules: int, target_mib: int) -> Iterator[Row]:
    """What is held after the first read and some polls, and after a restart."""
    loop = LoopThread()
    slack = loop.enter(SlackDouble())
    with tempfile.TemporaryDirectory() as folder, api.serving(owners=owners, days=40) as url:
        alertd = Alertd(Path(folder), is_fresh=True)
        alertd.env |= {
            "ALERTD_NOVITA_BASE_URL": url,
            "ALERTD_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
            "ALERTD_SLACK_BASE_URL": slack.base_url,
            "ALERTD_SLACK_BOT_TOKEN": BOT_TOKEN,
            "ALERTD_SMTP_HOST": "127.0.0.1",
            "ALERTD_SMTP_FROM": "alertd@example.com",
            "ALERTD_SMTP_SECURITY": "none",
            "ALERTD_HEARTBEAT_URL": "http://127.0.0.1:9/ping",
            "BENCH_KEY": "sk-bench-0",
            "ALERTD_POLL_INTERVAL": _IDLE_EVERY,
        }
        alertd.rules(_file(_account("default", "BENCH_KEY"), _ALL, many_rules(rules)))
        for what in ("after the first read", "after a restart"):
            with alertd.running() as child:
                goal = alertd.cycles() + POLLS
                wait_for(lambda goal=goal: alertd.cycles() >= goal, why="polls", patience_s=500)  # type: ignore[misc]
                time.sleep(_SETTLED_S)
                held, used = resident_mib(child.pid), cpu_s(child.pid)
            yield Row(
                name=f"idle {what}",
                what=f"{owners:,} owners, {rules} rules, Slack, mail, webhook, page; CPU of {POLLS} polls with it",
                floor_ms=0,
                alertd_ms=used * 1000,
                target=f"{target_mib} MiB",
                size=f"{held:.0f} MiB",
            )
    loop.close()


def idle() -> Iterator[Row]:
    """The memory of a daemon for 500 owners and 50 rules."""
    yield from _idle(500, 50, 95)


def large() -> Iterator[Row]:
    """The memory of a daemon for 10,000 owners."""
    yield from _idle(10_000, 5, 160)


ACCOUNTS, OWNERS = 300, 200
POLL_S = 600
"""A poll of the usual interval. Here it is 10 s, so that each one reads all hours that there are: more than usual."""
_WATCHED = """  - {name: owners, type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 100000}}
  - {name: accounts, type: rolling_spend, group_by: [account], window: 6h, thresholds: {warning: 1000000}}"""


def accounts() -> Iterator[Row]:
    """Polls of many accounts at 50 ms an answer: all well, and with one that is silent and one that is refused."""
    for what, odd in (("", {}), (", one silent, one refused", {7: "-silent", 8: "-refused"})):
        yield _polls(what, odd)


def _polls(what: str, odd: dict[int, str]) -> Row:
    with tempfile.TemporaryDirectory() as folder, api.serving(owners=OWNERS, days=1, delay_ms=50) as url:
        alertd = Alertd(Path(folder), is_fresh=True)
        alertd.env |= {"ALERTD_NOVITA_BASE_URL": url, "ALERTD_POLL_INTERVAL": "10s"}
        alertd.env |= {f"BENCH_{n}": f"sk-bench-{n}{odd.get(n, '')}" for n in range(ACCOUNTS)}
        listed = "\n".join(_account(f"a{n}", f"BENCH_{n}") for n in range(ACCOUNTS))
        alertd.rules(_file(listed, _HOOK, _WATCHED))
        with alertd.running() as child:
            wait_for(lambda: alertd.cycles() >= 1, why="the first read", patience_s=1500)
            began = cpu_s(child.pid)
            # One poll: the first read has opened every connection and loaded every module.
            wait_for(lambda: alertd.cycles() >= 2, why="a poll", patience_s=1500)
            used = cpu_s(child.pid) - began
        read_s = [float(event["read_ms"]) / 1000 for event in alertd.events("cycle done")[1:]]
    return Row(
        name=f"poll of {ACCOUNTS} accounts{what}",
        what=f"{OWNERS} owners each, 50 ms an answer, CPU of a poll",
        floor_ms=0,
        alertd_ms=used * 1000,
        target=f"{POLL_S // 4},000 ms (25 % of a core every 10 minutes), 60 s",
        size=f"read in {read_s[0]:.0f} s",
    )
