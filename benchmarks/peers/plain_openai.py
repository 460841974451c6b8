"""The floor: an asyncio loop around `openai.AsyncOpenAI`, with the SDK's own retries.

What somebody writes in ten minutes: no ledger, no budget, no rate control, results in memory.
"""

import asyncio
import base64
from pathlib import Path

import openai
from job import Job, Row, read_job


async def ask(client: openai.AsyncOpenAI, job: Job, row: Row) -> tuple[str, str]:
    """Return the row's id and its reply."""
    content: list[dict] = [{"type": "text", "text": row.prompt}]
    if row.image:
        data = base64.b64encode(Path(row.image).read_bytes()).decode()
        content.append(
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
        )
    reply = await client.chat.completions.create(
        model=job.model,
        messages=[{"role": "user", "content": content}],
        max_tokens=job.max_tokens,
        temperature=0.0,
    )
    return row.id, reply.choices[0].message.content or ""


async def main(job: Job) -> None:
    """Ask all rows, `in_flight` at a time."""
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key="none", max_retries=10)
    room = asyncio.Semaphore(job.in_flight)

    async def one(row: Row) -> tuple[str, str] | None:
        async with room:
            try:
                return await ask(client, job, row)
            except openai.OpenAIError:
                return None

    found = await asyncio.gather(*(one(row) for row in job.rows()))
    job.write(pair for pair in found if pair is not None)


if __name__ == "__main__":
    asyncio.run(main(read_job()))
