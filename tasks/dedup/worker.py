"""The worker that turns texts into `text_keys` rows; it needs neither a model nor the lake."""

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from infra.pool.workers import WorkerOutput
from tasks.dedup.key_rows import key_rows
from tasks.dedup.texts import sample_texts
from tasks.text_keys.keys import TextKeyParams

TEXTS_OF: Final[Mapping[str, Callable[[pa.Table], pa.Table]]] = {
    "sample": sample_texts,
    "chain": lambda texts: texts,  # steps of one chain must not be split between batches
}
"""By what an item is: how a batch becomes texts."""


class TextKeyWorker:
    """Callable on rows of samples, or on the texts of chains; gives `text_keys` rows."""

    def __init__(self, kind: str, shingle_words: int, bands: int, rows: int, seed: int) -> None:
        """Keep the parameters of the keys.

        Args:
            kind: `sample` or `chain`.
            shingle_words: words in a shingle.
            bands: MinHash bands.
            rows: hashes in a band.
            seed: of the permutations.
        """
        self._kind = kind
        self._params = TextKeyParams(shingle_words, bands, rows, seed)

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a row per text, in the batch's order."""
        return WorkerOutput(key_rows(TEXTS_OF[self._kind](batch), self._kind, self._params))
