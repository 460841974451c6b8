"""Flows that buy in batches: fill the ledger wave by wave, then build wholly from it.

A wave walks every chain as far as the ledger goes and sends what is lacking; when its batches are
collected the next wave goes one round further.  All state is in the lake, so with `wait=False` a
schedule makes the waves, on whichever machine, for as many days as it takes.

Annotation comes before the first wave: prompts list objects, and a call sent without them would be
another call than the build asks for.  Reviews come after the chains are built: they ask about them.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows.artifacts import publish_batches
from flows.batching import collect_finished, open_batch_desk, sentence_about
from flows.closing import BuildSummary, PartsFailedError, close_build
from flows.dataset_parts import inputs_of, source_parts
from flows.lakes import ledger_lake_of
from flows.logs import open_logs
from flows.recipe import Recipe, load_recipe
from flows.runtime import RunNames, Runtime, open_runtime
from flows.schedule import Schedule
from flows.visreason import (
    PartFacts,
    annotate,
    build_parts,
    distill_work,
    ingest_new_rows,
    review_works,
    writers_of,
)
from infra.catalog.catalog import Catalog
from infra.settings import Settings, load_settings
from infra.teacher.batch.client import UnreachableError
from infra.teacher.batch.collector import Collector
from infra.teacher.batch.desk import BatchDesk, Wave
from infra.teacher.batch.receiving import Received
from infra.teacher.batch.sending import Payer
from infra.telemetry import terminal_progress
from sightline.errors import TeacherError, UsageError
from tasks.asking.live import AskingWork
from tasks.distill.live import ChainPurchase
from tasks.distill.rounds import asked_here
from tasks.distill.writers import Writer
from tasks.review.live import ReviewWork

Walk = Callable[[Collector], bool]
"""Walks the chains of one part; returns whether all of them came to their end."""


@dataclass(frozen=True, slots=True)
class BatchBuild:
    """How far a build in batches is.

    Attributes:
        open_batches: batches whose answers are waited for.
        build: the finished build; null while batches are open.
    """

    open_batches: int
    build: BuildSummary | None = None

    def sentence(self) -> str:
        """Return the summary as one line for people."""
        if self.build is not None:
            return self.build.sentence()
        return (
            f"{self.open_batches} batches are open; run `sightline batch submit` again once "
            "they are done, or `sightline build --batch` to wait for them."
        )


@dataclass(slots=True)
class Walks:
    """The parts whose chains are to be walked, by name; finished ones are not walked again."""

    of_part: dict[str, Walk]
    finished: set[str] = field(default_factory=set)

    def walk(self, collector: Collector) -> None:
        """Walk every part that is not finished."""
        for part, walk in self.of_part.items():
            if part not in self.finished and walk_part(part, walk, collector):
                self.finished.add(part)

    @property
    def are_over(self) -> bool:
        """Return whether every chain came to its end."""
        return self.finished == set(self.of_part)


@flow(name="batch-distill", flow_run_name="{recipe} in batches", persist_result=False)
def batch_distill(
    recipe: str,
    lake: str | None = None,
    overrides: list[str] | None = None,
    wait: bool = False,  # noqa: FBT001, FBT002 - a parameter of a deployment
) -> BatchBuild:
    """Send what a recipe lacks in batches; build it once everything is answered.

    Args:
        recipe: recipe file, or the name of one that ships with the project.
        lake: lake to build in; the settings' lake if not given.
        overrides: `dotted.key=value` changes to the recipe.
        wait: stay until it is built; else make one wave and leave the rest to the next run.

    Raises:
        UsageError: the recipe is unusable, or its teacher would not outlive this run.
        TeacherError: an endpoint refuses a batch.
        BudgetError: nothing is open, and the next call would cross a cap.
        PartsFailedError: some parts failed after their retries; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    loaded = load_recipe(recipe, overrides or [])
    _require_lasting_teacher(loaded, settings, wait=wait)
    with terminal_progress(settings) as progress:
        names = RunNames(flow_run.get_id(), progress)
        with (
            open_runtime(settings, loaded, names) as runtime,
            open_batch_desk(settings, runtime.ledger, runtime.teacher.endpoints()) as desk,
        ):
            schedule = Schedule(runtime.context, settings.max_parts_in_flight)
            _annotate_all(loaded, runtime, schedule)
            walks = (_chain_walks, _review_walks) if loaded.steps.reviews() else (_chain_walks,)
            for walks_of in walks:
                n_open = fill_ledger(walks_of(loaded, runtime), desk, loaded, settings, wait=wait)
                if n_open:
                    return BatchBuild(n_open)
                answered = answered_by(desk.answered(), runtime)
                build_parts(loaded, answered, schedule, reviewed=walks_of is walks[-1])
                if schedule.problems:
                    break
    return BatchBuild(0, close_build(loaded, settings, schedule))


