"""The depth-audit flow: noise on the lake's maps, weights against true depth and human labels.

One task run per part of the lake, one per folder and weights.  What was audited under the same
parameters is not audited again.  The page, its figures and the rows stay in the lake, so an audit
of other weights stands beside this one and SQL compares them.
"""

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.artifacts import ProgressBar, publish_depth_audit
from flows.depth_folders import FolderAudits, folder_audits
from flows.depth_report import keep_report
from flows.depth_wanted import Wanted
from flows.lakes import open_lake_of
from flows.logs import open_logs
from flows.schedule import Schedule
from infra.catalog.catalog import Catalog
from infra.execution import RunContext
from infra.git import git_tree
from infra.lake.lake import Lake
from infra.pool.ray_pool import open_pool
from infra.settings import Settings, load_settings
from infra.telemetry import NullProgress
from sightline.errors import SightlineError, UsageError
from sightline.provenance import fingerprint_of
from sightline.schemas import DEPTH_MAPS, DEPTH_SCORES, SEGMENTS
from tasks.depth_audit.params import NoiseParams
from tasks.depth_audit.task import compare_labels, compare_truth, disturb_part
from tasks.depth_audit.work import HUMAN, NOISE, TRUTH, NoiseWork

RECIPE = "depth-audit"
"""What `runs` says of rows that no recipe asked for."""


class AuditFailedError(SightlineError):
    """Some parts or folders could not be audited; the others are committed."""


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What an audit did.

    Attributes:
        audited: parts and folders audited now.
        reused: those that had been audited before.
        unused: rows of the folders that could not be used.
        lines: what was found, for people.
        report: address of the page in the lake.
    """

    audited: int
    reused: int
    unused: int
    lines: tuple[str, ...]
    report: str

    def text(self) -> str:
        """Return the summary for people."""
        done = f"{self.audited} parts and folders audited, {self.reused} were before."
        unused = f"{self.unused} rows of the folders could not be used."
        return "\n".join([*self.lines, *([unused] if self.unused else []), done])


@flow(name="depth-audit", persist_result=False)
def depth_audit(
    lake: str | None = None, wanted: Wanted | None = None, noise: NoiseParams | None = None
) -> AuditSummary:
    """Say how far the depth of a lake, or of any weights, can be trusted.

    Args:
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.
        wanted: folders and weights to compare; null for the lake's maps alone.
        noise: how stored maps are disturbed; the defaults if not given.

    Raises:
        UsageError: there is nothing to audit, or a folder cannot be used.
        CheckpointError: weights are missing or incomplete; nothing was computed.
        AuditFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    opened = open_lake_of(settings)
    work = NoiseWork(opened, noise or NoiseParams())
    sources = audited_parts(opened)
    with closing(open_pool(settings)) as pool:
        folders = folder_audits(wanted or Wanted(), pool, opened, sources)
        if not sources and not folders.count:
            msg = f"the lake {opened.uri} has no depth maps with segments; name --truth or --human"
            raise UsageError(msg)
        schedule = _audit(opened, settings, (work, sources), folders)
    summary = _closed(opened, schedule, folders)
    get_run_logger().info("%s", summary.text())
    if schedule.problems:
        msg = f"{len(schedule.problems)} task runs failed: {'; '.join(schedule.problems[:3])}"
        raise AuditFailedError(msg)
    return summary


def audited_parts(lake: Lake) -> list[str]:
    """Return the parts of the lake that have both maps and segments."""
    maps, segments = ({p.part for p in lake.parts(c)} for c in (DEPTH_MAPS, SEGMENTS))
    return sorted(maps & segments)


def _audit(
    lake: Lake, settings: Settings, noise: tuple[NoiseWork, list[str]], folders: FolderAudits
) -> Schedule:
    """Run every audit and return what came of it."""
    work, sources = noise
    bar = ProgressBar(len(sources) + folders.count, "Parts and folders audited.", key="depth-audit")
    context = RunContext(
        lake=lake,
        recipe=RECIPE,
        recipe_identity=fingerprint_of([asdict(work.params), folders.parts]),
        git_tree=git_tree(Path(__file__).parent),
        flow_run_id=flow_run.get_id(),
        progress=NullProgress(),
    )
    schedule = Schedule(context, settings.max_parts_in_flight, lambda _key: bar.advance())
    _drop_gone(work, sources)
    for source in sources:
        schedule.admit([schedule.submit(NOISE.name, disturb_part, source, work)])
    for truth in folders.truth:
        schedule.admit([schedule.submit(TRUTH.name, compare_truth, truth.part, truth)])
    for human in folders.human:
        schedule.admit([schedule.submit(HUMAN.name, compare_labels, human.part, human)])
    schedule.drain()
    return schedule


def _drop_gone(work: NoiseWork, sources: list[str]) -> None:
    """Remove what was found in maps that are no longer there."""
    wanted = {work.part_of(source) for source in sources}
    for part in work.lake.parts(DEPTH_SCORES):
        if part.part.startswith(work.part_of("")) and part.part not in wanted:
            work.lake.drop(DEPTH_SCORES, part.part)


def _closed(lake: Lake, schedule: Schedule, folders: FolderAudits) -> AuditSummary:
    with Catalog(lake) as catalog:
        report, lines = keep_report(lake, catalog)
        publish_depth_audit(catalog, lines, report)
    mine = set(folders.parts)
    return AuditSummary(
        audited=sum(not result.reused for result in schedule.results),
        reused=sum(result.reused for result in schedule.results),
        unused=sum(result.failed for result in schedule.results if result.part in mine),
        lines=tuple(lines),
        report=report,
    )
