"""What PostgreSQL has of its own: how it is opened and refused, cut connections, commits in doubt, no session state."""

import contextlib
import re
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.waiting import Ready, Wait

from alertd.core.masking import passwords_of
from alertd.core.spend.bill import ApiKey
from alertd.errors import SettingsError, StoreError
from alertd.store.migrate import Migration, migrate, require_current, shipped_migrations
from alertd.store.postgres import PostgresDatabase
from alertd.store.postgres_connection import PostgresConnection
from alertd.store.postgres_faults import explained
from alertd.store.store import Store
from alertd.store.url import PostgresUrl, parse_database_url
from tests.postgres_server import PASSWORD, PostgresServer, name_of
from tests.store.child import save
from tests.store.lossy_proxy import Loss, LossyProxy, lossy_proxy
from tests.store.samples import HOUR, NOW, alert_of, block_of, change_of, entry_of, table_of


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database that is nobody's yet."""
    with postgres.database() as fresh:
        yield fresh


def address(url: str) -> PostgresUrl:
    found = parse_database_url(url)
    assert isinstance(found, PostgresUrl)
    return found


@pytest.mark.parametrize(
    ("url", "place", "secrets"),
    [
        pytest.param(
            "postgresql://me:hunt%40er2@db.example.com:5433/alertd?sslmode=require",
            "postgresql://me@db.example.com:5433/alertd",
            ("hunt%40er2", "hunt@er2"),
            id="a password that is encoded",
        ),
        pytest.param("postgres://db/alertd", "postgresql://db/alertd", (), id="no user, and the short scheme"),
        pytest.param("postgresql:///alertd", "postgresql:///alertd", (), id="no host"),
        pytest.param("postgresql://me@/a?host=/run/pg", "postgresql://me@/run/pg/a", (), id="a socket"),
        pytest.param("postgresql://db?dbname=a", "postgresql://db/a", (), id="the database as an option"),
        pytest.param("postgresql://a:1,[::1]:2/x", "postgresql://a:1,[::1]:2/x", (), id="several hosts"),
        pytest.param(
            "postgresql://db/x?password=hunter2&sslpassword=hunter3",
            "postgresql://db/x",
            ("hunter2", "hunter3"),
            id="passwords as options",
        ),
    ],
)
def test_url_when_postgres_then_its_place_shows_no_password(url: str, place: str, secrets: tuple[str, ...]) -> None:
    """The place stands in every error, and the passwords are masked in every log."""
    found = address(url)
    assert (found.url, found.place) == (url, place)
    assert passwords_of(url) == secrets
    assert not any(secret in repr(found) for secret in secrets)


def test_driver_when_not_installed_then_said_how_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most installations have their store in a file, and need no library for servers."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "alertd.store.postgres")
    with pytest.raises(SettingsError, match=r"pip install 'alertd\[postgres\]'"):
        Store.open(url, now=NOW)
    with pytest.raises(SettingsError, match=r"pip install 'alertd\[postgres\]'"):
        Store.open_read_only(url)


def other_program(server: PostgresServer, url: str) -> None:
    server.run("CREATE TABLE customers (name TEXT)", database=name_of(url))


def newer(server: PostgresServer, url: str) -> None:
    Store.open(url, now=NOW).close()
    server.run("UPDATE meta SET content = '99' WHERE name = 'schema_version'", database=name_of(url))


def no_schema(server: PostgresServer, url: str) -> None:
    server.run("DROP SCHEMA public", database=name_of(url))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(other_program, "belongs to another program", id="another program's database"),
        pytest.param(newer, "has schema version 99", id="newer"),
        pytest.param(no_schema, "names no schema that is there", id="nowhere to put tables"),
    ],
)
def test_database_when_it_cannot_be_used_then_refused_and_nothing_is_left_in_it(
    postgres: PostgresServer, url: str, prepare: Callable[[PostgresServer, str], None], message: str
) -> None:
    """A slip in the URL must not put tables into somebody's database."""
    prepare(postgres, url)
    count = "SELECT COUNT(*) FROM pg_class WHERE relkind = 'r'"
    before = postgres.run(count, database=name_of(url))
    for opened in (Store.open, Store.open_memory_copy):
        with pytest.raises(StoreError, match=message) as caught:
            opened(url, now=NOW)
        assert PASSWORD not in str(caught.value)
    assert postgres.run(count, database=name_of(url)) == before


