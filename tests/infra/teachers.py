"""What the teacher tests share: requests, a lake with its ledger, and a quick retry policy."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import LoggedEvent, read_log
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.teacher.client import Endpoint, ImagePart, Request, Teacher, TeacherConfig, open_teacher
from infra.teacher.retry import RetryPolicy
from sightline.outcomes import Outcome

MODEL = "sightline-embedded"
QUICK = RetryPolicy(attempts=6, patience_s=20.0, base_s=0.02, max_wait_s=0.2)

PROMPT = """Answer the question.
Question: How many red cubes are there?
Reference answer: 2
Target region: [0.20, 0.30, 0.40, 0.50]
Objects in view:
- 1. red cube [0.10, 0.20, 0.30, 0.45] depth 0.83
- 2. red cube [0.30, 0.30, 0.40, 0.55] depth 0.43
- 3. blue sphere [0.60, 0.20, 0.80, 0.45] depth 0.20
Round: 1 of 3
Task: {task}"""


def ask_for(number: int, *, task: str = "final", **parameters: object) -> Request:
    return Request(
        model=MODEL,
        system=None,
        content=(f"Row {number}\n{PROMPT.format(task=task)}",),
        parameters=parameters,
        prompt_id="p",
        subject_id=f"sample_{number}",
    )


def image_part(data: bytes, media_type: str = "image/png") -> ImagePart:
    return ImagePart(hashlib.sha256(data).hexdigest(), data, media_type)


def paid_row(number: int, text: str = "yes") -> LedgerRow:
    return LedgerRow(
        request_key=hashlib.sha256(str(number).encode()).hexdigest(),
        draw=0,
        endpoint_class="chat_completions",
        teacher=MODEL,
        recipe="test",
        step="distill",
        subject_id=f"sample_{number}",
        prompt_id="p",
        request_json="{}",
        response_json=f'{{"choices":[{{"message":{{"content":"{text}"}}}}]}}',
        outcome=Outcome.SUCCESS,
        finish_reason="stop",
        tokens_in=10,
        tokens_out=5,
        tokens_reasoning=None,
        cost_usd=0.25,
        latency_ms=12.5,
        received_us=1_700_000_000_123_456,
    )


@contextmanager
def open_ledger(folder: Path) -> Iterator[Ledger]:
    with Ledger(Lake(folder / "lake"), folder / "spool") as ledger:
        yield ledger


@contextmanager
def teacher_at(base_url: str, folder: Path, **changes: object) -> Iterator[tuple[Teacher, Ledger]]:
    """Open a teacher at one endpoint; `changes` are fields of the endpoint or of the config."""
    names = {field.name for field in fields(Endpoint)}
    place = {name: value for name, value in changes.items() if name in names}
    endpoint = replace(Endpoint("default", base_url, timeout_s=20.0), **place)  # type: ignore[arg-type]
    rest = {name: value for name, value in changes.items() if name not in names}
    config = TeacherConfig((endpoint,), recipe="test", retry=QUICK, models=(MODEL,))
    with (
        open_ledger(folder) as ledger,
        open_teacher(replace(config, **rest), ledger) as teacher,  # type: ignore[arg-type]
    ):
        yield teacher, ledger


@contextmanager
def server_that(log: Path | None = None, **trouble: object) -> Iterator[EmbeddedTeacher]:
    misbehaviour = Misbehaviour.from_mapping(trouble)
    with EmbeddedTeacher(ServerConfig(misbehaviour=misbehaviour, log=log)) as server:
        yield server


def answered(log: Path) -> list[LoggedEvent]:
    return [event for event in read_log(log) if event.event == "answered" and event.status == 200]
