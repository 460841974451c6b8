"""`open_lake` on a folder and on a bucket, with httpfs where it can be had and without."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import fs

from infra.lake.lake import Lake
from sightline.arrow_files import ArrowFiles, ReadOnlyFile, normalise_uri
from sightline.errors import LakeError
from sightline.reader import open_lake, run_scripts, sql_files
from sightline.schemas import CONTRACTS, FAILURES, IMAGES, SAMPLES, Contract
from tests.factories import commit, full_of, payload_of
from tests.servers.s3 import S3Server


def opened(lake: Lake, **options: object) -> duckdb.DuckDBPyConnection:
    return open_lake(lake.uri, storage=lake.options, offline=True, **options)  # type: ignore[arg-type]


def in_utc(table: pa.Table) -> pa.Table:
    """DuckDB labels times with the machine's zone; the moments are the same."""
    utc = pa.timestamp("us", tz="UTC")
    fields = [
        column.with_type(utc) if pa.types.is_timestamp(column.type) else column
        for column in table.schema
    ]
    return table.cast(pa.schema(fields))


def test_open_lake_of_nothing_has_every_table_empty_and_typed(lake: Lake) -> None:
    connection = opened(lake)
    for name, contract in CONTRACTS.items():
        result = connection.table(name).to_arrow_table()
        assert result.schema.names == contract.schema.names
        assert in_utc(result).schema.types == contract.schema.types
        assert result.num_rows == 0


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_table_reads_back_as_written(local_lake: Lake, contract: Contract) -> None:
    commit(local_lake, contract, payload_of(contract, 3), "2024-01-01")
    found = in_utc(opened(local_lake).table(contract.name).to_arrow_table())
    assert found.to_pylist() == local_lake.read(contract).to_pylist()
    assert found.schema.types == contract.schema.types


def test_open_lake_reads_parts_and_follows_no_later_commit(lake: Lake) -> None:
    commit(lake, FAILURES, payload_of(FAILURES, 3), "007")
    connection = opened(lake)
    commit(lake, FAILURES, payload_of(FAILURES, 5), "008")
    query = "select part, count(*) from failures group by all order by all"
    assert connection.cursor().execute(query).fetchall() == [("007", 3)]
    assert opened(lake).execute(query).fetchall() == [("007", 3), ("008", 5)]


def test_open_lake_ignores_staged_and_replaced_files(lake: Lake) -> None:
    commit(lake, FAILURES, payload_of(FAILURES, 3), "p")
    commit(lake, FAILURES, payload_of(FAILURES, 2), "p")
    with lake.stage(FAILURES, "p", "1" * 15) as writer:
        writer.write(full_of(FAILURES, 9, part="p", fingerprint="1" * 15))
        writer.finish()
    assert opened(lake).sql("select count(*) from failures").fetchall() == [(2,)]


def test_open_lake_of_a_version_reads_that_version(lake: Lake) -> None:
    commit(lake, FAILURES, payload_of(FAILURES, 3), "p")
    version = lake.snapshot(FAILURES).version
    assert version is not None
    commit(lake, FAILURES, payload_of(FAILURES, 2), "p")
    connection = opened(lake, versions={"failures": version})
    assert connection.sql("select count(*) from failures").fetchall() == [(3,)]


def test_open_lake_of_a_version_of_no_table_is_refused(local_lake: Lake) -> None:
    with pytest.raises(LakeError, match="no tables are called"):
        open_lake(local_lake.uri, versions={"fails": 1})


def test_column_added_later_is_null_in_older_files(lake: Lake) -> None:
    older = Contract(
        FAILURES.name, 1, FAILURES.grain, FAILURES.key,
        FAILURES.payload.remove(FAILURES.payload.get_field_index("detail")),
    )  # fmt: skip
    commit(lake, older, payload_of(older, 1), "old")
    query = "select part, detail from failures order by part"
    assert opened(lake).sql(query).fetchall() == [("old", None)]
    commit(lake, FAILURES, payload_of(FAILURES, 1, detail="x"), "new")
    assert opened(lake).sql(query).fetchall() == [("new", "x"), ("old", None)]


def test_image_bytes_are_read_back_by_many_threads(lake: Lake) -> None:
    payload = payload_of(IMAGES, 200, bytes=lambda i: bytes([i]) * 5000)
    commit(lake, IMAGES, payload, "a")
    connection = opened(lake)

    def read(number: int) -> bool:
        found = connection.cursor().execute(
            "select image_id, bytes from images where width % 4 = ?", [number % 4]
        )
        rows = found.fetchall()
        return len(rows) == 50 and all(
            data == bytes([int(key.rpartition("-")[2])]) * 5000 for key, data in rows
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(24)))


