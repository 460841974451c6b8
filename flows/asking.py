"""Where a run asks: in this process, or on workers that share its limits.

A teacher and a crew of workers answer alike; only whole chains are sent to workers as they are.
"""

from infra.ledger.ledger import Ledger
from infra.pool.services import ServingPool
from infra.settings import Settings
from infra.teacher.budget import Budget
from infra.teacher.client import Teacher, TeacherConfig, open_gatekeeper, open_teacher
from infra.teacher.crew import TeacherCrew
from infra.teacher.crew_seat import CrewPlan
from infra.teacher.remote_worker import LedgerHome
from sightline.errors import UsageError
from tasks.distill.remote_chains import asked_by
from tasks.distill.rounds import RunChain, asked_here

FLUSH_EVERY_S = 60.0
"""On machines of a cluster, which may be lost with their disks at any time."""

Opened = Teacher | TeacherCrew


def open_asker(
    settings: Settings,
    config: TeacherConfig,
    ledgers: tuple[Ledger, LedgerHome],
    pool: ServingPool,
    budget: Budget,
) -> Opened:
    """Return what answers the requests of a run; close it, then flush the ledger.

    Args:
        settings: say how many workers ask; none means this process.
        config: of the teacher.
        ledgers: that of this process, and how workers open the same.
        pool: where workers run.
        budget: of the run, in this process; workers have their own with the same caps.

    Raises:
        UsageError: workers are wanted of a pool without processes, or as `open_teacher` says.
        PoolError: a worker could not be started.
    """
    ledger, home = ledgers
    if not settings.teacher_workers:
        return open_teacher(config, ledger, open_gatekeeper(config, budget))
    if settings.pool == "local":
        msg = (
            f"expected SIGHTLINE_POOL=ray, found local: {settings.teacher_workers} teacher workers "
            "are processes; set SIGHTLINE_POOL=ray or SIGHTLINE_TEACHER_WORKERS=0"
        )
        raise UsageError(msg)
    plan = CrewPlan(
        workers=settings.teacher_workers,
        config=config,
        ledger=home,
        num_cpus=settings.num_cpus,
        max_restarts=settings.max_restarts,
        flush_every_s=FLUSH_EVERY_S if settings.ray_address else None,
    )
    return TeacherCrew(pool.services, plan)


def chain_runner(opened: Opened) -> RunChain:
    """Return what asks whole chains."""
    return asked_by(opened) if isinstance(opened, TeacherCrew) else asked_here(opened)
