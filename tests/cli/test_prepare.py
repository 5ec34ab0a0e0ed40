"""What every command begins with: its logs never show the database's password."""

import click
import pytest

from alertd.cli.common import prepare
from alertd.log import get_logger
from alertd.settings.model import load_settings


def test_password_when_it_stands_in_the_database_url_then_neither_logged_nor_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries log what they are given, and people paste settings into tickets."""
    monkeypatch.setenv("ALERTD_DATABASE_URL", "postgresql://me:hunt%40er22@db/alertd")
    prepare(click.Context(click.Command("x"), obj=0))
    get_logger().error("boom", raw="hunt%40er22", meant="got hunt@er22", url="postgresql://me:hunt%40er22@db/alertd")
    logged = capsys.readouterr().err
    assert "boom" in logged
    assert "er22" not in logged
    assert "er22" not in repr(load_settings())
    assert load_settings().store_url() == "postgresql://me:hunt%40er22@db/alertd"