def test_database_when_its_encoding_is_not_unicode_then_refused(postgres: PostgresServer) -> None:
    """Owners have names in every script."""
    with (
        postgres.database("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc") as url,
        pytest.raises(StoreError, match="its encoding is LATIN1; make one with CREATE DATABASE"),
    ):
        Store.open(url, now=NOW)


def test_user_when_it_may_not_create_tables_then_said_so(postgres: PostgresServer, url: str) -> None:
    """The rights that are missing are the administrator's to give."""
    postgres.run("CREATE ROLE reader LOGIN")
    try:
        as_reader = url.replace("alertd:", "reader:", 1)
        with pytest.raises(StoreError, match="permission denied for schema public: give this user the right"):
            Store.open(as_reader, now=NOW)
    finally:
        postgres.run("DROP ROLE reader")


ASK_FOR_USER = "check the user and password in ALERTD_DATABASE_URL, PGPASSWORD or ~/.pgpass"


@pytest.mark.parametrize(
    ("user", "rights", "message"),
    [
        pytest.param(
            "with_password",
            "LOGIN PASSWORD 'another'",
            f'password authentication failed for user "with_password": {ASK_FOR_USER}',
            id="a wrong password",
        ),
        pytest.param(
            "with_password",
            "LOGIN PASSWORD NULL",
            f'failed for user "with_password": {ASK_FOR_USER}',
            id="no password set",
        ),
        pytest.param(
            "barred",
            "LOGIN",
            'database "{name}", no encryption: let this user in from this host in the server\'s pg_hba.conf',
            id="a user whom the server's rules keep out",
        ),
        pytest.param(
            "peer",
            "LOGIN",
            'Peer authentication failed for user "peer": let this user in from this host in the server\'s pg_hba.conf',
            id="another user of the system",
        ),
        pytest.param(
            "silent",
            "NOLOGIN",
            'role "silent" is not permitted to log in: let it log in (ALTER ROLE … LOGIN), or name another user',
            id="a role that is no user",
        ),
        pytest.param(
            "crowd",
            "LOGIN CONNECTION LIMIT 0",
            'too many connections for role "crowd": the server is out of connections',
            id="as many connections as it may have",
        ),
        pytest.param(
            "outsider",
            "LOGIN",
            'permission denied for database "{name}": let this user connect to it (GRANT CONNECT ON DATABASE …)',
            id="a user who may not use the database",
        ),
    ],
)
def test_server_when_it_refuses_a_user_then_said_why_with_the_remedy(
    postgres: PostgresServer, url: str, user: str, rights: str, message: str
) -> None:
    """A server that answers runs: to check whether it does helps nobody."""
    name = name_of(url)
    postgres.run(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    postgres.run(f"CREATE ROLE {user} {rights}")
    if user != "outsider":
        postgres.run(f"GRANT CONNECT ON DATABASE {name} TO {user}")
    try:
        for opened in (Store.open, Store.open_memory_copy):
            with pytest.raises(StoreError) as caught:
                opened(postgres.url(name, user=user), now=NOW)
            text = str(caught.value)
            assert text.startswith(f"postgresql://{user}@{postgres.folder}/{name}: ")
            assert message.format(name=name) in text
            assert PASSWORD not in text
    finally:
        postgres.run(f"REVOKE CONNECT ON DATABASE {name} FROM {user}")
        postgres.run(f"DROP ROLE {user}")


def test_server_when_it_asks_for_a_password_and_there_is_none_then_said_so(postgres: PostgresServer, url: str) -> None:
    """A `~/.pgpass` that another user owns is not read, and nobody says so."""
    postgres.run("CREATE ROLE with_password LOGIN PASSWORD 'x'")
    try:
        with pytest.raises(StoreError, match=f": no password supplied: {ASK_FOR_USER}$"):
            Store.open(postgres.url(name_of(url), user="with_password").replace(f":{PASSWORD}@", "@"), now=NOW)
    finally:
        postgres.run("DROP ROLE with_password")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param(
            "none",
            "",
            'database "none" does not exist: create the database, or name another one',
            id="no such database",
        ),
        pytest.param(
            "template0",
            "",
            'database "template0" is not currently accepting connections: name another database',
            id="a database that takes no connections",
        ),
        pytest.param(
            "postgres", "&sslmode=foo", 'invalid sslmode value: "foo": check the options in', id="no such mode"
        ),
        pytest.param(
            "postgres",
            "&options=-cfoo%3Dbar",
            'unrecognized configuration parameter "foo": check the options in',
            id="no such parameter",
        ),
        pytest.param(
            "postgres",
            "&target_session_attrs=standby",
            "server is not in hot standby mode: check the options in",
            id="a standby that is none",
        ),
    ],
)
def test_server_when_it_refuses_what_the_url_names_then_said_why_with_the_remedy(
    postgres: PostgresServer, name: str, options: str, message: str
) -> None:
    """So a slip in the URL is not looked for in the network."""
    with pytest.raises(StoreError) as caught:
        Store.open(postgres.url(name) + options, now=NOW)
    assert str(caught.value).startswith(f"postgresql://alertd@{postgres.folder}/{name}: {message}")


