"""Embeddings from an endpoint: rows of `embeddings`, every call through the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from infra.teacher.embedding import embedding_request, vector_of
from infra.teacher.types import Asker, Response
from sightline.errors import Failure
from sightline.outcomes import Outcome
from tasks.asking.in_order import GoOn
from tasks.asking.live import Purchase
from tasks.dedup.semantic.params import Encoder
from tasks.dedup.semantic.rows import Item, embedding_rows

NO_VECTOR: Final = "no embedding in the answer"


@dataclass(frozen=True, slots=True)
class AskedItem:
    """What became of one text; `vector` is null if there is none."""

    item: Item
    response: Response
    vector: list[float] | None

    @property
    def responses(self) -> Sequence[Response]:
        """Return the one response."""
        return (self.response,)

    @property
    def failure(self) -> tuple[str, Failure, str]:
        """Return (item id, code, detail) of a text without a vector."""
        refused = self.response.outcome is Outcome.REFUSED
        code = Failure.TEACHER_REFUSED if refused else Failure.TEACHER_ERROR
        return self.item.item_id, code, self.response.detail or NO_VECTOR


def bought_embeddings(
    purchase: Purchase, items: Sequence[Item], encoder: Encoder
) -> Iterator[list[AskedItem]]:
    """Yield groups of what became of all items with text, in their order.

    Args:
        purchase: its teacher is opened with `embeds`.
        items: to be embedded; those without text give nothing.
        encoder: an endpoint's model.

    Raises:
        TeacherError: the endpoint as a whole is unusable.
        BudgetError: a cap is reached; what was bought is kept.
    """
    wanted = [item for item in items if item.text.strip()]
    if wanted:
        yield from purchase.groups(wanted, _Run(purchase.work.open_teacher(), encoder))


def asked_rows(found: Sequence[AskedItem], encoder: Encoder) -> pa.Table:
    """Return `embeddings` payload rows of the texts that have a vector."""
    rows = [(asked, asked.vector) for asked in found if asked.vector is not None]
    return embedding_rows(
        [asked.item for asked, _ in rows],
        [np.asarray(vector, dtype=np.float32) for _, vector in rows],
        model=encoder.name,
        weights_sha=None,
        request_keys=[asked.response.request_key for asked, _ in rows],
    )


class _Run:
    """Asks for the embedding of one text."""

    def __init__(self, teacher: Asker, encoder: Encoder) -> None:
        self._teacher, self._encoder = teacher, encoder

    async def __call__(self, item: Item, go_on: GoOn) -> AskedItem:
        go_on()
        dimensions = self._encoder.dimensions
        request = embedding_request(self._encoder.name, item.text, item.item_id, dimensions)
        response = await self._teacher.ask(request)
        return AskedItem(item, response, vector_of(response))
