"""The one way a step becomes a Prefect task: one task run per (step, part).

The lake's fingerprints are the cache, so Prefect's is off and no result is stored: rows never
travel through Prefect.  A task is retried with back-off, unless its error would come again (wrong
input, missing weights, spent budget).
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from sightline.errors import CheckpointError, ContractError, TeacherError, UsageError

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 3
BACKOFF_SECONDS = 2
"""Waits of 2, 4 and 8 seconds, each with up to half of it added at random."""

FINAL_ERRORS = (UsageError, ContractError, CheckpointError, TeacherError)
"""Errors that the same call would raise again."""


def part_task(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Return a decorator for the task `name`, whose first parameter is called `part`."""
    return task(
        name=name,
        task_run_name=f"{name} {{part}}",
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(BACKOFF_SECONDS),
        retry_jitter_factor=0.5,
        retry_condition_fn=worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def worth_retrying(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether the failure in `state` may go away by itself."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, FINAL_ERRORS)
