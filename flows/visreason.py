"""The VisReason flow (arXiv:2511.17731): images and questions to verified, grounded chains.

One Prefect task run per (step, part).  Parts travel on their own: while the teacher answers about
one, the workers annotate the next.  A failed part does not stop the others; the flow fails at the
end and names it, and the next build does only what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.artifacts import ProgressBar, publish_pilot
from flows.closing import BuildSummary, close_build
from flows.dataset_parts import DatasetParts, drop_unwanted_chains, inputs_of, source_parts
from flows.deduping import submit_chain_keys, submit_chains, submit_sources
from flows.logs import open_logs
from flows.pilot import conclude, open_pilot
from flows.recipe import Recipe, load_recipe
from flows.runtime import RunNames, Runtime, open_runtime
from flows.schedule import Key, Schedule
from flows.semantic import submit_semantic
from flows.watching import watching
from infra.annotation import Wanted
from infra.settings import Settings, load_settings
from infra.teacher.budget import Caps
from infra.teacher.watch import TeacherWatch
from infra.telemetry import terminal_progress
from tasks.dedup.semantic.params import Kind
from tasks.depth.task import annotate_depth
from tasks.detect.task import detect_objects
from tasks.distill.asks import templates
from tasks.distill.live import DistillWork, PartInputs
from tasks.distill.parse_task import parse_part
from tasks.distill.task import distill_part
from tasks.distill.writers import Writer
from tasks.ground.task import ground_objects
from tasks.ingest.source import Source
from tasks.ingest.task import ingest
from tasks.ingest.work import IngestWork, known_rows
from tasks.review.live import ReviewPart, ReviewWork
from tasks.review.task import REVIEW_TASKS
from tasks.segment.families import Prompts
from tasks.segment.task import SEGMENT, segment_images
from tasks.verify.judge import Standard
from tasks.verify.task import verify_part

THREADS = 64
"""Most task runs at once; how many parts are in flight is a setting, a part has few at a time."""


_RUNNER = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=THREADS))


@flow(
    name="visreason",
    flow_run_name="{recipe}",
    task_runner=_RUNNER,
    persist_result=False,
)
def visreason(
    recipe: str,
    lake: str | None = None,
    overrides: list[str] | None = None,
    pilot: str | None = None,
) -> BuildSummary:
    """Build a recipe and return what was done.

    Args:
        recipe: recipe file, or the name of one that ships with the project.
        lake: lake to build in; the settings' lake if not given.
        overrides: `dotted.key=value` changes to the recipe.
        pilot: build only so many source rows (`200`) or such a share (`1%`), in a lake of their
            own that pays from the ledger of `lake`, and say what the whole would give and cost.

    Raises:
        RecipeError: the recipe does not hold what a recipe holds.
        PartsFailedError: some parts failed after their retries; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    loaded = load_recipe(recipe, overrides or [])
    if pilot is None:
        return build_lake(loaded, settings, loaded.source())
    trial = open_pilot(loaded, settings, pilot)
    summary = build_lake(loaded, trial.settings, trial.source)
    report = conclude(loaded, trial, summary.calls_made)
    publish_pilot(report.text())
    return replace(summary, pilot=report)


def build_lake(recipe: Recipe, settings: Settings, source: Source) -> BuildSummary:
    """Build the rows of `source` in the settings' lake.

    Raises:
        PartsFailedError: some parts failed after their retries; the others are committed.
    """
    with terminal_progress(settings) as progress:
        names = RunNames(flow_run.get_id(), progress)
        caps = Caps(settings.budget_usd, settings.budget_calls)
        with (
            open_runtime(settings, recipe, names) as runtime,
            watching(TeacherWatch(runtime.teacher.stats, caps), progress),
        ):
            schedule = Schedule(runtime.context, settings.max_parts_in_flight)
            if ingest_new_rows(recipe, source, runtime, schedule):
                build_parts(recipe, runtime, schedule)
    return close_build(recipe, settings, schedule)


