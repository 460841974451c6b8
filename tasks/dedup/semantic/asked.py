"""Embeddings from an endpoint: rows of `embeddings`, every call through the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from infra.pool.workers import RowFailure
from infra.teacher.embedding import embedding_request, vector_of
from infra.teacher.types import Asker
from sightline.errors import Failure
from sightline.outcomes import Outcome
from sightline.schemas import EMBEDDINGS
from tasks.dedup.semantic.rows import Item, embedding_rows

IN_FLIGHT: Final = 256
"""Texts asked for at once; the engine's own limits hold besides."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an endpoint gave: `embeddings` payload rows, and items without one."""

    table: pa.Table
    failures: tuple[RowFailure, ...]


async def asked_embeddings(
    asker: Asker, items: Sequence[Item], model: str, dimensions: int | None = None
) -> Asked:
    """Return the embeddings of all items with text, in their order.

    Args:
        asker: a teacher opened with `embeds`.
        items: to be embedded; those without text give nothing.
        model: as the endpoint names it; stands in `model`.
        dimensions: wanted length of a vector; null is the model's own.

    Raises:
        TeacherError: the endpoint as a whole is unusable.
        BudgetError: a cap is reached; what was bought is kept.
    """
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def vector(item: Item) -> list[float] | RowFailure:
        async with slots:
            request = embedding_request(model, item.text, item.item_id, dimensions)
            response = await asker.ask(request)
        found = vector_of(response)
        if found is None:
            refused = response.outcome is Outcome.REFUSED
            code = Failure.TEACHER_REFUSED if refused else Failure.TEACHER_ERROR
            return RowFailure(item.item_id, code, response.detail or "no embedding in the answer")
        return found

    wanted = [item for item in items if item.text.strip()]
    found = await asyncio.gather(*(vector(item) for item in wanted))
    rows = [(i, v) for i, v in zip(wanted, found, strict=True) if not isinstance(v, RowFailure)]
    vectors = [np.asarray(v, dtype=np.float32) for _, v in rows]
    table = embedding_rows([item for item, _ in rows], vectors, model=model, weights_sha=None)
    failures = tuple(value for value in found if isinstance(value, RowFailure))
    return Asked(table if rows else EMBEDDINGS.empty(), failures)
