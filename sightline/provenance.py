"""What identifies a piece of work, so that nothing is computed or bought twice.

A fingerprint hashes everything that decides the output: step name and version, the step's
parameters from the recipe, and the fingerprints of the parts it reads.  Where and how fast the
work runs (workers, GPUs, endpoints' addresses) never enters it.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sightline.ids import canonical_json, content_id

FINGERPRINT_HEX_CHARS = 15
"""60 bits: a fingerprint doubles as the signed 64-bit version of a Delta transaction."""


def fingerprint_of(value: Any) -> str:
    """Return the fingerprint of a JSON-like value or dataclass.

    Raises:
        TypeError: `value` holds something with no stable JSON form.
    """
    digest = hashlib.sha256(canonical_json(_plain(value)).encode()).hexdigest()
    return digest[:FINGERPRINT_HEX_CHARS]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


@dataclass(frozen=True, slots=True)
class Step:
    """A named, versioned unit of work; bump `version` when the same input gives new output."""

    name: str
    version: int

    def fingerprint(self, identity: Any, inputs: Sequence[str]) -> str:
        """Hash all that decides this step's output for one part.

        Args:
            identity: a dataclass or JSON value holding only what changes the output.
            inputs: fingerprints of the parts read; order does not matter.

        Raises:
            TypeError: `identity` holds a value with no stable JSON form, such as a function.
        """
        return fingerprint_of([self.name, self.version, _plain(identity), sorted(inputs)])

    def run_id(self, part: str, fingerprint: str) -> str:
        """Return the key of this execution in `runs`.

        Derived from content, not drawn at random, so that a recomputed part is byte-identical.
        """
        return content_id("run", self.name, str(self.version), part, fingerprint)


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed part of one table: small enough to travel through Prefect, unlike its rows."""

    table: str
    part: str
    fingerprint: str
    rows: int
    reused: bool
