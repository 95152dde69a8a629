"""The wire server around TimescaleDB's WebAssembly build: many clients on one backend, each as if it were alone."""

import datetime as dt
import socket
import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.connected.conftest import RunningStack

_AT = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def connection(stack: RunningStack) -> Iterator[psycopg.Connection]:
    """A connection that commits every statement."""
    with psycopg.connect(stack.timescale_dsn, autocommit=True) as it:
        yield it


@pytest.fixture
def reads(connection: psycopg.Connection) -> Iterator[str]:
    """An empty hypertable of its own: its name."""
    name = f"reads_{uuid.uuid4().hex[:12]}"
    connection.execute(f"CREATE TABLE {name} (at timestamptz NOT NULL, plate text, n int)")
    connection.execute(f"SELECT create_hypertable('{name}', 'at')")
    yield name
    connection.execute(f"DROP TABLE {name} CASCADE")


def test_is_the_database_that_the_connection_string_names(connection: psycopg.Connection) -> None:
    """User and database are alpr, and TimescaleDB and pg_trgm are installed."""
    assert connection.execute("SELECT current_user, current_database()").fetchone() == ("alpr", "alpr")
    names = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
    assert {"timescaledb", "pg_trgm"} <= names


def test_licensed_features_work(connection: psycopg.Connection, reads: str) -> None:
    """Continuous aggregates, columnstore and retention policies are there, not only the Apache part."""
    connection.execute(f"INSERT INTO {reads} SELECT %s, 'AB123CD', i FROM generate_series(1, 10) i", (_AT,))
    connection.execute(
        f"CREATE MATERIALIZED VIEW {reads}_hourly WITH (timescaledb.continuous) AS "
        f"SELECT time_bucket('1 hour', at) AS hour, count(*) AS n FROM {reads} GROUP BY 1 WITH NO DATA"
    )
    connection.execute(f"CALL refresh_continuous_aggregate('{reads}_hourly', NULL, NULL)")
    assert connection.execute(f"SELECT * FROM {reads}_hourly").fetchall() == [(_AT, 10)]
    connection.execute(f"ALTER TABLE {reads} SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'plate')")
    policy = connection.execute(f"SELECT add_retention_policy('{reads}', INTERVAL '1 day')").fetchone()
    assert policy is not None
    connection.execute("CALL run_job(%s)", policy)
    assert connection.execute(f"SELECT count(*) FROM {reads}").fetchone() == (0,)


def test_copy_in_and_out_as_text_and_binary(connection: psycopg.Connection, reads: str) -> None:
    """COPY carries special characters, NULLs and thousands of rows in both formats and both directions."""
    rows = [(_AT, "tab\tnew\nline\\ü", 1), (_AT, None, 2), (_AT, "", None)]
    many = [(_AT, f"P{i}", i) for i in range(10, 5010)]
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {reads} (at, plate, n) FROM STDIN") as copy:
            for row in [*rows, *many]:
                copy.write_row(row)
        with cursor.copy(f"COPY {reads} FROM STDIN WITH (FORMAT binary)") as copy:
            copy.set_types(["timestamptz", "text", "int4"])
            for row in rows:
                copy.write_row(row)
        for form in ("", " WITH (FORMAT binary)"):
            query = f"COPY (SELECT at, plate, n FROM {reads} WHERE coalesce(n, 0) < 10 ORDER BY n, plate) TO STDOUT"
            with cursor.copy(query + form) as copy:
                copy.set_types(["timestamptz", "text", "int4"])
                found = list(copy.rows())
            assert found == [row for row in rows for _ in range(2)]
        with cursor.copy(f"COPY (SELECT 1 FROM {reads} WHERE false) TO STDOUT") as copy:
            assert list(copy.rows()) == []
    assert connection.execute(f"SELECT count(*) FROM {reads}").fetchone() == (5006,)