def test_url_when_an_option_is_no_number_then_refused(postgres: PostgresServer) -> None:
    """psycopg reads some options itself, and calls it a mistake of the program's."""
    with pytest.raises(SettingsError, match="libpq cannot read this PostgreSQL URL; check its host, port and options"):
        Store.open(postgres.url("postgres") + "&connect_timeout=soon", now=NOW)


def test_server_when_it_offers_no_tls_then_said_what_to_check() -> None:
    """A server's first answer to whoever demands TLS is one letter."""
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            client, _ = plain.accept()
            with client:
                client.recv(8)
                client.sendall(b"N")
                client.recv(1)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(
            StoreError, match="server does not support SSL, but SSL was required: check sslmode, sslroot"
        ):
            Store.open_read_only(f"postgresql://me@127.0.0.1:{plain.getsockname()[1]}/x?sslmode=require")
        thread.join()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        pytest.param("SSL error: certificate verify failed", "check sslmode, sslrootcert", id="an unknown issuer"),
        pytest.param(
            'server certificate for "db.example.com" does not match host name "127.0.0.1"',
            "check sslmode, sslrootcert",
            id="another host's certificate",
        ),
        pytest.param(
            'root certificate file "/nowhere" does not exist\nEither provide the file, or change sslmode.',
            "check sslmode, sslrootcert",
            id="no file of issuers",
        ),
        pytest.param(
            "FATAL:  session is read-only",
            "name the primary server in ALERTD_DATABASE_URL",
            id="a standby, for writers",
        ),
        pytest.param(
            "FATAL:  the database system is starting up",
            "a running alertd carries on by itself",
            id="a server that starts",
        ),
        pytest.param(
            "FATAL:  Passwort-Authentifizierung fehlgeschlagen",
            "the server answers and refuses; check user, password, database and options in ALERTD_DATABASE_URL",
            id="a server that speaks another language",
        ),
        pytest.param("timeout expired", "a running alertd carries on by itself", id="silence"),
    ],
)
def test_refusal_when_libpq_has_no_code_for_it_then_its_text_decides(reason: str, said: str) -> None:
    """libpq passes on the text of a server that refuses a connection, without its SQLSTATE."""
    with pytest.raises(StoreError, match=re.escape(said)) as caught, explained("postgresql://db/alertd", ()):
        raise psycopg.OperationalError(f'connection failed: connection to server at "db", port 5432 failed: {reason}')
    first = reason.removeprefix("FATAL:  ").partition("\n")[0]
    assert str(caught.value).startswith(f"postgresql://db/alertd: {first}: ")


def test_reader_when_there_is_nothing_yet_then_notified_to_start_one(url: str) -> None:
    """`alertd spend` before the first run."""
    with pytest.raises(StoreError, match="has no tables yet; start `alertd run` first"):
        Store.open_read_only(url)


def test_reader_when_it_writes_then_refused(url: str) -> None:
    """Only who holds the lease may write; the server sees to it too."""
    Store.open(url, now=NOW).close()
    with closing(Store.open_read_only(url)) as reader:
        with pytest.raises(StoreError, match="cannot be written"):
            reader.meta.put("x", "y")
        with reader.snapshot(), pytest.raises(StoreError, match="read-only transaction: it cannot be written"):
            reader.meta.put("x", "y")
        assert reader.meta.get("x") is None


@pytest.mark.parametrize(
    ("state", "text"),
    [
        pytest.param("0A000", "cannot set transaction read-write mode during recovery", id="a standby"),
        pytest.param("25006", "cannot execute UPDATE in a read-only transaction", id="a server that was made so"),
    ],
)
def test_writer_when_the_server_only_reads_then_the_primary_is_asked_for(state: str, text: str) -> None:
    """After a failover the old address may be that of a standby."""
    words = "cannot be written: name the primary server in ALERTD_DATABASE_URL"
    with pytest.raises(StoreError, match=words), explained("postgresql://db/alertd", ()):
        raise psycopg.errors.lookup(state)(text)


