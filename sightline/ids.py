"""Content ids: the same inputs give the same id on every machine and in every run.

An id never depends on a path, a row number, a clock or a random number.  Parts of an id are
length-prefixed before hashing, so ("ab", "c") and ("a", "bc") differ.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

ID_HEX_CHARS = 32
"""128 bits: at 10^10 rows the chance of any collision is below 10^-18."""


def content_id(kind: str, *parts: str | None) -> str:
    """Return `<kind>_<hex>`, a stable id for `parts`; null and "" are different parts."""
    digest = hashlib.sha256()
    for part in parts:
        raw = b"\xff" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return f"{kind}_{digest.hexdigest()[:ID_HEX_CHARS]}"


def image_id(data: bytes) -> str:
    """Return the sha256 of the stored bytes, 64 hex characters."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no NaN.

    Raises:
        TypeError: a part of `value` has no stable JSON form, such as a function or a set.
        ValueError: a number is not finite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )


def sample_id(
    dataset: str,
    question: str | None,
    answer: str | None,
    images: Sequence[str],
    *,
    choices: Sequence[str] | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
) -> str:
    """Return the id of one question on `images`.

    Args:
        dataset: name the recipe gives the dataset.
        question: the question as asked.
        answer: the known short answer.
        images: image ids; for a row without image bytes, `missing_image_ref` of its declared name.
        choices: options in their order.
        boxes: pixel boxes as the source states them.
    """
    extra = canonical_json([list(images), choices and list(choices), boxes and list(boxes)])
    return content_id("sample", dataset, question, answer, extra)


def missing_image_ref(name: str, width: int, height: int) -> str:
    """Return a stand-in for the id of an image whose bytes the source does not ship.

    The declared name is the only thing that tells two absent images apart, so here, and only
    here, a name enters an identity.
    """
    return content_id("absent", name, f"{width}x{height}")
