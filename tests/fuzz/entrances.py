"""Every entrance through which alertd takes what others made. A new one is a function of a module here, and a line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fuzz.answers import of_others
from tests.fuzz.api import of_the_api
from tests.fuzz.engine import Entrance
from tests.fuzz.mail import mail_answers
from tests.fuzz.names import Every, stored_names
from tests.fuzz.served import of_the_daemon
from tests.fuzz.written import of_users
from tests.web.house import house


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[list[Entrance]]:
    """Open every entrance, those of a running daemon too, with a folder for what they write."""
    for name in ("home", "named", "rules", "settings"):
        (folder / name).mkdir()
    every = Every()
    async with (
        house(folder / "home", public_read=False) as home,
        house(folder / "named", polls=0, notifiers={"finops": every}) as named,
        of_others() as answers,
        mail_answers() as mail,
    ):
        yield [
            *of_the_api(),
            *of_users(folder),
            *of_the_daemon(home),
            *answers,
            mail,
            stored_names(named, every),
        ]
