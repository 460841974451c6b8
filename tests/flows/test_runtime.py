"""What the settings promise of the ledger that a flow opens."""

from pathlib import Path

import pytest

from flows.lakes import open_ledger_of
from infra.lake.lake import Lake
from infra.ledger.claims import MachineClaims, SharedClaims
from infra.settings import load_settings


@pytest.mark.parametrize(
    ("lake", "settings", "claims"),
    [
        ("folder", {}, MachineClaims),
        ("folder", {"ledger_claims": "lake"}, SharedClaims),
        ("folder", {"spool": "lake"}, SharedClaims),
        ("s3://bucket/lake", {}, SharedClaims),
        ("s3://bucket/lake", {"ledger_claims": "machine"}, MachineClaims),
    ],
)
def test_claims_reach_as_far_as_the_settings_say(
    tmp_path: Path, lake: str, settings: dict[str, str], claims: type
):
    uri = str(tmp_path / lake) if lake == "folder" else lake
    chosen = load_settings(lake=uri, state_dir=tmp_path, **settings)
    ledger = open_ledger_of(chosen, Lake(uri, chosen.storage))
    assert isinstance(ledger.claims, claims)
    ledger.close()


def test_ledger_of_another_lake_decides_where_its_claims_are(tmp_path: Path):
    chosen = load_settings(
        lake=str(tmp_path / "pilot"), ledger_lake="s3://bucket/lake", state_dir=tmp_path
    )
    ledger = open_ledger_of(chosen, Lake(chosen.lake, chosen.storage))
    assert isinstance(ledger.claims, SharedClaims)
    ledger.close()