@flow(name="collect-batches", persist_result=False)
def collect_batches(lake: str | None = None) -> int:
    """Bring the answers of finished batches into the ledger; return how many are still open.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.

    Raises:
        TeacherError: an endpoint does not answer, or refused a batch.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    received = collect_finished(settings)
    get_run_logger().info(sentence_about(received))
    _publish(settings)
    _refuse(received)
    return sum(found.batch.is_open for found in received)


@task(task_run_name="walk {part}", cache_policy=NO_CACHE, persist_result=False)
def walk_part(part: str, walk: Walk, collector: Collector) -> bool:  # noqa: ARG001 - names the run
    """Return whether the chains of `part` are answered to their end."""
    return walk(collector)


def fill_ledger(
    walks: Walks, desk: BatchDesk, recipe: Recipe, settings: Settings, *, wait: bool
) -> int:
    """Make waves until every chain is answered, or one if not to `wait`; return batches open.

    Raises:
        TeacherError: an endpoint refuses a batch, or one is open at an endpoint of other settings.
        BudgetError: nothing is open, and the next call would cross a cap.
    """
    logger = get_run_logger()
    for number in itertools.count(1):
        if walks.are_over:
            return 0
        _refuse(_received(desk))
        with desk.wave(Payer(recipe.name, "distill")) as wave:
            walks.walk(wave.collector)
        _publish(settings)
        counts = wave.collector.counts
        logger.info(
            "wave %d: %d calls answered, %d wanted, %d in open batches, %d given up",
            number, counts.answered, counts.wanted, counts.waiting, counts.given_up,
        )  # fmt: skip
        if not (walks.are_over or wait):
            return len(wave.waits_for)
        _await_batches(desk, wave, settings)
    return 0


def _await_batches(desk: BatchDesk, wave: Wave, settings: Settings) -> None:
    """Wait until no batch that the walk lacks is open."""
    strangers = {batch.batch_key: batch.endpoint for batch in desk.strangers()}
    unknown = sorted(wave.waits_for & set(strangers))
    if unknown:
        msg = (
            f"batch {unknown[0]} is at {strangers[unknown[0]]}, which the settings do not name: "
            f"name it, or give the batch up with `sightline batch cancel {unknown[0]} --forget`"
        )
        raise TeacherError(msg)
    while wave.waits_for & {batch.batch_key for batch in desk.book.open_batches()}:
        received = _received(desk)
        _refuse(received)
        if all(found.batch.is_open for found in received):
            time.sleep(settings.batch_poll_s)
        else:
            _publish(settings)


def _received(desk: BatchDesk) -> list[Received]:
    """Return what was learned of open batches; nothing while an endpoint is out of reach."""
    try:
        return desk.receive()
    except UnreachableError as error:
        get_run_logger().warning("%s; asking again", error)
        return []


def _annotate_all(recipe: Recipe, runtime: Runtime, schedule: Schedule) -> None:
    """Ingest new rows and annotate every part of the dataset.

    Raises:
        PartsFailedError: something failed; a call must not be sent with half its facts.
    """
    ingest_new_rows(recipe, recipe.source(), runtime, schedule)
    for part in source_parts(runtime.context.lake, recipe.dataset).images:
        schedule.admit(annotate(recipe, runtime, schedule, part))
    schedule.drain()
    if schedule.problems:
        msg = (
            f"nothing was sent, since prompts would lack facts: {'; '.join(schedule.problems[:3])}"
        )
        raise PartsFailedError(msg)


def _chain_walks(recipe: Recipe, runtime: Runtime) -> Walks:
    parts = source_parts(runtime.context.lake, recipe.dataset)
    inputs = inputs_of(runtime.context.lake, parts.samples)

    def walk_of(part: str, writer: Writer) -> Walk:
        def walk(collector: Collector) -> bool:
            answered = answered_by(collector, runtime)
            work = distill_work(recipe, answered, inputs)
            return ChainPurchase(part, writer, work, runtime.context).walk()

        return walk

    return Walks(
        {
            writer.part_of(part): walk_of(part, writer)
            for part in parts.samples
            for writer in writers_of(recipe)
        }
    )


def _review_walks(recipe: Recipe, runtime: Runtime) -> Walks:
    parts = source_parts(runtime.context.lake, recipe.dataset)
    inputs = inputs_of(runtime.context.lake, parts.samples)
    walks: dict[str, Walk] = {}
    for part in parts.samples:
        facts = PartFacts(part, inputs[part].image_parts, ())
        for writer in writers_of(recipe):
            for review in review_works(recipe, runtime, writer, facts):
                walks[review.replies_part] = _review_walk(review, runtime)
    return Walks(walks)


def _review_walk(review: ReviewWork, runtime: Runtime) -> Walk:
    def walk(collector: Collector) -> bool:
        asking = answered_by(collector, runtime).asking
        return ReviewWork(review.reviewing, review.part, asking).walk(runtime.context)

    return walk


def answered_by(collector: Collector, runtime: Runtime) -> Runtime:
    """Return the runtime with an asker that buys nothing, in this process."""
    asking = AskingWork(lambda: collector, runtime.ledger, runtime.asking.places)
    return replace(runtime, asking=asking, open_runner=lambda: asked_here(collector))


def _require_lasting_teacher(recipe: Recipe, settings: Settings, *, wait: bool) -> None:
    is_named = settings.teacher_base_url is not None or settings.endpoints_file is not None
    if recipe.uses_embedded_teacher and not is_named and not wait:
        msg = (
            "the embedded teacher of a run forgets its batches when the run ends: start it with "
            "`sightline teacher serve` and set SIGHTLINE_TEACHER_BASE_URL to its address"
        )
        raise UsageError(msg)


def _refuse(received: list[Received]) -> None:
    """Stop at a batch that its endpoint refuses as a whole: the next one would be refused too."""
    refused = [found.batch for found in received if found.is_refused]
    if refused:
        msg = (
            f"{refused[0].endpoint} refuses batch {refused[0].batch_key}: {refused[0].detail}; "
            "nothing of it was bought: change what it names and run again"
        )
        raise TeacherError(msg)


def _publish(settings: Settings) -> None:
    with Catalog(ledger_lake_of(settings)) as catalog:
        publish_batches(catalog)
