"""The lake's promises, on a folder and on an S3 server."""

import pickle

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake.transaction import CommitProperties, Transaction

from infra.lake.files import StagedPart
from infra.lake.lake import Lake, Part
from infra.lake.objects import StorageOptions
from sightline.errors import LakeError
from sightline.schemas import FAILURES, IMAGES, VERDICTS, Contract
from sightline.snapshot import open_handle
from tests.factories import full_of

ONE, TWO, THREE = "1" * 15, "2" * 15, "0" * 14 + "3"


def staged(lake: Lake, part: str, fingerprint: str, rows: int, **values: object) -> StagedPart:
    with lake.stage(FAILURES, part, fingerprint) as writer:
        if rows:
            writer.write(full_of(FAILURES, rows, part=part, fingerprint=fingerprint, **values))
        return writer.finish()


def files_of(lake: Lake, contract: Contract = FAILURES) -> list[str]:
    return [info.key for info in lake.objects.list(f"{contract.path}/part=")]


def test_unwritten_table_reads_as_empty(lake: Lake) -> None:
    assert lake.read(FAILURES).schema.equals(FAILURES.schema)
    assert lake.read(FAILURES).num_rows == 0
    assert list(lake.scan(FAILURES)) == []
    assert lake.parts(FAILURES) == []
    assert lake.committed(FAILURES, "p") is None
    assert lake.snapshot(FAILURES).version is None


def test_staged_part_is_invisible_until_published(lake: Lake) -> None:
    part = staged(lake, "p", ONE, 3)
    assert lake.read(FAILURES).num_rows == 0
    assert not lake.is_done(FAILURES, "p", ONE)
    lake.publish(FAILURES, [part])
    assert lake.is_done(FAILURES, "p", ONE)
    assert lake.read(FAILURES).equals(full_of(FAILURES, 3, part="p", fingerprint=ONE))


def test_publish_commits_several_parts_in_one_version(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 2)])
    before = lake.snapshot(FAILURES).version
    commits = lake.publish(FAILURES, [staged(lake, "b", ONE, 1), staged(lake, "c", THREE, 4)])
    assert before is not None
    assert lake.snapshot(FAILURES).version == before + 1
    assert [(c.part, c.rows, c.reused) for c in commits] == [("b", 1, False), ("c", 4, False)]
    assert lake.parts(FAILURES) == [
        Part("failures", "a", ONE, 2),
        Part("failures", "b", ONE, 1),
        Part("failures", "c", THREE, 4),
    ]


def test_part_without_rows_is_done_but_not_listed(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "p", ONE, 0)])
    assert lake.is_done(FAILURES, "p", ONE)
    assert lake.parts(FAILURES) == []


def test_committed_among_knows_parts_without_rows_and_dropped_ones(lake: Lake) -> None:
    assert lake.committed_among(FAILURES, ["a"]) == frozenset()
    lake.publish(
        FAILURES, [staged(lake, n, ONE, rows) for n, rows in (("a", 2), ("b", 0), ("c", 1))]
    )
    lake.drop(FAILURES, "c")
    assert lake.committed_among(FAILURES, ["a", "b", "c", "d"]) == {"a", "b"}


def test_recomputed_part_replaces_its_rows_only(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 5), staged(lake, "b", ONE, 5)])
    lake.publish(FAILURES, [staged(lake, "a", TWO, 2), staged(lake, "c", TWO, 1)])
    found = [(p.part, p.fingerprint, p.rows) for p in lake.parts(FAILURES)]
    assert found == [("a", TWO, 2), ("b", ONE, 5), ("c", TWO, 1)]


def test_recomputed_part_without_rows_removes_the_old_ones(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 5), staged(lake, "b", ONE, 5)])
    lake.publish(FAILURES, [staged(lake, "a", TWO, 0)])
    assert [p.part for p in lake.parts(FAILURES)] == ["b"]
    assert lake.committed(FAILURES, "a") == TWO


