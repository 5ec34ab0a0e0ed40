"""What every command begins with: its logs never show the database's password."""

import click
import pytest

from alertd.cli.common import prepare
from alertd.log import get_logger
from alertd.settings.model import load_settings


@pytest.mark.parametrize(
    ("url", "written", "meant"),
    [
        pytest.param("postgresql://me:hunt%40er22@db/alertd", "hunt%40er22", "hunt@er22", id="in the login"),
        pytest.param("postgresql://db/alertd?password=hunt%40er22", "hunt%40er22", "hunt@er22", id="as an option"),
        pytest.param("postgresql://db/alertd?sslpassword=hunt+er22", "hunt+er22", "hunt+er22", id="with a plus"),
        pytest.param("postgresql://me:er22@db/alertd", "er22", "er22", id="a short one"),
    ],
)
def test_password_when_it_stands_in_the_database_url_then_neither_logged_nor_shown(
    url: str, written: str, meant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries log what they are given, and people paste settings into tickets."""
    monkeypatch.setenv("ALERTD_DATABASE_URL", url)
    prepare(click.Context(click.Command("x"), obj=0))
    get_logger().error("boom", raw=written, meant=f"got {meant}", url=url)
    logged = capsys.readouterr().err
    assert "boom" in logged
    assert "er22" not in logged
    assert "er22" not in repr(load_settings())
    assert load_settings().store_url() == url