def test_copy_that_fails_changes_nothing_and_the_connection_lives(connection: psycopg.Connection, reads: str) -> None:
    """A bad row, a client that gives up and an unknown table are errors, as on a real server."""

    def copy_in(table: str, row: tuple[object, ...], failure: Exception | None = None) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} (at, plate) FROM STDIN") as copy:
            copy.write_row((_AT, "good"))
            copy.write_row(row)
            if failure is not None:
                raise failure

    with pytest.raises(errors.InvalidDatetimeFormat):
        copy_in(reads, ("not a time", "bad"))
    with pytest.raises(ValueError, match="it's over"):
        copy_in(reads, (_AT, "x"), ValueError("it's over $$ '"))
    with pytest.raises(errors.UndefinedTable):
        copy_in("no_such_table", (_AT, "x"))
    with pytest.raises(errors.InvalidDatetimeFormat), connection.transaction():
        connection.execute(f"INSERT INTO {reads} VALUES (now(), 'before', 1)")
        copy_in(reads, ("not a time", "bad"))
    assert connection.execute(f"SELECT count(*) FROM {reads}").fetchone() == (0,)


def test_transactions_of_several_clients_do_not_mix(stack: RunningStack, reads: str) -> None:
    """Clients whose prepared statements have the same names at once each get their own rows in, whole or not at all."""
    failures: list[psycopg.Error] = []

    def work(number: int) -> None:
        try:
            with psycopg.connect(stack.timescale_dsn) as mine:
                for i in range(20):
                    query = f"INSERT INTO {reads} VALUES (now(), %s, %s)" + " " * (number % 2)
                    mine.execute(query, (f"w{number}", i), prepare=True)
                    if i % 2:
                        mine.commit()
                    else:
                        mine.rollback()
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(stack.timescale_dsn) as mine:
        counts = mine.execute(f"SELECT plate, array_agg(n ORDER BY n) FROM {reads} GROUP BY 1 ORDER BY 1").fetchall()
        assert counts == [(f"w{number}", list(range(1, 20, 2))) for number in range(6)]
        left = mine.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'c%\\_%'").fetchone()
        assert left == (0,)


def test_client_that_vanishes_in_a_transaction_is_rolled_back(
    stack: RunningStack, connection: psycopg.Connection, reads: str
) -> None:
    """A broken connection gives the backend back and leaves no row."""
    lost = psycopg.connect(stack.timescale_dsn)
    lost.execute(f"INSERT INTO {reads} VALUES (now(), 'lost', 1)")
    with socket.socket(fileno=socket.dup(lost.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
    assert connection.execute(f"SELECT count(*) FROM {reads}").fetchone() == (0,)
    lost.close()


def test_error_in_a_transaction_holds_until_rollback(connection: psycopg.Connection, reads: str) -> None:
    """After an error the transaction refuses statements, and a savepoint brings it back."""
    with connection.transaction():
        connection.execute(f"INSERT INTO {reads} VALUES (now(), 'kept', 1)")
        with pytest.raises(errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT 1 / 0")
        assert connection.execute(f"SELECT count(*) FROM {reads}").fetchone() == (1,)


def test_pipelines_and_large_results(connection: psycopg.Connection) -> None:
    """Several statements in one round trip, and an answer of megabytes, come back whole."""
    with connection.pipeline():
        first = connection.execute("SELECT 1")
        second = connection.execute("SELECT %s::text", ("two",))
    assert (first.fetchone(), second.fetchone()) == ((1,), ("two",))
    large = connection.execute("SELECT repeat('x', 1000) FROM generate_series(1, 5000)").fetchall()
    assert len(large) == 5000
    assert {len(text) for (text,) in large} == {1000}


def test_nonsense_on_the_wire_hurts_nobody_else(stack: RunningStack, connection: psycopg.Connection) -> None:
    """A client that is no PostgreSQL client is let go; the others go on."""
    host, port = connection.info.host, connection.info.port
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x01", b"\xff" * 64, b""):
        with socket.create_connection((host, port), timeout=5) as wire:
            wire.sendall(nonsense)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(4096):
                pass
    assert connection.execute("SELECT 1").fetchone() == (1,)