def ingest_new_rows(recipe: Recipe, source: Source, runtime: Runtime, schedule: Schedule) -> bool:
    """Ingest the rows the lake does not know, then look for duplicates among all.

    Returns:
        whether it is known what to ask: without a decision a question could be paid for twice.
    """
    lake = runtime.context.lake
    work = IngestWork(source, recipe.images, known_rows(lake), recipe.part_rows)
    for part in work.plans:
        schedule.admit([schedule.submit("ingest", ingest, part, work)])
    schedule.drain()
    if not recipe.steps.dedup.enabled:
        return True
    return submit_sources(recipe.steps.dedup.params, schedule, runtime.pool)


def build_parts(
    recipe: Recipe, runtime: Runtime, schedule: Schedule, *, reviewed: bool = True
) -> None:
    """Annotate, distil, judge and, unless not `reviewed`, review every part of the dataset.

    Chains that say the same are settled last, because the best by every verdict is kept; then what
    embeddings call alike is reported.
    """
    parts = source_parts(runtime.context.lake, recipe.dataset)
    bar = ProgressBar(expected_runs(recipe, parts), f"{recipe.name}: task runs done")
    schedule.on_collected = lambda _key: bar.advance()
    if writers_of(recipe):
        _submit_chains(recipe, runtime, schedule, parts, reviewed=reviewed)
    for part in parts.images:
        schedule.admit(annotate(recipe, runtime, schedule, part))
    schedule.drain()
    if reviewed and recipe.steps.dedup_chains.enabled:
        submit_chains(recipe.steps.dedup_chains.params, schedule, runtime.pool)
    if reviewed and recipe.steps.dedup_semantic.enabled:
        semantic = recipe.steps.dedup_semantic.params
        submit_semantic(semantic, schedule, runtime.pool, runtime.embedding)


def _submit_chains(
    recipe: Recipe,
    runtime: Runtime,
    schedule: Schedule,
    parts: DatasetParts,
    *,
    reviewed: bool,
) -> None:
    inputs = inputs_of(runtime.context.lake, parts.samples)
    work = distill_work(recipe, runtime, inputs)
    writers = writers_of(recipe)
    names = [writer.name for writer in writers]
    reviews = [reviewing.review for reviewing in recipe.steps.reviews()]
    drop_unwanted_chains(runtime.context.lake, parts.samples, names, reviews)
    for part in parts.samples:
        image_parts = inputs[part].image_parts
        keys = [k for p in image_parts for k in annotate(recipe, runtime, schedule, p)]
        facts = PartFacts(part, image_parts, tuple(keys))
        for writer in writers:
            chains = _submit_writer(recipe, schedule, work, writer, facts)
            keys += chains
            if reviewed:
                works = review_works(recipe, runtime, writer, facts)
                keys += [_submit_review(schedule, review, chains[-1]) for review in works]
                keys += _submit_keys(recipe, runtime, schedule, writer.part_of(part), chains)
        schedule.admit(keys)


def writers_of(recipe: Recipe) -> tuple[Writer, ...]:
    """Return who writes chains; nobody where distil is off."""
    steps = recipe.steps
    return tuple(steps.distill.params.writers()) if steps.distill.enabled else ()


def distill_work(recipe: Recipe, runtime: Runtime, inputs: Mapping[str, PartInputs]) -> DistillWork:
    """Return what the chains of every part share."""
    return DistillWork(
        runtime.asking,
        inputs.__getitem__,
        uses_objects=recipe.steps.ground.enabled,
        open_runner=runtime.open_runner,
    )


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What the chains of one part of samples wait for and read.

    Attributes:
        part: of `samples`.
        image_parts: parts of `images` that its samples refer to.
        before: runs that annotate them.
    """

    part: str
    image_parts: Sequence[str]
    before: tuple[Key, ...]


def _submit_writer(
    recipe: Recipe, schedule: Schedule, work: DistillWork, writer: Writer, facts: PartFacts
) -> list[Key]:
    """Return the runs that ask, read and judge one writer's chains about one part."""
    part, about = writer.part_of(facts.part), (facts.part, writer, work)
    asked = schedule.submit("distill", distill_part, part, *about, after=facts.before)
    parsed = schedule.submit("parse", parse_part, part, *about, after=[asked])
    keys = [asked, parsed]
    if recipe.steps.verify.enabled:
        objects = facts.image_parts if work.uses_objects else ()
        standard = Standard(recipe.steps.verify.params, templates(writer.params))
        judging = (facts.part, standard, objects)
        keys.append(schedule.submit("verify", verify_part, part, *judging, after=[parsed]))
    return keys


