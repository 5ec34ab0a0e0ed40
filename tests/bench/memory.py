"""
How much memory the daemon uses between polls of a small account; run by hand: `python -m tests.bench.memory`.

Not collected: its figures depend on the machine. Linux only: it reads /proc.
"""

import sys
import tempfile
from pathlib import Path

from tests.doubles import BOT_TOKEN, SlackDouble
from tests.e2e.daemon import Alertd, LoopThread, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.world import BillingWorld, Hook
from tests.ports import free_port

POLLS = 5
BY_SLACK = RULES.replace(
    '{{name: bridge, type: webhook, url: "{hook}"}}', '{{name: bridge, type: slack, channel: "#a"}}'
)


def _memory_mib(pid: int) -> tuple[float, float]:
    """Return resident and private (not shared) memory in MiB."""
    sums = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name in sums:
            sums[name] += int(rest.split()[0])
    return sums["Rss"] / 1024, (sums["Private_Clean"] + sums["Private_Dirty"]) / 1024


def _measure(rules: str, listen: str, slack_url: str) -> tuple[float, float]:
    """Run the daemon for a few polls of twenty instances; return its resident and private memory in MiB."""
    with tempfile.TemporaryDirectory() as folder, Hook() as hook:
        alertd = Alertd(Path(folder))
        with BillingWorld(clock=alertd.now) as world:
            alertd.env |= {"ALERTD_NOVITA_BASE_URL": world.url, "ALERTD_HTTP_LISTEN": listen}
            alertd.env |= {"ALERTD_SLACK_BASE_URL": slack_url, "ALERTD_SLACK_BOT_TOKEN": BOT_TOKEN}
            alertd.rules(rules.format(hook=hook.url))
            spend(world, *(f"gpu-{number}" for number in range(20)))
            with alertd.running() as child:
                wait_for(lambda: alertd.cycles() >= POLLS, why=f"{POLLS} polls")
                return _memory_mib(child.pid)


def main() -> None:
    """Print one line for each configuration."""
    loop = LoopThread()
    slack = loop.enter(SlackDouble())
    for receiver, rules in (("webhook", RULES), ("Slack", BY_SLACK)):
        for name, listen in (("off", "off"), ("on", f"127.0.0.1:{free_port()}")):
            resident, private = _measure(rules, listen, slack.base_url)
            sys.stdout.write(
                f"{receiver:<8} HTTP {name:<4} {resident:6.1f} MiB resident, {private:6.1f} MiB of it private\n"
            )
    loop.close()


if __name__ == "__main__":
    main()
