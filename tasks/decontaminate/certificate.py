"""A certificate: what a lake was compared with, by which rules, what was found, and what was not.

`content` is all that is certified; its canonical JSON is what `sha256` hashes, so two certificates
with one hash certify the same.  It holds no time, no place and no version number of a table: those
are in `beside`, which says where the lake lay and may differ.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sightline.ids import canonical_json

FORMAT: Final = "sightline-decontamination-certificate/1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is certified, and what stands beside it.

    Attributes:
        content: JSON values only; see `flows.certificate`.
        beside: lake address and Delta version of every table; later also the benchmarks that the
            lake has forgotten since.
    """

    content: Mapping[str, Any]
    beside: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Return the hash of the canonical content, 64 hex characters."""
        return hashlib.sha256(canonical_json(dict(self.content)).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the certificate as JSON for programs."""
        whole = {
            "format": FORMAT,
            "sha256": self.sha256,
            "content": dict(self.content),
            "beside": dict(self.beside),
        }
        return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def verified(text: str) -> bool:
    """Return whether the content of a JSON certificate has the hash that it states."""
    whole = json.loads(text)
    content = canonical_json(whole["content"])
    return bool(hashlib.sha256(content.encode()).hexdigest() == whole["sha256"])


def parts_hash(parts: Iterable[tuple[str, str, int]]) -> str:
    """Return one hash of (part, fingerprint, rows), whatever their order."""
    return hashlib.sha256(canonical_json(sorted(parts)).encode()).hexdigest()