def _submit_keys(
    recipe: Recipe, runtime: Runtime, schedule: Schedule, part: str, after: list[Key]
) -> list[Key]:
    """Return the run that keys one part of chains, if chains are compared."""
    dedup = recipe.steps.dedup_chains
    if not dedup.enabled:
        return []
    return [submit_chain_keys(dedup.params, schedule, part, runtime.pool, after)]


def review_works(
    recipe: Recipe, runtime: Runtime, writer: Writer, facts: PartFacts
) -> list[ReviewWork]:
    """Return the reviews of one writer's chains about one part."""
    judged = recipe.steps.verify.enabled
    part = ReviewPart(writer.part_of(facts.part), facts.part, facts.image_parts, judged)
    return [ReviewWork(reviewing, part, runtime.asking) for reviewing in recipe.steps.reviews()]


def _submit_review(schedule: Schedule, review: ReviewWork, after: Key) -> Key:
    task = REVIEW_TASKS[review.review]
    return schedule.submit(review.review.value, task, review.part.chains, review, after=[after])


def along_with_depth(recipe: Recipe, runtime: Runtime) -> list[Wanted]:
    """Return the steps whose networks see the pictures that are decoded for depth."""
    segment = recipe.steps.segment
    asks_nothing = segment.params.prompts in (Prompts.AUTO, Prompts.GRID)
    is_shared = runtime.settings.shares_decode and segment.enabled and asks_nothing
    return [Wanted(SEGMENT, asdict(segment.params))] if is_shared else []


def annotate(recipe: Recipe, runtime: Runtime, schedule: Schedule, part: str) -> list[Key]:
    """Return the runs that annotate one part of `images`, submitted once."""
    steps, pool = recipe.steps, runtime.pool
    keys, along = [], along_with_depth(recipe, runtime)
    if steps.depth.enabled:
        depth = steps.depth.params
        keys.append(schedule.submit("depth", annotate_depth, part, depth, pool=pool, along=along))
    shared = list(keys) if along else []
    detected = []
    if steps.detect.enabled:
        detect = steps.detect.params
        detected = [schedule.submit("detect", detect_objects, part, detect, pool=pool)]
        keys += detected
    if steps.segment.enabled:
        segment = steps.segment.params
        asks_samples = segment.prompts is Prompts.SAMPLES
        asking = {"samples": runtime.referring(part)} if asks_samples else {}
        asked = detected if segment.prompts is Prompts.DETECTIONS else shared
        keys.append(
            schedule.submit(
                "segment", segment_images, part, segment, pool=pool, after=asked, **asking
            )
        )
    if steps.ground.enabled:
        ground = steps.ground.params
        keys.append(schedule.submit("ground", ground_objects, part, ground, after=list(keys)))
    return keys


def expected_runs(recipe: Recipe, parts: DatasetParts) -> int:
    """Return how many task runs the parts of a dataset take, ingest and dedup not counted."""
    steps = recipe.steps
    on_images = (steps.depth, steps.detect, steps.segment, steps.ground)
    per_image_part = sum(step.enabled for step in on_images)
    per_chain_part = 2 + steps.verify.enabled + len(steps.reviews()) + steps.dedup_chains.enabled
    per_writer = per_chain_part if steps.distill.enabled else 0
    per_sample_part = per_writer * len(steps.distill.params.writers())
    settled = steps.distill.enabled and steps.dedup_chains.enabled
    parted = per_image_part * len(parts.images) + per_sample_part * len(parts.samples)
    return parted + settled + _expected_alike(recipe, parts)


def _expected_alike(recipe: Recipe, parts: DatasetParts) -> int:
    """Return how many task runs embeddings take: one per part and one per kind."""
    semantic = recipe.steps.dedup_semantic
    if not semantic.enabled:
        return 0
    chains = len(parts.samples) * len(writers_of(recipe))
    parted = {Kind.SAMPLE: len(parts.samples), Kind.CHAIN: chains, Kind.IMAGE: len(parts.images)}
    return sum(parted[kind] + 1 for kind in semantic.params.kinds)
