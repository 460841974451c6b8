"""What a flow works with, opened from settings: lake, ledger, pool, teacher, catalog.

The pool and the teacher start nothing before their first use, so a build that finds everything
committed starts neither Ray nor a teacher.  Leaving the block ends everything that was started.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flows.asking import Opened, chain_runner, open_asker
from flows.dataset_parts import Referring
from flows.embedding import EmbeddingDesk
from flows.lakes import ledger_home_of, open_lake_of, open_ledger_of
from flows.recipe import Recipe
from infra.embedded_teacher.names import is_embedded
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.execution import RunContext
from infra.git import git_tree
from infra.ledger.ledger import Ledger
from infra.pool.ray_pool import open_pool
from infra.pool.services import ServingPool
from infra.services.local_models import LocalModels
from infra.settings import Settings
from infra.teacher.batch.reservations import Reservations
from infra.teacher.budget import Budget, Caps
from infra.teacher.client import TeacherConfig
from infra.teacher.crew import TeacherCrew
from infra.teacher.endpoints import Endpoint
from infra.teacher.retry import RetryPolicy
from infra.teacher.stats import TeacherStats
from infra.telemetry import Progress
from tasks.asking.live import AskingWork
from tasks.asking.places import Places
from tasks.distill.rounds import RunChain

EMBEDDED_NAME = "embedded"
"""The endpoint of a teacher that is started for the run."""


@dataclass(frozen=True, slots=True)
class RunNames:
    """How a run is known outside: its Prefect flow run, and where it tells its progress."""

    flow_run_id: str | None
    progress: Progress


class TeacherDesk:
    """Opens the recipe's teacher for the first part that asks; one teacher for all parts."""

    def __init__(
        self, recipe: Recipe, settings: Settings, ledger: Ledger, pool: ServingPool
    ) -> None:
        self._recipe, self._settings, self._ledger = recipe, settings, ledger
        self._pool = pool
        self._lock = threading.RLock()
        self._teacher: Opened | None = None
        self._served_at: tuple[Endpoint, ...] | None = None
        self._budget = Budget(Caps(settings.budget_usd, settings.budget_calls))
        self._opened = ExitStack()

    def __call__(self) -> Opened:
        """Return the teacher.

        Raises:
            UsageError: its address or the price table cannot be used.
            TeacherError: a dollar cap is set and the model has no price.
        """
        with self._lock:
            if self._teacher is None:
                ledgers = (self._ledger, ledger_home_of(self._settings))
                self._teacher = open_asker(
                    self._settings, self.config(), ledgers, self._pool, self._budget
                )
                self._opened.callback(self._teacher.close)
            return self._teacher

    def stats(self) -> TeacherStats | None:
        """Return what was asked so far; null if nothing was."""
        teacher = self._teacher
        return None if teacher is None else teacher.stats

    def budget(self) -> Budget:
        """Return what a second teacher of the run spends from, once the first asks no more."""
        if not isinstance(self._teacher, TeacherCrew):
            return self._budget
        caps, spent = self._budget.caps, self._teacher.stats
        usd = None if caps.usd is None else max(0.0, caps.usd - spent.cost_usd - spent.at_risk_usd)
        return Budget(Caps(usd, None if caps.calls is None else max(0, caps.calls - spent.calls)))

    def close(self) -> None:
        """Let calls in flight arrive, end the teacher and make what it said durable in the lake."""
        self._opened.close()
        self._ledger.flush()

    def run_chains(self) -> RunChain:
        """Return what asks whole chains, here or on workers; raises as opening the teacher does."""
        return chain_runner(self())

    def flush(self) -> None:
        """Commit every response received so far, wherever it was received."""
        if isinstance(self._teacher, TeacherCrew):
            self._teacher.flush()
        self._ledger.flush()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return where the recipe's models are served.

        The embedded teacher is started for this run where nobody else serves its models.
        """
        with self._lock:
            if self._served_at is None:
                self._served_at = self._found_endpoints()
            return self._served_at

    def _found_endpoints(self) -> tuple[Endpoint, ...]:
        settings, models = self._settings, self._recipe.models
        if settings.endpoints_file is not None or settings.teacher_base_url is not None:
            named = settings.endpoints
        else:
            others = tuple(model for model in models if not is_embedded(model))
            named = (replace(settings.default_endpoint, models=others),)
        templates = [m for m in models if is_embedded(m) and not any(e.serves(m) for e in named)]
        served = self._opened.enter_context(LocalModels(self._pool.services)).start(named, models)
        return (self._embedded(tuple(templates)), *served) if templates else served

    def _embedded(self, models: tuple[str, ...]) -> Endpoint:
        server = EmbeddedTeacher(ServerConfig(misbehaviour=self._recipe.embedded_teacher))
        base_url = self._opened.enter_context(server).base_url
        return replace(
            self._settings.default_endpoint,
            name=EMBEDDED_NAME,
            base_url=base_url,
            api_key=None,
            models=models,
        )

    def config(self) -> TeacherConfig:
        """Return where the recipe's models are served and what they may cost."""
        settings = self._settings
        return TeacherConfig(
            endpoints=self.endpoints(),
            recipe=self._recipe.name,
            models=self._recipe.models,
            max_usd=settings.budget_usd,
            max_calls=settings.budget_calls,
            prices_file=settings.prices_file,
            retry=RetryPolicy(attempts=settings.max_retries + 1),
            patience_s=settings.teacher_patience_s,
            probe=settings.teacher_probe,
            reserved=Reservations(self._ledger),
        )


@dataclass(frozen=True, slots=True)
class Runtime:
    """The open resources of one run.

    Attributes:
        referring: the parts of samples that refer to images of a part.
    """

    settings: Settings
    context: RunContext
    pool: ServingPool
    ledger: Ledger
    teacher: TeacherDesk
    asking: AskingWork
    open_runner: Callable[[], RunChain]
    embedding: AskingWork
    referring: Referring


@contextmanager
def open_runtime(settings: Settings, recipe: Recipe, names: RunNames) -> Iterator[Runtime]:
    """Give the resources of a run and close them in the order that loses nothing."""
    lake = open_lake_of(settings)
    context = RunContext(
        lake=lake,
        recipe=recipe.name,
        recipe_identity=recipe.identity,
        git_tree=git_tree(Path(__file__).parent),
        flow_run_id=names.flow_run_id,
        progress=names.progress,
    )
    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger_of(settings, lake))
        pool = open_pool(settings)
        stack.callback(pool.close)
        desk = TeacherDesk(recipe, settings, ledger, pool)
        stack.callback(desk.close)
        asking = AskingWork(desk, desk, _places(settings))
        embedder = EmbeddingDesk(recipe.embedding_model, desk.config, desk.budget, ledger)
        stack.callback(embedder.close)
        embedding = AskingWork(embedder, ledger, _places(settings))
        yield Runtime(
            settings,
            context,
            pool,
            ledger,
            desk,
            asking,
            desk.run_chains,
            embedding,
            Referring(lake),
        )


def _places(settings: Settings) -> Places:
    """Return who may ask at once: a quarter more, for those between two calls."""
    calls_at_once = settings.teacher_concurrency
    return Places(calls_at_once + calls_at_once // 4)
