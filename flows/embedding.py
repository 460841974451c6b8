"""The endpoint that embeds texts: a teacher of its own that spends from the run's budget.

It is opened for the first part that asks, after the chains of a build are there: a reserve for
chains still to come would stop them, and what embeddings say changes no chain.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from infra.ledger.ledger import Ledger
from infra.teacher.budget import Budget
from infra.teacher.client import Teacher, TeacherConfig, open_gatekeeper, open_teacher
from sightline.errors import UsageError
from tasks.dedup.embedding_sources import STEP


class EmbeddingDesk:
    """Opens what embeds texts at an endpoint; one teacher for all parts.

    Args:
        model: as the endpoint names it; null if the recipe asks none.
        config: gives how the run's teacher is reached and what it may cost.
        budget: gives what is spent from; the caps hold for both teachers together.
        ledger: where calls are written down.
    """

    def __init__(
        self,
        model: str | None,
        config: Callable[[], TeacherConfig],
        budget: Callable[[], Budget],
        ledger: Ledger,
    ) -> None:
        self._model, self._config, self._budget, self._ledger = model, config, budget, ledger
        self._lock = threading.Lock()
        self._teacher: Teacher | None = None

    def __call__(self) -> Teacher:
        """Return the teacher.

        Raises:
            UsageError: nobody serves the model, or the price table cannot be used.
            TeacherError: a dollar cap is set and the model has no price.
        """
        with self._lock:
            if self._teacher is None:
                self._teacher = self._open()
            return self._teacher

    def close(self) -> None:
        """Let calls in flight arrive and end the teacher; the ledger is closed after it."""
        if self._teacher is not None:
            self._teacher.close()

    def _open(self) -> Teacher:
        if self._model is None:
            msg = "expected steps.dedup_semantic.model: no endpoint is named that embeds texts"
            raise UsageError(msg)
        config = replace(
            self._config(),
            step=STEP.name,
            models=(self._model,),
            embeds=True,
            probe=False,
            retry_truncated=False,
        )
        return open_teacher(config, self._ledger, open_gatekeeper(config, self._budget()))
