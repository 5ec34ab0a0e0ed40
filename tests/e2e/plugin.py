"""A notifier that somebody else wrote, installed beside the program; tests give it its faults."""

import os

from tests.e2e.daemon import ROOT, Alertd

PLUGIN_RULES = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
  - {{name: bad, type: faulty, gate: "{gate}"}}
defaults: {{notify: [bridge, bad]}}
rules:
  - {{name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {{warning: 5}}}}
"""
_SOURCE = """
import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from alertd.notify.base import CannotLook, Delivered


class FaultyConfig(BaseModel):
    gate: str


class FaultyNotifier:
    Config = FaultyConfig
    deadline = timedelta(seconds=30)
    pace = timedelta()
    can_look_up = False
    recipients = ("",)

    def __init__(self, name, config, context):
        self._gate = Path(config.gate)

    async def send(self, envelope):
        {body}
        return Delivered()

    async def find(self, key, *, recipient, since, thread_ref=""):
        return CannotLook("never asked")

    async def close(self):
        pass
"""


def install_notifier(alertd: Alertd, *, body: str) -> None:
    """Let the program find the receiver type `faulty`, which does *body* before it says that it delivered."""
    package = alertd.folder / "plugins"
    metadata = package / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (package / "faulty.py").write_text(_SOURCE.format(body=body.strip()))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[alertd.notifiers]\nfaulty = faulty:FaultyNotifier\n")
    alertd.env["PYTHONPATH"] = os.pathsep.join((str(package), str(ROOT)))
