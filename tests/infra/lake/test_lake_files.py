"""What staged files hold: row groups, compression, statistics, and only rows that fit."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.lake.files import StagedPart
from infra.lake.lake import Lake
from sightline.errors import ContractError
from sightline.schemas import FAILURES, IMAGE_KEYS, IMAGES, TEXT_KEYS, Contract
from tests.factories import full_of, payload_of

ONE, TWO, THREE = "1" * 15, "2" * 15, "0" * 14 + "3"


def staged(lake: Lake, part: str, fingerprint: str, rows: int, **values: object) -> StagedPart:
    with lake.stage(FAILURES, part, fingerprint) as writer:
        if rows:
            writer.write(full_of(FAILURES, rows, part=part, fingerprint=fingerprint, **values))
        return writer.finish()


def files_of(lake: Lake, contract: Contract = FAILURES) -> list[str]:
    return [info.key for info in lake.objects.list(f"{contract.path}/part=")]


def test_error_inside_stage_removes_what_was_written(lake: Lake) -> None:
    with pytest.raises(ContractError), lake.stage(IMAGES, "p", ONE) as writer:  # noqa: PT012 - the writer must have written
        writer.write(full_of(IMAGES, 200, part="p", fingerprint=ONE))
        writer.finish()
        writer.write(full_of(IMAGES, 1, part="q", fingerprint=ONE))
    assert files_of(lake, IMAGES) == []


@pytest.mark.parametrize("batch", [1, 7, 64, 150])
def test_row_groups_do_not_depend_on_batches(local_lake: Lake, batch: int) -> None:
    table = full_of(IMAGES, 150, part="p", fingerprint=ONE)
    with local_lake.stage(IMAGES, "p", ONE) as writer:
        for start in range(0, 150, batch):
            writer.write(table.slice(start, batch))
        part = writer.finish()
    path = Path(local_lake.uri, IMAGES.path, part.files[0].path)
    groups = pq.read_metadata(path)
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [64, 64, 22]
    column = groups.row_group(0).column(1)
    assert (column.path_in_schema, column.compression) == ("bytes", "UNCOMPRESSED")
    assert groups.row_group(0).column(0).compression == "SNAPPY"


def test_large_images_close_row_groups_by_bytes(local_lake: Lake) -> None:
    table = full_of(IMAGES, 10, part="p", fingerprint=ONE, bytes=bytes(5 * 2**20))
    with local_lake.stage(IMAGES, "p", ONE) as writer:
        writer.write(table)
        part = writer.finish()
    groups = pq.read_metadata(Path(local_lake.uri, IMAGES.path, part.files[0].path))
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [6, 4]


@pytest.mark.parametrize("contract", [TEXT_KEYS, IMAGE_KEYS])
def test_short_bytes_make_row_groups_as_large_as_other_columns(
    local_lake: Lake, contract: Contract
) -> None:
    with local_lake.stage(contract, "p", ONE) as writer:
        writer.write(full_of(contract, 200, part="p", fingerprint=ONE))
        part = writer.finish()
    groups = pq.read_metadata(Path(local_lake.uri, contract.path, part.files[0].path))
    assert groups.num_row_groups == 1


def test_log_holds_statistics_of_keys(lake: Lake) -> None:
    lake.publish(FAILURES, [staged(lake, "a", ONE, 3)])
    (file,) = lake.snapshot(FAILURES).files
    assert (file.rows, file.complete) == (3, True)
    assert (file.lowest["item_id"], file.highest["item_id"]) == ("item_id-0", "item_id-2")


def test_column_added_to_a_contract_is_null_in_older_parts(lake: Lake) -> None:
    older = Contract(
        FAILURES.name, FAILURES.version, FAILURES.grain, FAILURES.key,
        FAILURES.payload.remove(FAILURES.payload.get_field_index("detail")),
    )  # fmt: skip
    with lake.stage(older, "old", ONE) as writer:
        writer.write(full_of(older, 2, part="old", fingerprint=ONE))
        part = writer.finish()
    lake.publish(older, [part])
    assert lake.read(FAILURES)["detail"].null_count == 2
    lake.publish(FAILURES, [staged(lake, "new", ONE, 1, detail="x")])
    assert lake.read(FAILURES)["detail"].to_pylist() == ["x", None, None]
    assert [f.complete for f in lake.snapshot(FAILURES).files] == [True, False]


def test_rows_of_another_part_or_schema_are_refused(local_lake: Lake) -> None:
    with local_lake.stage(FAILURES, "p", ONE) as writer:
        with pytest.raises(ContractError, match="part"):
            writer.write(full_of(FAILURES, 1, part="q", fingerprint=ONE))
        with pytest.raises(ContractError, match="fingerprint"):
            writer.write(full_of(FAILURES, 1, part="p", fingerprint=TWO))
        with pytest.raises(ContractError, match="columns"):
            writer.write(payload_of(FAILURES, 1))
