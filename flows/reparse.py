"""The reparse flow: steps and verdicts from stored replies, read again by today's parser.

No teacher is opened and no ledger either: it works where the endpoint is gone.  A chain whose next
ask would now be another one ends as `chain_incomplete`; the next build asks what is missing, and
pays for that alone.  One part is read at a time, because its rows before and after are compared.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.dataset_parts import inputs_of, source_parts
from flows.deduping import submit_chains
from flows.lakes import open_lake_of
from flows.logs import open_logs
from flows.recipe import Recipe, load_recipe
from flows.schedule import Schedule
from infra.execution import RunContext
from infra.git import git_tree
from infra.lake.lake import Lake
from infra.pool.local_pool import LocalPool
from infra.settings import load_settings
from infra.telemetry import NullProgress
from sightline.errors import SightlineError
from sightline.schemas import FAILURES, GENERATIONS, STEPS, VERDICTS
from tasks.distill.asks import templates
from tasks.distill.live import CaseInputs, PartInputs
from tasks.distill.parse_task import STEP as PARSE
from tasks.distill.parse_task import parse_part
from tasks.distill.reread import ReadState, Reread
from tasks.distill.writers import Writer
from tasks.verify.judge import Standard
from tasks.verify.task import verify_part


class RereadFailedError(SightlineError):
    """Some parts could not be read again; the others are committed."""


@dataclass(frozen=True, slots=True)
class RereadSummary:
    """What a reparse did.

    Attributes:
        parts: parts of replies there are.
        parts_read: parts whose steps or verdicts were derived anew; the others were up to date.
        change: what that changed.
    """

    parts: int
    parts_read: int
    change: Reread

    def text(self) -> str:
        """Return the summary for people."""
        lines = [
            f"{self.parts_read} of {self.parts} parts read again; 0 teacher calls made.",
            "",
            f"{'rows':<16}{'before':>9}{'after':>9}{'changed':>9}",
        ]
        named = {
            "chain answers": self.change.answers,
            "steps": self.change.steps,
            "parse failures": self.change.unread,
            "verdicts": self.change.verdicts,
        }
        lines += [
            f"{name:<16}{rows.before:>9,}{rows.after:>9,}{rows.changed:>9,}"
            for name, rows in named.items()
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One writer's replies about one part of samples, as they lie in the lake.

    Attributes:
        part: of `generations`.
        samples_part: of `samples`.
        object_parts: parts of `objects` that the samples' images are in.
    """

    part: str
    samples_part: str
    writer: Writer
    object_parts: tuple[str, ...]


@flow(name="reparse", flow_run_name="reparse {recipe}", persist_result=False)
def reparse(
    recipe: str, lake: str | None = None, overrides: list[str] | None = None
) -> RereadSummary:
    """Derive the steps and verdicts of a recipe's chains anew and return what changed.

    Args:
        recipe: recipe file, or the name of one that ships with the project.
        lake: lake that holds the replies; the settings' lake if not given.
        overrides: `dotted.key=value` changes to the recipe, such as another grammar.

    Raises:
        RecipeError: the recipe does not hold what a recipe holds.
        RereadFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    loaded = load_recipe(recipe, overrides or [])
    context = RunContext(
        lake=open_lake_of(settings),
        recipe=loaded.name,
        recipe_identity=loaded.identity,
        git_tree=git_tree(Path(__file__).parent),
        flow_run_id=flow_run.get_id(),
        progress=NullProgress(),
    )
    schedule = Schedule(context, parts_in_flight=1)
    summary = reread_parts(loaded, context.lake, schedule)
    get_run_logger().info("%s", summary.text())
    if schedule.problems:
        msg = f"{len(schedule.problems)} task runs failed: {'; '.join(schedule.problems[:3])}"
        raise RereadFailedError(msg)
    return summary


def reread_parts(recipe: Recipe, lake: Lake, schedule: Schedule) -> RereadSummary:
    """Read every stored part of the recipe's writers again, then settle what says the same."""
    samples_parts = source_parts(lake, recipe.dataset).samples
    inputs = inputs_of(lake, samples_parts)
    work = CaseInputs(inputs.__getitem__, uses_objects=recipe.steps.ground.enabled)
    parts = parts_read = 0
    change = Reread()
    for stored in stored_parts(recipe, lake, inputs):
        before, n_before = state_of(lake, stored.part), len(schedule.results)
        _submit(recipe, schedule, work, stored)
        schedule.drain()
        change += before.change_to(state_of(lake, stored.part))
        parts += 1
        parts_read += any(not result.reused for result in schedule.results[n_before:])
    if recipe.steps.dedup_chains.enabled:
        with closing(LocalPool()) as pool:
            submit_chains(recipe.steps.dedup_chains.params, schedule, pool)
    return RereadSummary(parts, parts_read, change)


def stored_parts(recipe: Recipe, lake: Lake, inputs: dict[str, PartInputs]) -> Iterator[StoredPart]:
    """Yield the parts of replies that the recipe's writers have in the lake."""
    uses_objects = recipe.steps.ground.enabled
    for samples_part, facts in inputs.items():
        objects = tuple(facts.image_parts) if uses_objects else ()
        for writer in recipe.steps.distill.params.writers():
            part = writer.part_of(samples_part)
            if lake.committed(GENERATIONS, part) is not None:
                yield StoredPart(part, samples_part, writer, objects)


def state_of(lake: Lake, part: str) -> ReadState:
    """Return the rows that come from reading the replies of `part`."""
    return ReadState(
        steps=lake.read(STEPS, parts=[part]),
        failures=lake.read(FAILURES, parts=[f"{PARSE.name}.{part}"]),
        verdicts=lake.read(VERDICTS, parts=[part]),
    )


def _submit(recipe: Recipe, schedule: Schedule, work: CaseInputs, stored: StoredPart) -> None:
    about = (stored.samples_part, stored.writer, work)
    keys = [schedule.submit("parse", parse_part, stored.part, *about)]
    if recipe.steps.verify.enabled:
        standard = Standard(recipe.steps.verify.params, templates(stored.writer.params))
        judging = (stored.samples_part, standard, stored.object_parts)
        keys.append(schedule.submit("verify", verify_part, stored.part, *judging, after=keys))
    schedule.admit(keys)