def test_reader_when_a_daemon_commits_meanwhile_then_a_snapshot_stays_as_it_was(url: str) -> None:
    """Series and blocks read one after the other must belong together."""
    with closing(Store.open(url, now=NOW)) as store, closing(Store.open_read_only(url)) as reader:
        with reader.snapshot():
            assert len(reader.bills.load_series()) == 0
            store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
            assert list(reader.bills.iter_blocks(0)) == []
        assert len(list(reader.bills.iter_blocks(0))) == 1


def test_memory_copy_when_written_then_the_database_stays(url: str) -> None:
    """A dry run sees everything and changes nothing, while the daemon runs."""
    account = "\0\x01ü"
    change = change_of({HOUR + n: block_of(n, 2) for n in range(200)}, account=account)
    with closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(account=account), books=[change])
        store.save_decisions(alerts=(alert_of(),), entries=(entry_of(),))
        with closing(Store.open_memory_copy(url, now=NOW)) as copy:
            assert copy.meta.install_id == store.meta.install_id
            assert copy.bills.load_books() == store.bills.load_books()
            assert [h for h, _ in copy.bills.iter_blocks(0)] == [h for h, _ in store.bills.iter_blocks(0)]
            assert copy.outbox.open_entries() == store.outbox.open_entries()
            assert copy.check() == []
            copy.alerts.save([alert_of("new")])
        assert [alert.fingerprint for alert in store.alerts.all_alerts()] == ["f1"]


def test_memory_copy_when_there_is_nothing_yet_then_empty_and_nothing_is_made(
    postgres: PostgresServer, url: str
) -> None:
    """The first dry run of all leaves nothing behind."""
    with closing(Store.open_memory_copy(url, now=NOW)) as copy:
        copy.alerts.save([alert_of()])
    assert postgres.run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_backup_when_asked_for_then_refused_with_the_tool_to_use(url: str, tmp_path: Path) -> None:
    """A copy of rows would be no backup that PostgreSQL's own tools can restore."""
    with closing(Store.open(url, now=NOW)) as store, pytest.raises(StoreError, match="pg_dump --format=custom"):
        store.backup(tmp_path / "copy.db")


def test_migrations_when_a_step_fails_in_the_middle_then_the_steps_before_it_stay(url: str) -> None:
    """Each step is whole, as in a file."""
    later = Migration(
        number=len(shipped_migrations()) + 1,
        name="later",
        sql="CREATE TABLE later (data $blob, name $text, id $identity);\n",
    )
    broken = Migration(
        number=later.number + 1, name="broken", sql="CREATE TABLE half (a TEXT);\nDROP TABLE nonsense;\n"
    )
    steps = [*shipped_migrations(), later]
    with closing(PostgresDatabase(address(url))) as database:
        with pytest.raises(StoreError, match='table "nonsense" does not exist'):
            migrate(database, [*steps, broken])
        assert "later" in database.tables()
        assert "half" not in database.tables()
        require_current(database, steps)


def test_texts_when_ordered_then_by_their_bytes_as_in_a_file(url: str) -> None:
    """A language's order puts "a" before "B", and another server would list, and number, otherwise."""
    names = ["B", "a", "É", "e", "_", "A", "é", "z", "10", "9"]
    with closing(Store.open(url, now=NOW)) as store:
        store.key_bills.save_keys(ApiKey(account="a", key_id=name, name="", mask="") for name in names)
        assert [key.key_id for key in store.key_bills.load_keys()] == sorted(names, key=str.encode)


# --- connections ------------------------------------------------------------------------------------------------------


def test_connection_when_cut_while_idle_then_nobody_notices(postgres: PostgresServer, url: str) -> None:
    """Firewalls forget connections, and servers are restarted: between two cycles that costs nothing."""
    with closing(Store.open(url, now=NOW)) as store:
        save(store, 0)
        assert postgres.cut(url) == 2
        assert store.bills.load_books()["a", "gpu"].hours[HOUR].total == 50
        assert postgres.cut(url) >= 1
        save(store, 1)
        assert len(store.outbox.open_entries()) == 2


