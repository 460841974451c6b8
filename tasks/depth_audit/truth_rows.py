"""Rows of `depth.jsonl`: pictures with measured depth, each with its own encoding.

A row names `id`, `image` and `depth` (paths inside the folder), `kind` in words, and `scale` where
the encoding has one; `encoding` says it plainly and wins over words.  `invalid` is the raw value of
no reading, `max_depth_m` a limit for the score.  What a row states of its raw values is checked.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sightline.errors import Failure

STATED: Final = ("depth_width", "depth_height", "raw_min", "raw_max", "raw_zero_fraction")
"""What a row may state of its depth file; each is compared with what is read."""


class TruthRowError(ValueError):
    """One row of true depth or labels cannot be used; message and code go into `failures`."""

    def __init__(self, detail: str, code: Failure = Failure.ROW_MALFORMED) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One picture with measured depth.

    Attributes:
        item_id: the row's `id`.
        image: path of the picture inside the folder.
        depth: path of the depth file inside the folder.
        kind: what the depth file is, in words.
        scale: raw units in one unit of depth; None if the row has none.
        invalid: raw value that means no reading; None if the row names none.
        encoding: its name, if the row says it plainly.
        max_depth_m: readings beyond it are left out, and estimates are held to it.
        stated: of `STATED`, what the row says.
    """

    item_id: str
    image: str
    depth: str
    kind: str
    scale: float | None = None
    invalid: float | None = 0.0
    encoding: str | None = None
    max_depth_m: float | None = None
    stated: Mapping[str, float] = field(default_factory=dict)


def parse_row(line: str) -> TruthRow:
    """Return the row in one line of JSON.

    Raises:
        TruthRowError: not a JSON object, or a field is missing or of the wrong type.
    """
    value = json_object(line)
    scale = optional_number(value, "scale")
    if scale is not None and scale <= 0:
        msg = f"expected a positive scale, found {scale!r}"
        raise TruthRowError(msg)
    invalid = optional_number(value, "invalid") if "invalid" in value else 0.0
    encoding = value.get("encoding")
    return TruthRow(
        item_id=text_of(value, "id"),
        image=text_of(value, "image"),
        depth=text_of(value, "depth"),
        kind=str(value.get("kind") or ""),
        scale=scale,
        invalid=invalid,
        encoding=None if encoding is None else str(encoding),
        max_depth_m=optional_number(value, "max_depth_m"),
        stated={
            name: number for name in STATED if (number := optional_number(value, name)) is not None
        },
    )


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        TruthRowError: it is none.
    """
    try:
        value = json.loads(text)
    except ValueError as exc:
        msg = f"not JSON: {exc}"
        raise TruthRowError(msg) from exc
    if not isinstance(value, dict):
        msg = f"expected a JSON object, found {type(value).__name__}"
        raise TruthRowError(msg)
    return value


def text_of(value: Mapping[str, Any], name: str) -> str:
    """Return a text field.

    Raises:
        TruthRowError: it is missing, empty or no text.
    """
    found = value.get(name)
    if not isinstance(found, str) or not found:
        msg = f"expected a text in {name!r}, found {found!r}; the row has {sorted(value)}"
        raise TruthRowError(msg)
    return found


def optional_number(value: Mapping[str, Any], name: str) -> float | None:
    """Return a finite number, None if the field is missing or null.

    Raises:
        TruthRowError: it is something else.
    """
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        msg = f"expected a number in {name!r}, found {found!r}"
        raise TruthRowError(msg)
    return float(found)
