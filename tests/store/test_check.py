"""`alertd db check`: each kind of contradiction is found, and a sound store has none."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alertd.core.alert_event import Acknowledged
from alertd.core.messages.outbox import EntryState
from alertd.core.money import Usd
from alertd.core.spend.bill import BillPhase, MonthlyBill, TrackedBill
from alertd.core.spend.block import encode
from alertd.store.alerts import AlertEvent
from alertd.store.store import Store
from tests.store.places import Place
from tests.store.samples import HOUR, NOW, alert_of, block_of, change_of, entry_of, table_of

ZERO = Usd(0)
BILL = MonthlyBill(
    account="a",
    bill_id="b-1",
    month="2026-01",
    status="pending",
    total=ZERO,
    origin_total=ZERO,
    voucher_paid=ZERO,
    cash_paid=ZERO,
    debt=ZERO,
    repaid=ZERO,
)


def fill(store: Store) -> None:
    table = table_of(3)
    for name in table_of(2, account="b").names:
        table.number(name)
    tracked = TrackedBill(bill=BILL, phases=(BillPhase(status="pending", owes=False, since=NOW),), last_seen_at=NOW)
    store.save_facts(table, books=[change_of({HOUR: block_of(1, 2, 3)})], monthly=[tracked])
    event = AlertEvent(fingerprint="f1", episode=1, happened_at=NOW, change=Acknowledged(by="dana"))
    store.save_decisions(alerts=(alert_of(),), events=(event,), entries=(entry_of(),))
    (entry,) = store.outbox.open_entries()
    store.outbox.start_attempt(entry, replace(entry, state=EntryState.SENDING, attempts=1, started_at=NOW))


ALIEN = encode(block_of(1, 2, 3, 4)).hex()


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        pytest.param("DELETE FROM series WHERE id = 3", "series: 4 ids are not numbered from 0", id="a missing series"),
        pytest.param("UPDATE series SET owner = 'owner-0'", "ids stand for only 2 names", id="a series twice"),
        pytest.param("UPDATE bill_hour SET block = x'0100'", "block is cut short", id="a block that does not decode"),
        pytest.param("UPDATE bill_hour SET total = '7'", "its sum, end, digest or credit", id="another sum"),
        pytest.param("UPDATE bill_hour SET digest = x'00'", "its sum, end, digest or credit", id="another digest"),
        pytest.param(f"UPDATE bill_hour SET block = x'{ALIEN}'", "names 1 series that are not", id="another's series"),
        pytest.param("DELETE FROM book", "refers to a row of book", id="hours without a book"),
        pytest.param("UPDATE book SET suspicions = '{'", "book cannot be read", id="a book that does not decode"),
        pytest.param("UPDATE monthly_bill SET phases = '[]'", "monthly bill b-1: has no phase", id="no phase"),
        pytest.param("UPDATE monthly_bill SET bill = '{}'", "monthly bill b-1 cannot be read", id="no monthly bill"),
        pytest.param("UPDATE alert SET state = 'resolved'", "state is not what its body says", id="another state"),
        pytest.param("UPDATE alert SET body = 'null'", "alert f1 cannot be read", id="an alert that does not decode"),
        pytest.param("UPDATE alert_event SET detail = '7'", "event of alert f1 cannot be read", id="a history"),
        pytest.param("UPDATE outbox SET state = 'lost'", "outbox entry 1 for receiver", id="an unknown state"),
        pytest.param("UPDATE outbox SET attempts = 0", "counts 0 attempts, but attempt 1", id="an attempt uncounted"),
        pytest.param("DELETE FROM outbox_alert", "outbox entry 1: cannot be found by every alert", id="no link"),
        pytest.param("DELETE FROM outbox", "refers to a row of outbox", id="an attempt without entry"),
    ],
)
def test_check_when_rows_contradict_then_found(url: str, place: Place, statement: str, finding: str) -> None:
    """A check that finds nothing in a broken store is worse than none."""
    with closing(Store.open(url, now=NOW)) as store:
        fill(store)
        assert store.check() == []
    place.run(url, statement)
    with closing(Store.open_read_only(url)) as reader:
        assert finding in "\n".join(reader.check())


@pytest.mark.parametrize("page", [2, 3, 4, 8])
def test_check_when_a_page_is_garbled_then_found(path: Path, page: int) -> None:
    """A reader opens without looking at every page; the check looks at them, whatever the page belongs to."""
    url = f"sqlite:///{path}"
    with closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(500), books=[change_of({HOUR + n: block_of(*range(500)) for n in range(50)})])
    with path.open("r+b") as file:
        file.seek(-4096 * page, 2)
        file.write(b"\xa5" * 4096)
    with closing(Store.open_read_only(url)) as reader:
        assert reader.check() != []
