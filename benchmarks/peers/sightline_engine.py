"""Sightline's teacher engine: ledger, claims, rate control and spool, as a build uses them."""

import asyncio
import hashlib
from pathlib import Path

from job import Job, Row, read_job

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.teacher.client import Endpoint, ImagePart, Request, Teacher, TeacherConfig, open_teacher


def request_of(job: Job, row: Row) -> Request:
    """Return the request of a row."""
    content: list[str | ImagePart] = [row.prompt]
    if row.image:
        data = Path(row.image).read_bytes()
        content.append(ImagePart(hashlib.sha256(data).hexdigest(), data, "image/jpeg"))
    return Request(
        model=job.model,
        system=None,
        content=tuple(content),
        parameters={"max_tokens": job.max_tokens, "temperature": 0.0},
        prompt_id="bench",
        subject_id=row.id,
    )


async def ask_all(job: Job, teacher: Teacher) -> list[tuple[str, str]]:
    """Return (row id, reply) of every row; as many rows are open as may be in flight, and some."""
    room = asyncio.Semaphore(job.in_flight + 32)

    async def one(row: Row) -> tuple[str, str]:
        async with room:
            return row.id, (await teacher.ask(request_of(job, row))).text

    return await asyncio.gather(*(one(row) for row in job.rows()))


def main(job: Job) -> None:
    """Ask all rows and commit the ledger."""
    state = Path(job.state)
    endpoint = Endpoint("bench", job.base_url, max_in_flight=job.in_flight, timeout_s=120.0)
    config = TeacherConfig((endpoint,), recipe="bench", models=(job.model,))
    with Ledger(Lake(state / "lake"), state / "spool") as ledger:
        with open_teacher(config, ledger) as teacher:
            texts = asyncio.run(ask_all(job, teacher))
        ledger.flush()
    job.write(texts)


if __name__ == "__main__":
    main(read_job())