def test_publishing_a_committed_part_again_changes_nothing(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "p", ONE, 3)])
    before, files = lake.snapshot(FAILURES), files_of(lake)
    (commit,) = lake.publish(FAILURES, [staged(lake, "p", ONE, 3)])
    assert commit.reused
    assert lake.snapshot(FAILURES) == before
    assert files_of(lake) == files  # the second copy is gone


def test_publishing_the_same_staged_part_twice_keeps_its_files(lake: Lake) -> None:
    """A commit whose answer was lost is repeated with the very same files."""
    part = staged(lake, "p", ONE, 3)
    lake.publish(FAILURES, [part])
    (commit,) = lake.publish(FAILURES, [part])
    assert not commit.reused
    assert lake.read(FAILURES).num_rows == 3


def test_writer_that_lost_the_race_reuses_the_winner(lake: Lake) -> None:
    first, second = staged(lake, "p", ONE, 3), staged(lake, "p", ONE, 3)
    lake.publish(FAILURES, [first])
    (commit,) = lake.publish(FAILURES, [second])
    assert commit.reused
    assert lake.read(FAILURES).num_rows == 3


def test_old_handle_cannot_commit_a_mark_that_someone_else_set(lake: Lake) -> None:
    """The fact `publish` stands on: delta-rs refuses an equal mark only on an older handle."""
    lake.publish(FAILURES, [staged(lake, "x", ONE, 1)])
    handle = open_handle(lake.snapshot(FAILURES).uri, lake.options)
    assert handle is not None
    part = staged(lake, "p", ONE, 3)
    lake.publish(FAILURES, [staged(lake, "p", ONE, 3)])
    with pytest.raises(Exception, match="Failed to commit"):
        handle.create_write_transaction(
            list(part.files),
            mode="append",
            schema=handle.schema(),
            partition_by=["part"],
            commit_properties=CommitProperties(app_transactions=[Transaction("p", int(ONE, 16))]),
        )


def test_drop_removes_rows_and_mark(lake: Lake) -> None:
    lake.drop(FAILURES, "p")
    lake.publish(FAILURES, [staged(lake, "p", ONE, 3), staged(lake, "q", ONE, 1)])
    lake.drop(FAILURES, "p")
    assert [p.part for p in lake.parts(FAILURES)] == ["q"]
    assert lake.committed(FAILURES, "p") is None
    lake.publish(FAILURES, [staged(lake, "p", ONE, 3)])
    assert lake.is_done(FAILURES, "p", ONE)


def test_drop_removes_several_parts_in_one_version(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, part, ONE, 1) for part in ("a", "b", "c")])
    lake.publish(FAILURES, [staged(lake, "empty", ONE, 0)])
    before = lake.snapshot(FAILURES).version
    lake.drop(FAILURES, "a", "b", "empty", "unknown")
    assert [p.part for p in lake.parts(FAILURES)] == ["c"]
    assert lake.snapshot(FAILURES).version == before + 1
    assert lake.committed(FAILURES, "empty") is None
    lake.drop(FAILURES, "a", "unknown")
    lake.drop(FAILURES)
    assert lake.snapshot(FAILURES).version == before + 1


def test_scan_yields_bounded_tables_in_part_order(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "b", ONE, 5), staged(lake, "a", ONE, 5)])
    tables = list(lake.scan(FAILURES, batch_rows=2))
    assert max(t.num_rows for t in tables) == 2
    assert pa.concat_tables(tables)["part"].to_pylist() == ["a"] * 5 + ["b"] * 5
    assert all(t.schema.equals(FAILURES.schema) for t in tables)


def test_scan_keeps_its_snapshot_while_others_commit(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 4), staged(lake, "b", ONE, 4)])
    tables = lake.scan(FAILURES, batch_rows=1)
    seen = next(tables).num_rows
    lake.publish(FAILURES, [staged(lake, "b", TWO, 9), staged(lake, "c", TWO, 9)])
    assert seen + sum(t.num_rows for t in tables) == 8


