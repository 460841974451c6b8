"""What the schedule hands to Prefect."""

from collections.abc import ItemsView
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from flows.schedule import Schedule
from infra.execution import PartResult, RunContext
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions


class Busy(dict[str, int]):
    """A mapping that another thread would be changing just now."""

    def items(self) -> ItemsView[str, int]:
        msg = "dictionary changed size during iteration"
        raise RuntimeError(msg)


@dataclass
class BusyProgress:
    steps: Busy = field(default_factory=Busy)

    def part_submitted(self, step: str) -> None:
        """Count nothing."""


@pytest.mark.server
@pytest.mark.usefixtures("prefect_server")
def test_schedule_context_changed_by_other_tasks_is_not_walked_through(
    tmp_path: Path,
) -> None:
    context: Any = RunContext(
        Lake(tmp_path, StorageOptions()), "demo", "id", progress=BusyProgress()
    )

    @task
    def step(part: str, context: RunContext) -> PartResult:
        return PartResult("step", part, context.recipe_identity, reused=False)

    @flow
    def build() -> list[PartResult]:
        schedule = Schedule(context, parts_in_flight=1)
        schedule.admit([schedule.submit("step", step, "part")])
        schedule.drain()
        return schedule.results

    assert build() == [PartResult("step", "part", "id", reused=False)]
