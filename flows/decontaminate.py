"""The decontaminate flow: a lake against benchmarks, part by part, and the certificate of it.

One task run per benchmark reads it, one per part of the lake compares.  A part that was compared
under the same rules is not compared again, so a run after new rows costs what the new rows cost.
Without a benchmark, all that the lake knows are brought up to date.
"""

from dataclasses import dataclass
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.artifacts import ProgressBar, publish_certificate, publish_contamination
from flows.benchmarks import Against, open_benchmark, stored_benchmarks, targets
from flows.certificate import certify
from flows.lakes import open_lake_of
from flows.logs import open_logs
from flows.schedule import Schedule
from infra.catalog.catalog import Catalog
from infra.execution import RunContext
from infra.git import git_tree
from infra.lake.lake import Lake
from infra.pool.ray_pool import open_pool
from infra.pool.workers import Pool
from infra.settings import Settings, load_settings
from infra.telemetry import NullProgress
from sightline.errors import SightlineError, UsageError
from sightline.provenance import fingerprint_of
from sightline.schemas import CONTAMINATION
from tasks.decontaminate.certificate_page import page
from tasks.decontaminate.rules import TEMPLATE_SHARE, RuleBook, rule_book
from tasks.decontaminate.targets import Target
from tasks.decontaminate.task import compare_part, read_benchmark
from tasks.decontaminate.work import COMPARE, READ, BenchmarkWork
from tasks.dedup.keys_task import IMAGE_STEP, key_images

RECIPE = "decontaminate"
"""What `runs` says of rows that no recipe asked for."""


class CompareFailedError(SightlineError):
    """Some parts could not be compared; the others are committed."""


@dataclass(frozen=True, slots=True)
class DecontaminateSummary:
    """What a decontamination did.

    Attributes:
        benchmarks: how many the lake was compared with.
        compared: parts compared now.
        reused: parts that had been compared before.
        dropped: samples that a benchmark holds.
        under_review: other samples with a match.
        unread: items of benchmarks of which something could not be read.
        certificate: sha256 of the certificate.
    """

    benchmarks: int
    compared: int
    reused: int
    dropped: int
    under_review: int
    unread: int
    certificate: str

    def text(self) -> str:
        """Return the summary for people."""
        unread = f" Items that could not be read in full: {self.unread}." if self.unread else ""
        return (
            f"{self.benchmarks} {'benchmark' if self.benchmarks == 1 else 'benchmarks'}: "
            f"{self.compared} parts compared, {self.reused} were before; "
            f"{self.dropped} samples dropped, {self.under_review} to review.{unread}\n"
            f"Certificate: sha256 {self.certificate}"
        )


@flow(name="decontaminate", persist_result=False)
def decontaminate(
    lake: str | None = None,
    against: Against | None = None,
    rules: list[str] | None = None,
    decisions: list[str] | None = None,
    template_share: float = TEMPLATE_SHARE,
) -> DecontaminateSummary:
    """Compare a lake with a benchmark, or again with all that it knows.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.
        against: the benchmark; null for those that the lake was compared with before.
        rules: the rules to apply, `name` or `name=threshold`; the default ones if not given.
        decisions: what follows from a rule, `name=review` or `name=drop`.
        template_share: a run of words in more than this share of items matches nothing.

    Raises:
        UsageError: the benchmark or an option is not usable.
        CompareFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    opened = open_lake_of(settings)
    book = rule_book(rules or [], decisions or [], template_share)
    works = _works(opened, settings, against, book)
    schedule = _compare(opened, settings, works)
    summary = _closed(opened, settings, works, schedule)
    get_run_logger().info("%s", summary.text())
    if schedule.problems:
        msg = f"{len(schedule.problems)} task runs failed: {'; '.join(schedule.problems[:3])}"
        raise CompareFailedError(msg)
    return summary


def _works(
    lake: Lake, settings: Settings, against: Against | None, book: RuleBook
) -> list[BenchmarkWork]:
    if against is not None:
        return [open_benchmark(lake, settings.storage, against, book)]
    known = [stored.work for stored in stored_benchmarks(lake)]
    if not known:
        msg = f"the lake {lake.uri} knows no benchmark yet; name one with --against"
        raise UsageError(msg)
    return known


def _compare(lake: Lake, settings: Settings, works: list[BenchmarkWork]) -> Schedule:
    """Run every comparison and return what came of it."""
    jobs = [(work, targets(lake, is_own=work.is_own)) for work in works]
    keyed = {p for work, found in jobs if work.book.needs_views for t in found for p in t.pictures}
    n_runs = len(keyed) + sum(1 + len(found) for _, found in jobs)
    bar = ProgressBar(n_runs, "Parts compared.", key="decontaminate")
    context = RunContext(
        lake=lake,
        recipe=RECIPE,
        recipe_identity=fingerprint_of([work.book.identity() for work in works]),
        git_tree=git_tree(Path(__file__).parent),
        flow_run_id=flow_run.get_id(),
        progress=NullProgress(),
    )
    schedule = Schedule(context, settings.max_parts_in_flight, lambda _key: bar.advance())
    pool = open_pool(settings)
    try:
        for work, found in jobs:
            _submit(schedule, work, found, pool)
        schedule.drain()
    finally:
        pool.close()
    return schedule


def _submit(schedule: Schedule, work: BenchmarkWork, found: list[Target], pool: Pool) -> None:
    """Submit the reading of a benchmark, the views of images, and a comparison per part.

    A key of an image part is a task run of its own, the same that deduplication has.
    """
    _drop_gone(schedule.context.lake, work, found)
    first = schedule.submit(READ.name, read_benchmark, work.part, work)
    schedule.admit([first])
    for target in found:
        keyed = target.pictures if work.book.needs_views else ()
        submit = schedule.submit
        after = [first, *(submit(IMAGE_STEP.name, key_images, p, pool=pool) for p in keyed)]
        part = work.part_of(target)
        key = submit(COMPARE.name, compare_part, part, target, work, after=after)
        schedule.admit([*after, key])


def _drop_gone(lake: Lake, work: BenchmarkWork, found: list[Target]) -> None:
    """Remove what was found in parts of the lake that are no longer there."""
    wanted = {work.part_of(target) for target in found}
    held = [part.part for part in lake.parts(CONTAMINATION)]
    gone = [p for p in held if p.startswith(f"{work.part}.") and p not in wanted]
    if gone:
        lake.drop(CONTAMINATION, *gone)


def _closed(
    lake: Lake, settings: Settings, works: list[BenchmarkWork], schedule: Schedule
) -> DecontaminateSummary:
    with Catalog(lake) as catalog:
        publish_contamination(catalog)
    certificate = certify(settings)
    publish_certificate(page(certificate))
    outcome = certificate.content["outcome"]
    results = [result for result in schedule.results if result.step == COMPARE.name]
    return DecontaminateSummary(
        benchmarks=len(works),
        compared=sum(not result.reused for result in results),
        reused=sum(result.reused for result in results),
        dropped=outcome["samples_dropped"],
        under_review=outcome["samples_under_review"],
        unread=sum(
            benchmark["not_compared"]["items_with_problems"]
            for benchmark in certificate.content["benchmarks"]
            if benchmark["benchmark_id"] in {work.name.benchmark_id for work in works}
        ),
        certificate=certificate.sha256,
    )
