"""
Keep a database of the newest schema, so that later versions of alertd are tested against it: run by hand.

    python -m tests.store.keep_database

Run it once before each release that adds a migration. It lives the life in `life.py` with the alertd of this checkout
and writes `databases/NNNN.sql`, NNNN being the newest migration. A file that is there already is what users have, so it
is never written again.
"""

import tempfile
from pathlib import Path

from alertd.store.migrate import shipped_migrations
from tests.e2e.daemon import Alertd
from tests.e2e.world import BillingWorld, Hook
from tests.store.life import dump, live

FOLDER = Path(__file__).with_name("databases")


def main() -> None:
    """Write the file, or say why not."""
    target = FOLDER / f"{len(shipped_migrations()):04}.sql"
    if target.exists():
        raise SystemExit(f"{target} exists: databases of a released schema are never made anew")
    with tempfile.TemporaryDirectory() as folder:
        alertd = Alertd(Path(folder))
        with BillingWorld(clock=alertd.now) as world, Hook() as hook:
            alertd.env["ALERTD_NOVITA_BASE_URL"] = world.url
            live(alertd, world, hook)
        target.write_text(dump(alertd.database), encoding="utf-8")


if __name__ == "__main__":
    main()
