import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import Failure, SourceError
from tasks.ingest import records
from tasks.ingest.records import data_files, read_records, reread_line

ROWS = [{"q": "eins", "n": 1}, {"q": "zwei\u2028", "n": 2}]


@pytest.mark.parametrize("kind", ["lines", "array", "parquet", "bom"])
def test_read_records_same_rows_in_each_format(tmp_path: Path, kind: str):
    path = tmp_path / "rows"
    lines = "\n".join(json.dumps(row) for row in ROWS)
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=1)
    else:
        text = {"lines": lines, "array": json.dumps(ROWS, indent=1), "bom": "\ufeff" + lines}[kind]
        path.write_text(text)
    found = list(read_records((path,)))
    assert [record.value for record in found] == ROWS
    assert [record.raw for record in found] == [records.canonical_text(row) for row in ROWS]


@pytest.mark.parametrize(
    "line",
    [b"{", b"[1]", b"3", b'{"q": "\xff"}', b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}", b"\x00"],
)
def test_read_records_bad_line_is_a_problem_and_reading_goes_on(tmp_path: Path, line: bytes):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"q": 1}\n\n' + line + b'\n{"q": 2}')
    first, bad, last = read_records((path,))
    assert (first.value, last.value) == ({"q": 1}, {"q": 2})
    assert bad.problem.code == Failure.ROW_MALFORMED


def test_read_records_endless_line_is_skipped_and_named_by_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(records, "MAX_LINE_BYTES", 100)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"q": 1}\n{"q": "' + b"x" * 5000 + b'"}\n{"q": 2}\n')
    first, bad, last = read_records((path,))
    assert (first.value, last.value) == ({"q": 1}, {"q": 2})
    assert bad.problem.code == Failure.ROW_MALFORMED
    assert "at most 100 bytes, found 5010" in bad.problem.detail
    assert reread_line(path, last.start, last.at) == {"q": 2}


def test_read_records_broken_array_is_an_error(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text('[{"q": 1}, ')
    with pytest.raises(SourceError, match="expected a JSON array"):
        list(read_records((path,)))


def test_read_records_missing_parquet_column_names_the_known_ones(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    with pytest.raises(SourceError, match=r"expected columns \['x'\].*found \['n', 'q'\]"):
        list(read_records((path,), ("q", "x")))


def test_data_files_folder_gives_its_data_files_in_order(tmp_path: Path):
    for name in ("b.jsonl", "a.parquet", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in data_files(tmp_path)] == ["a.parquet", "b.jsonl"]
    with pytest.raises(SourceError, match="expected a file"):
        data_files(tmp_path / "none")
