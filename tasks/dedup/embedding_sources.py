"""What is embedded of one part of the lake: questions, rationales or whole images.

A part of `embeddings` is named after the part it is of; images and questions of one dataset are
parts of one name, so parts of images have a name of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from infra.execution import committed_part
from infra.lake.lake import Lake, Part
from sightline.provenance import Step
from sightline.schemas import IMAGES, SAMPLES, STEPS, Contract
from tasks.dedup.semantic.params import Kind
from tasks.dedup.texts import (
    QUESTION_COLUMNS,
    SAMPLE_TEXT_COLUMNS,
    STEP_COLUMNS,
    chain_texts,
    sample_texts,
)

STEP: Final = Step(name="embeddings", version=1)
IMAGE_COLUMNS: Final = ("image_id", "bytes")
IMAGE_BATCH_ROWS: Final = 32
TEXT_BATCH_ROWS: Final = 512
KEY_OF: Final = {Kind.IMAGE: "image_id", Kind.SAMPLE: "item_id", Kind.CHAIN: "item_id"}


@dataclass(frozen=True, slots=True)
class EmbeddingSource:
    """One part whose items are embedded.

    Attributes:
        kind: of its items.
        part: of `samples`, `steps` or `images`.
        samples_part: of `samples` that chains are about; empty for others.
    """

    kind: Kind
    part: str
    samples_part: str = ""

    @property
    def name(self) -> str:
        """Return the part of `embeddings`."""
        return f"{self.part}.images" if self.kind is Kind.IMAGE else self.part

    def inputs(self, lake: Lake) -> list[Part]:
        """Return the committed parts that are read, the one with the items first.

        Raises:
            LakeError: one is not committed.
        """
        tables: dict[Kind, list[tuple[Contract, str]]] = {
            Kind.SAMPLE: [(SAMPLES, self.part)],
            Kind.CHAIN: [(STEPS, self.part), (SAMPLES, self.samples_part)],
            Kind.IMAGE: [(IMAGES, self.part)],
        }
        return [committed_part(lake, table, name) for table, name in tables[self.kind]]

    def batches(self, lake: Lake) -> Iterator[pa.Table]:
        """Yield what is embedded: `item_id`, `item_kind` and `text`, or `IMAGE_COLUMNS`."""
        if self.kind is Kind.IMAGE:
            yield from lake.scan(
                IMAGES, parts=[self.part], columns=IMAGE_COLUMNS, batch_rows=IMAGE_BATCH_ROWS
            )
            return
        texts = self._chains(lake) if self.kind is Kind.CHAIN else self._questions(lake)
        for batch in texts.to_batches(TEXT_BATCH_ROWS):
            table = pa.Table.from_batches([batch])
            kinds = pa.array([self.kind.value] * len(table), pa.string())
            yield table.append_column("item_kind", kinds)

    def _questions(self, lake: Lake) -> pa.Table:
        samples = lake.read(SAMPLES, parts=[self.part], columns=SAMPLE_TEXT_COLUMNS)
        return sample_texts(samples).select(["item_id", "text"])

    def _chains(self, lake: Lake) -> pa.Table:
        steps = lake.read(STEPS, parts=[self.part], columns=STEP_COLUMNS)
        samples = lake.read(SAMPLES, parts=[self.samples_part], columns=QUESTION_COLUMNS)
        return chain_texts(steps, samples).select(["item_id", "text"])