def test_connection_when_cut_inside_a_transaction_then_nothing_is_kept_and_the_next_call_works(
    postgres: PostgresServer, url: str
) -> None:
    """What follows the cut must not run on a new connection, outside of the transaction."""
    with closing(Store.open(url, now=NOW)) as store:
        save(store, 0)

        def cut(*, is_swallowed: bool) -> None:
            with store.transaction():
                save(store, 1)
                postgres.cut(url)
                if is_swallowed:
                    with pytest.raises(StoreError):
                        store.meta.get("half")
                store.meta.put("half", "yes")

        with pytest.raises(StoreError, match=r"terminating connection.*alertd carries on by itself"):
            cut(is_swallowed=False)
        with pytest.raises(StoreError, match="the connection was cut; nothing of the transaction is kept"):
            cut(is_swallowed=True)
        assert store.meta.get("half") is None
        assert len(store.outbox.open_entries()) == 1
        save(store, 1)
        assert len(store.outbox.open_entries()) == 2


def test_statement_when_it_failed_and_somebody_went_on_then_the_commit_says_so(url: str) -> None:
    """The server answers such a COMMIT with "ROLLBACK" and no error: what was to be stored would be lost unseen."""
    with closing(Store.open(url, now=NOW)) as store:

        def go_on() -> None:
            with store.transaction():
                store.meta.put("x", "y")
                with pytest.raises(StoreError, match="nowhere"):
                    store._database.execute("DELETE FROM nowhere")

        with pytest.raises(StoreError, match="was rolled back; nothing of it is kept"):
            go_on()
        assert store.meta.get("x") is None


@pytest.fixture
def proxied(postgres: PostgresServer, url: str) -> Iterator[tuple[LossyProxy, str]]:
    """A proxy, and the URL of the database through it."""
    with lossy_proxy(postgres.folder) as proxy:
        yield proxy, url.replace(str(postgres.folder), str(proxy.folder))


def test_commit_when_only_its_answer_was_lost_then_it_counts(proxied: tuple[LossyProxy, str]) -> None:
    """A claim that is stored but taken for failed would never be sent, and never be given up."""
    proxy, url = proxied
    with closing(Store.open(url, now=NOW)) as store:
        proxy.loss = Loss.ANSWER
        save(store, 0)
        assert proxy.loss is Loss.NOTHING, "it was lost"
        assert store.bills.load_books()["a", "gpu"].hours[HOUR].total == 50


def test_commit_when_it_never_arrived_then_nothing_is_kept_and_said_so(proxied: tuple[LossyProxy, str]) -> None:
    """Taken for done it would be lost."""
    proxy, url = proxied
    with closing(Store.open(url, now=NOW)) as store:
        proxy.loss = Loss.REQUEST
        with pytest.raises(StoreError, match="alertd carries on by itself"):
            store.meta.put("x", "y")
        assert proxy.loss is Loss.NOTHING, "it was lost"
        assert store.meta.get("x") is None
        store.meta.put("x", "y")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed in a moment."""
    monkeypatch.setattr(PostgresConnection, "answer_s", 0.3)
    monkeypatch.setattr("alertd.store.postgres.SHORT_ANSWER_S", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("loss", "is_kept"),
    [
        pytest.param(Loss.SILENCE_AFTER, True, id="the server has committed and cannot say so"),
        pytest.param(Loss.SILENCE, False, id="the server heard nothing of it"),
    ],
)
def test_commit_when_no_answer_ever_comes_then_its_fate_is_asked_for(
    proxied: tuple[LossyProxy, str], loss: Loss, *, is_kept: bool, postgres: PostgresServer
) -> None:
    """The connection is not cut, so that only a deadline of the client's own ends the waiting."""
    proxy, url = proxied
    with closing(Store.open(url, now=NOW)) as store:
        proxy.loss = loss
        with contextlib.nullcontext() if is_kept else pytest.raises(StoreError, match=r"gave no answer within 0 s"):
            store.meta.put("x", "y")
        assert proxy.loss is Loss.NOTHING, "it was lost"
        assert store.meta.get("x") == ("y" if is_kept else None)


