"""What makes a step a Prefect task: its name, its retries, and that Prefect stores no rows."""

from typing import Any

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import Crashed, Failed

from sightline.errors import (
    BudgetError,
    CheckpointError,
    ContractError,
    LakeError,
    PoolError,
    RecipeError,
    TeacherError,
)
from tasks.dedup.chains_task import find_same_chains
from tasks.dedup.images_task import find_same_pictures
from tasks.dedup.keys_task import key_images, key_samples
from tasks.dedup.task import find_same_samples
from tasks.depth.task import annotate_depth
from tasks.distill.parse_task import parse_part
from tasks.distill.task import distill_part
from tasks.ground.task import ground_objects
from tasks.ingest.task import ingest
from tasks.part_task import worth_retrying
from tasks.review.task import judge_part, needs_image_part, rewrite_part
from tasks.segment.task import segment_images
from tasks.verify.task import verify_part

STEPS = {
    "ingest": ingest,
    "image_keys": key_images,
    "text_keys": key_samples,
    "dedup_images": find_same_pictures,
    "dedup": find_same_samples,
    "dedup_chains": find_same_chains,
    "depth": annotate_depth,
    "segment": segment_images,
    "ground": ground_objects,
    "distill": distill_part,
    "parse": parse_part,
    "verify": verify_part,
    "judge": judge_part,
    "rewrite": rewrite_part,
    "needs_image": needs_image_part,
}
RUN = TaskRun(task_key="k", dynamic_key="0")


@pytest.mark.parametrize(("name", "task"), STEPS.items())
def test_step_is_named_for_its_part_retried_with_back_off_and_stores_nothing(name: str, task: Any):
    assert (task.name, task.task_run_name) == (name, f"{name} {{part}}")
    assert (task.retries, task.retry_delay_seconds) == (3, [2, 4, 8])
    assert task.retry_jitter_factor > 0
    assert (task.cache_policy, task.persist_result) == (NO_CACHE, False)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (LakeError("conflict"), True),
        (PoolError("workers died"), True),
        (OSError("connection reset"), True),
        (RecipeError("unknown key"), False),
        (ContractError("wrong column"), False),
        (CheckpointError("no weights"), False),
        (TeacherError("wrong key"), False),
        (BudgetError("cap"), False),
    ],
)
def test_error_is_retried_only_if_it_may_go_away(error: Exception, again: bool):  # noqa: FBT001
    assert worth_retrying(find_same_samples, RUN, Failed(data=error)) is again
    assert worth_retrying(find_same_samples, RUN, Crashed(data=error)) is again
