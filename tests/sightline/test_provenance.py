"""Fingerprints change with what decides the output and with nothing else."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.provenance import FINGERPRINT_HEX_CHARS, Step, fingerprint_of


@dataclass(frozen=True, slots=True)
class Identity:
    size: int = 518
    name: str = "small"


STEP = Step("depth", 1)
BASE = STEP.fingerprint(Identity(), ["a", "b"])


def test_fingerprint_is_the_same_on_every_machine() -> None:
    """A stored value: if it changes, every lake recomputes everything."""
    assert STEP.fingerprint({"size": 518}, ["a"]) == "8300b607f3e8fc0"


@pytest.mark.parametrize(
    "other",
    [
        Step("depth", 2).fingerprint(Identity(), ["a", "b"]),
        Step("segment", 1).fingerprint(Identity(), ["a", "b"]),
        STEP.fingerprint(Identity(size=519), ["a", "b"]),
        STEP.fingerprint(Identity(), ["a"]),
        STEP.fingerprint(Identity(), ["a", "b", "b"]),
        STEP.fingerprint(Identity(), []),
    ],
)
def test_fingerprint_changes_with_what_decides_the_output(other: str) -> None:
    assert other != BASE


def test_fingerprint_ignores_the_order_of_inputs_and_the_kind_of_identity() -> None:
    assert STEP.fingerprint(Identity(), ["b", "a"]) == BASE
    assert STEP.fingerprint({"name": "small", "size": 518}, ["a", "b"]) == BASE


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4))
def test_fingerprint_fits_a_delta_transaction_version(identity: dict[str, int | str]) -> None:
    found = fingerprint_of(identity)
    assert len(found) == FINGERPRINT_HEX_CHARS
    assert 0 <= int(found, 16) < 2**63
    assert f"{int(found, 16):0{FINGERPRINT_HEX_CHARS}x}" == found


@pytest.mark.parametrize("identity", [{"f": len}, {"s": {1, 2}}, {"o": object()}])
def test_identity_without_a_stable_form_is_refused(identity: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        STEP.fingerprint(identity, [])


def test_identity_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        STEP.fingerprint({"x": float("nan")}, [])


def test_run_id_follows_from_step_part_and_fingerprint() -> None:
    assert STEP.run_id("p", BASE) == STEP.run_id("p", BASE)
    others = {STEP.run_id("q", BASE), STEP.run_id("p", "0" * 15), Step("x", 1).run_id("p", BASE)}
    assert STEP.run_id("p", BASE) not in others