@pytest.mark.usefixtures("impatient")
def test_server_when_it_stops_answering_in_a_transaction_then_said_and_the_next_one_works(
    proxied: tuple[LossyProxy, str],
) -> None:
    """A server that is stopped, or a pooler that hangs, closes nothing: nothing else would ever end the statement."""
    proxy, url = proxied
    with closing(Store.open(url, now=NOW)) as store:

        def write_in_silence() -> None:
            with store.transaction():
                store.meta.put("x", "1")
                proxy.is_silent = True
                store.meta.get("x")

        with pytest.raises(StoreError, match=r"no answer .* alertd carries on by itself"):
            write_in_silence()
        proxy.is_silent = False
        assert store.meta.get("x") is None
        store.meta.put("x", "3")
        assert store.meta.get("x") == "3"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        pytest.param("127.0.0.1:1/x", "no connection to 127.0.0.1, port 1 (Connection refused)", id="a host"),
        pytest.param(
            "/x?host=/nowhere",
            "no connection to /nowhere/.s.PGSQL.5432 (No such file or directory)",
            id="a socket",
        ),
        pytest.param(
            "127.0.0.1:1,127.0.0.2:2/x",
            "no connection to 127.0.0.1, port 1 (Connection refused); "
            "no connection to 127.0.0.2, port 2 (Connection refused)",
            id="several hosts",
        ),
    ],
)
def test_server_when_nobody_answers_then_its_place_is_said_with_what_to_do(place: str, said: str) -> None:
    """libpq asks "Is the server running on that host …?" in a line of its own, and names the last place twice."""
    with pytest.raises(StoreError) as caught:
        Store.open_read_only(f"postgresql://{place}")
    remedy = "check that the server runs and can be reached from here; a running alertd carries on by itself"
    assert str(caught.value).partition(": ")[2] == f"{said}: {remedy}"


def test_server_when_one_of_two_refuses_the_user_then_both_are_said(postgres: PostgresServer, url: str) -> None:
    """What a server answered must not be lost beside one that is down."""
    both = re.sub(r"//alertd:([^@]*)@/([^?]*)\?host=", r"//nobody:\1@/\2?host=/nowhere,", url)
    with pytest.raises(StoreError) as caught:
        Store.open(both, now=NOW)
    text = str(caught.value)
    assert "no connection to /nowhere/.s.PGSQL." in text
    assert 'role "nobody" does not exist' in text
    assert "Is the server running" not in text


def test_server_when_it_accepts_and_never_answers_then_said_so() -> None:
    """So do firewalls, load balancers with nothing behind them, and hosts that are out of memory."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=1"
        with pytest.raises(StoreError, match=r"timeout.* alertd carries on by itself"):
            Store.open_read_only(url)


def test_settings_when_writing_then_made_in_the_transaction_and_gone_after_it(url: str) -> None:
    """A pooler may give each transaction another session; the test server would lose commits by its own setting."""
    names = ("synchronous_commit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    sql = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    with closing(Store.open(url, now=NOW)) as store:
        with store.transaction():
            assert store._database.rows(tuple[str, str, str, str], sql) == [("on", "1min", "10s", "10s")]
        connection = store._database._connection  # type: ignore[attr-defined] # this driver's own
        assert connection.execute(sql.encode()).fetchone() == ("off", "0", "0", "0")
        assert connection.execute(b"SELECT COUNT(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert connection.execute(b"SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        seen = connection.execute(
            b"SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
        )
        assert seen.fetchall() == [("alertd",)]


def test_errors_when_libpq_repeats_the_password_then_masked(postgres: PostgresServer, url: str) -> None:
    """A role that is named like its password is no reason to show it."""
    wrong = re.sub(r"//alertd:", f"//{PASSWORD}:", url)
    with pytest.raises(StoreError) as caught:
        Store.open(wrong, now=NOW)
    assert 'role "********" does not exist' in str(caught.value)


def test_small_commit_when_made_then_the_server_is_asked_twice(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with the lease, then write and commit at once: each further question is a way to the server and back."""
    asked = answered = 0
    wait = PostgresConnection.wait

    def heard(asking: Generator[Wait, Ready | int, object]) -> Generator[Wait, Ready | int, object]:
        nonlocal answered
        try:
            wanted = next(asking)
            while True:
                ready = yield wanted
                answered += bool(ready & Ready.R)
                wanted = asking.send(ready)
        except StopIteration as end:
            return end.value

    def counted(connection: PostgresConnection, asking: Generator[Wait, Ready | int, object], *rest: float) -> object:
        nonlocal asked
        # The lease is renewed by a thread of its own.
        if threading.current_thread() is not threading.main_thread():
            return wait(connection, asking, *rest)
        asked += 1
        return wait(connection, heard(asking), *rest)

    with closing(Store.open(url, now=NOW)) as store:
        monkeypatch.setattr(PostgresConnection, "wait", counted)
        store.meta.put("fact", "1")
        assert answered == 2
        store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
        found = []
        for count in (5, 50, 500):
            asked = 0
            store.save_facts(table_of(), books=[change_of({HOUR + n: block_of(count) for n in range(count)})])
            found.append(asked)
        assert found[0] == 2, "a few hours go with the commit, and nothing is asked that was asked before"
        assert found[1] == found[2], "five hundred hours take as many questions as fifty"
