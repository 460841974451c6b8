"""The embedded items of one kind as they are compared: who goes first, and among whom.

What another tier drops is not compared again.  The first of several alike ones is the one a person
would keep: what was released, then the best chain by its verdicts, then the lowest id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from sightline.errors import LakeError
from sightline.schemas import EMBEDDINGS
from tasks.dedup.inputs_task import stands
from tasks.dedup.ranks import ranked_chains, released_samples
from tasks.dedup.semantic.params import Kind, Scope

COLUMNS: Final = ("item_id", "embedding")

DROPPED: Final = "select item_id from dropped_items where item_kind = '{kind}'"
PICTURES_OF: Final = {
    Kind.SAMPLE: "select sample_id as item_id, image_ids from samples",
    Kind.CHAIN: """
select distinct
    steps.chain_id as item_id,
    samples.image_ids
from steps
inner join samples on steps.sample_id = samples.sample_id
""",
}


@dataclass(frozen=True, slots=True, eq=False)
class AlikeItems:
    """Items by their ids.

    Fields:
        ids: n distinct ids.
        vectors: (n, d) float32 as the model gave them.
        priority: n numbers, the smallest goes first.
        groups: n numbers, where only items of one group are compared; else null.
    """

    ids: list[str]
    vectors: npt.NDArray[np.float32]
    priority: list[int]
    groups: list[int] | None


def read_items(lake: Lake, kind: Kind, parts: Sequence[str], scope: Scope) -> AlikeItems:
    """Return the items of some parts of `embeddings`.

    Raises:
        LakeError: two embeddings have not the same length.
    """
    rows = lake.read(EMBEDDINGS, parts=parts, columns=COLUMNS)
    with Catalog(lake) as catalog:
        gone = set(catalog.query(DROPPED.format(kind=kind.value))["item_id"].to_pylist())
        ranks = _ranks(catalog, kind)
        groups = _pictures(catalog, kind, stands(lake)) if scope is Scope.PICTURE else None
    ids: list[str] = rows["item_id"].to_pylist()
    first = dict(zip(reversed(ids), reversed(range(len(ids))), strict=True))
    places = [
        row
        for item, row in first.items()
        if item not in gone and (kind is not Kind.CHAIN or item in ranks)
    ]
    places.sort(key=lambda row: ids[row])
    taken = [ids[row] for row in places]
    return AlikeItems(
        ids=taken,
        vectors=_matrix(rows["embedding"].take(pa.array(places, pa.int64()))),
        priority=[ranks.get(item, 0) for item in taken],
        groups=None if groups is None else [groups.get(item, -1) for item in taken],
    )


def _ranks(catalog: Catalog, kind: Kind) -> dict[str, int]:
    """Return the priority of items; of samples, only those that were released have one."""
    if kind is Kind.SAMPLE:
        return dict.fromkeys(released_samples(catalog.query), -1)
    if kind is Kind.IMAGE:
        return {}
    chains, priority = ranked_chains(catalog.query)
    return dict(zip(chains.to_pylist(), priority.tolist(), strict=True))


def _pictures(catalog: Catalog, kind: Kind, same: Mapping[str, str]) -> dict[str, int] | None:
    """Return a number per item, equal where they are about the same pictures."""
    if kind not in PICTURES_OF:
        return None
    rows = catalog.query(PICTURES_OF[kind])
    numbers: dict[tuple[str, ...], int] = {}
    found = {}
    for item, images in zip(
        rows["item_id"].to_pylist(), rows["image_ids"].to_pylist(), strict=True
    ):
        pictures = tuple(same.get(image, image) for image in images or ())
        found[item] = numbers.setdefault(pictures, len(numbers))
    return found


def _matrix(vectors: Any) -> npt.NDArray[np.float32]:
    """Return (n, d) of a list column."""
    lengths = pc.unique(pc.list_value_length(vectors)).to_pylist()
    if len(lengths) > 1:
        msg = f"expected embeddings of one length, found {sorted(lengths)}: another run replaces "
        msg += f"parts of {EMBEDDINGS.name}; run again when it has ended"
        raise LakeError(msg)
    flat = pc.list_flatten(vectors)
    values: npt.NDArray[np.float32] = flat.to_numpy().astype(np.float32, copy=False)
    return values.reshape(len(vectors), lengths[0] if lengths else 0)
