"""Daft: the `prompt` AI function on a data frame (daft 0.7); it sets its own concurrency."""

import daft
from daft.ai.openai.provider import OpenAIProvider
from daft.functions import prompt
from job import Job, read_job


def main(job: Job) -> None:
    """Ask all rows."""
    rows = job.rows()
    frame = daft.from_pydict(
        {
            "id": [row.id for row in rows],
            "prompt": [row.prompt for row in rows],
            "image": [row.image for row in rows],
        }
    )
    messages = [daft.col("prompt")]
    if rows[0].image:
        frame = frame.with_column("bytes", daft.col("image").download())
        messages.append(daft.col("bytes"))
    provider = OpenAIProvider(base_url=job.base_url, api_key="none", max_retries=10)
    text = prompt(
        messages,
        provider=provider,
        model=job.model,
        use_chat_completions=True,
        on_error="ignore",
        max_tokens=job.max_tokens,
        temperature=0.0,
    )
    found = frame.select(daft.col("id"), text.alias("text")).to_pylist()
    job.write((row["id"], row["text"] or "") for row in found)


if __name__ == "__main__":
    main(read_job())