SLOW_AND_UNREAD = """
import json, sys, time
from sightline.arrow_files import ReadOnlyFile
from sightline.reader import open_lake

quick = ReadOnlyFile.read


def slow(self, size=-1):
    time.sleep(0.02)
    return quick(self, size)


ReadOnlyFile.read = slow
uri, storage = json.loads(sys.argv[1])
lake = open_lake(uri, storage=storage, offline=True)
kept = [lake, lake.cursor(), lake.cursor()]
for cursor in kept:
    print(cursor.execute("select * from failures").fetchone()[0])
"""


@pytest.mark.s3
def test_interpreter_may_end_while_results_are_unread(s3_lake: Lake) -> None:
    for number in range(8):
        commit(s3_lake, FAILURES, payload_of(FAILURES, 3000), f"{number}")
    place = json.dumps([s3_lake.uri, s3_lake.options])
    done = subprocess.run(
        [sys.executable, "-c", SLOW_AND_UNREAD, place],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


def test_macros_and_views_are_there(lake: Lake) -> None:
    commit(lake, SAMPLES, payload_of(SAMPLES, 2), "p")
    connection = opened(lake)
    views = {row[0] for row in connection.sql("select view_name from duckdb_views()").fetchall()}
    assert views >= {file.name.removesuffix(".sql") for file in sql_files("views")}
    assert connection.sql("select percent(1, 4)").fetchall() == [(25.0,)]


def test_scripts_run_whatever_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("create view a as select n + 1 as n from b;")
    (tmp_path / "b.sql").write_text("create view b as select n from c;")
    (tmp_path / "c.sql").write_text("create view c as select 1 as n;")
    connection = duckdb.connect()
    run_scripts(connection, sorted(tmp_path.iterdir()))
    assert connection.sql("select n from a").fetchall() == [(2,)]


def test_script_that_never_runs_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("create view bad as select * from nowhere;")
    with pytest.raises(LakeError, match=r"bad\.sql.*nowhere"):
        run_scripts(duckdb.connect(), [tmp_path / "bad.sql"])


@pytest.mark.s3
def test_httpfs_gives_the_same_answer(s3_lake: Lake) -> None:
    probe = duckdb.connect()
    try:
        probe.execute("load httpfs")
    except duckdb.IOException:
        pytest.skip("DuckDB's httpfs extension is neither installed nor in the wheel")
    commit(s3_lake, FAILURES, payload_of(FAILURES, 3), "p")
    connection = opened(s3_lake)
    loaded = connection.execute(
        "select loaded from duckdb_extensions() where extension_name = 'httpfs'"
    ).fetchone()
    assert loaded == (True,)
    assert connection.sql("select count(*) from failures").fetchall() == [(3,)]


@pytest.mark.s3
def test_standard_aws_variables_are_enough(
    s3_server: S3Server, s3_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(s3_lake, FAILURES, payload_of(FAILURES, 3), "p")
    storage = s3_server.storage
    given: Mapping[str, str | None] = {
        "AWS_ENDPOINT_URL": storage.endpoint_url,
        "AWS_ACCESS_KEY_ID": storage.access_key,
        "AWS_SECRET_ACCESS_KEY": storage.secret_key,
        "AWS_REGION": storage.region,
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    found = open_lake(s3_lake.uri, offline=True).sql("select count(*) from failures").fetchall()
    assert found == [(3,)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://b/p/", "s3://b/p"),
        ("s3a://b/p", "s3://b/p"),
        ("/a/b/", "/a/b"),
        ("file:///a/b", "/a/b"),
        (Path("/a"), "/a"),
    ],
)
def test_normalise_uri_gives_one_form(given: str | Path, expected: str) -> None:
    assert normalise_uri(given) == expected


def test_arrow_files_read_by_position_per_thread(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    (tmp_path / "f").write_bytes(data)
    files = ArrowFiles(fs.LocalFileSystem())
    with files.open(str(tmp_path / "f")) as file:

        def piece(number: int) -> bool:
            file.seek(number * 997)
            return file.read(500) == data[number * 997 : number * 997 + 500]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(piece, range(200)))


def test_read_only_file_keeps_to_the_file_protocol(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    file: ReadOnlyFile = ArrowFiles(fs.LocalFileSystem()).open(str(tmp_path / "f"))
    assert (file.size, file.read(3), file.tell()) == (10, b"012", 3)
    assert (file.seek(-2, 2), file.read(), file.read()) == (8, b"89", b"")
    assert (file.seek(1), file.seek(1, 1), file.read(1)) == (1, 2, b"2")
    buffer = bytearray(4)
    assert (file.readinto(buffer), bytes(buffer)) == (4, b"3456")
    assert (file.seek(99), file.read(5)) == (99, b"")
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_arrow_files_list_and_refuse_writing(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    files = ArrowFiles(fs.LocalFileSystem())
    assert files.ls(str(tmp_path), detail=False) == [str(tmp_path / "f")]
    assert files.glob(str(tmp_path / "f")) == [str(tmp_path / "f")]
    with pytest.raises(FileNotFoundError):
        files.info(str(tmp_path / "g"))
    with pytest.raises(PermissionError, match="only reads"):
        files.open(str(tmp_path / "f"), "wb")
