"""Contracts: complete, storable in Delta and DuckDB, and strict about what they accept."""

import pyarrow as pa
import pytest
from deltalake import Schema as DeltaSchema

from sightline.errors import ContractError
from sightline.reader import duckdb_type
from sightline.schemas import CONTRACTS, FAILURES, PROVENANCE, SAMPLES, VERDICTS, Contract
from tests.factories import full_of, payload_of, rows_of

every_contract = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


@every_contract
def test_contract_documents_every_column(contract: Contract) -> None:
    for column in contract.schema:
        assert column.metadata[b"doc"].decode().strip().endswith((".", ")"))


@every_contract
def test_contract_key_columns_exist_and_are_required(contract: Contract) -> None:
    for name in contract.key:
        assert not contract.schema.field(name).nullable


@every_contract
def test_contract_ends_with_provenance(contract: Contract) -> None:
    assert contract.schema.names[-3:] == [column.name for column in PROVENANCE]
    assert contract.path == f"tables/{contract.name}_v{contract.version}"


@every_contract
def test_contract_types_survive_delta_and_duckdb(contract: Contract) -> None:
    stored = pa.schema(DeltaSchema.from_arrow(contract.schema).to_arrow())
    assert stored.names == contract.schema.names
    assert [f.nullable for f in stored] == [f.nullable for f in contract.schema]
    assert all(duckdb_type(column.type) for column in contract.schema)


@every_contract
def test_contract_accepts_rows_it_describes(contract: Contract) -> None:
    assert payload_of(contract, 3).num_rows == 3
    assert contract.check(full_of(contract, 3)).num_rows == 3
    assert contract.empty().num_rows == 0


def test_only_images_hold_image_bytes() -> None:
    holders = {
        name
        for name, contract in CONTRACTS.items()
        for column in contract.schema
        if column.name == "bytes"
    }
    assert holders == {"images"}


def test_rows_leave_out_nullable_columns() -> None:
    (row,) = FAILURES.rows([{"step": "s", "item_id": "i", "code": "c"}]).to_pylist()
    assert row == {"step": "s", "item_id": "i", "code": "c", "detail": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown columns"),
        ({"step": None}, "nulls in required"),
        ({"step": 7}, "does not fit"),
        ({"detail": b"\xff"}, "does not fit"),
    ],
)
def test_rows_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        FAILURES.rows([{"step": "s", "item_id": "i", "code": "c"} | change])


def test_rows_without_a_required_column_are_refused() -> None:
    (row,) = rows_of(VERDICTS, 1)
    del row["rule"]
    with pytest.raises(ContractError, match="rule"):
        VERDICTS.rows([row])


def test_check_refuses_other_names_order_and_types() -> None:
    table = full_of(FAILURES, 2)
    with pytest.raises(ContractError, match="expected columns"):
        FAILURES.check(table.select(list(reversed(table.schema.names))))
    with pytest.raises(ContractError, match="expected columns"):
        FAILURES.check(table.drop_columns("detail"))
    wrong = table.set_column(1, "item_id", pa.array([1, 2]))
    with pytest.raises(ContractError, match="item_id: int64 instead of string"):
        FAILURES.check(wrong)


def test_with_provenance_fills_every_row() -> None:
    table = SAMPLES.with_provenance(payload_of(SAMPLES, 2), part="p", run_id="r", fingerprint="f")
    assert (
        table.select(["part", "run_id", "fingerprint"]).to_pylist()
        == [{"part": "p", "run_id": "r", "fingerprint": "f"}] * 2
    )
    assert table.schema.equals(SAMPLES.schema)


def test_with_provenance_refuses_full_rows() -> None:
    with pytest.raises(ContractError, match="expected columns"):
        FAILURES.with_provenance(full_of(FAILURES, 1), part="p", run_id="r", fingerprint="f")