def test_read_filters_parts_columns_and_rows(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 3), staged(lake, "b", ONE, 3)])
    found = lake.read(
        FAILURES, parts=["b", "zz"], columns=["part", "item_id"],
        where=pc.field("item_id") == "item_id-2",
    )  # fmt: skip
    assert found.to_pylist() == [{"part": "b", "item_id": "item_id-2"}]


def test_read_of_an_unknown_column_names_the_known_ones(lake: Lake) -> None:
    with pytest.raises(LakeError, match="item_id"):
        lake.read(FAILURES, columns=["nope"])


def test_read_of_an_older_version_sees_what_was_there(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 3)])
    version = lake.snapshot(FAILURES).version
    lake.publish(FAILURES, [staged(lake, "a", TWO, 5)])
    assert [f.rows for f in lake.snapshot(FAILURES, version).files] == [3]


def test_filter_on_nullable_column_keeps_nulls(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 4, detail=lambda i: "x" if i else None)])
    found = lake.read(FAILURES, where=pc.field("detail").is_null())
    assert found["item_id"].to_pylist() == ["item_id-0"]


def test_optimize_and_vacuum_keep_rows_and_marks(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 3)])
    lake.publish(FAILURES, [staged(lake, "a", TWO, 4)])
    staged(lake, "orphan", ONE, 2)
    rows = lake.read(FAILURES)
    lake.optimize(FAILURES)
    assert len(lake.vacuum(FAILURES, retention_hours=0)) == 2
    assert lake.read(FAILURES).equals(rows)
    assert lake.is_done(FAILURES, "a", TWO)
    assert lake.vacuum(IMAGES) == []


def test_marks_survive_a_checkpoint(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 0), staged(lake, "b", TWO, 1)])
    handle = open_handle(lake.snapshot(FAILURES).uri, lake.options)
    assert handle is not None
    handle.create_checkpoint()
    assert lake.committed(FAILURES, "a") == ONE
    assert [f.lowest["item_id"] for f in lake.snapshot(FAILURES).files] == ["item_id-0"]


@pytest.mark.parametrize("part", ["", "a/b", "a b", "é", "..", "-x", "x" * 201, "a%2Fb", "a=b"])
def test_part_names_that_need_quoting_are_refused(local_lake: Lake, part: str) -> None:
    with pytest.raises(LakeError, match="part name"):
        local_lake.stage(FAILURES, part, ONE)


@pytest.mark.parametrize("fingerprint", ["", "1" * 14, "g" * 15, "0" * 15, "A" * 15])
def test_fingerprints_of_another_form_are_refused(local_lake: Lake, fingerprint: str) -> None:
    with pytest.raises(LakeError, match="15 hex"):
        local_lake.stage(FAILURES, "p", fingerprint)


def test_staged_parts_that_do_not_fit_are_refused(local_lake: Lake) -> None:
    part = staged(local_lake, "p", ONE, 1)
    with pytest.raises(LakeError, match="distinct parts"):
        local_lake.publish(FAILURES, [part, part])
    with pytest.raises(LakeError, match="distinct parts"):
        local_lake.publish(VERDICTS, [part])
    assert local_lake.publish(FAILURES, []) == []


def test_lake_survives_pickling(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "p", ONE, 3)])
    copy: Lake = pickle.loads(pickle.dumps(lake))  # noqa: S301 - our own bytes
    assert copy.read(FAILURES).num_rows == 3


@pytest.mark.s3
def test_wrong_keys_are_a_lake_error_without_delay(strict_s3_lake: Lake) -> None:
    wrong = StorageOptions(strict_s3_lake.storage.endpoint_url, "us-east-1", "testaccess", "wrong")
    with pytest.raises(LakeError, match="credentials"):
        Lake(strict_s3_lake.uri, wrong).read(FAILURES)
