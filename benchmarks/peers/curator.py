"""Bespoke Curator: `curator.LLM` on its OpenAI backend (bespokelabs-curator 0.1)."""

import os
from importlib.util import find_spec
from pathlib import Path

from job import Job, Row, read_job

JOB = read_job()
LITELLM = find_spec("litellm")
os.environ |= {
    # its tokenizer would be downloaded; litellm, which it needs anyway, brings a copy along
    "TIKTOKEN_CACHE_DIR": str(Path(LITELLM.origin).parent / "litellm_core_utils" / "tokenizers"),
    "CURATOR_CACHE_DIR": JOB.state,
    "TELEMETRY_ENABLED": "false",
    "CURATOR_VIEWER": "0",
    "OPENAI_API_KEY": "none",
}

from bespokelabs import curator  # noqa: E402 - it reads its environment when imported
from datasets import Dataset  # noqa: E402


class Asker(curator.LLM):
    """One prompt per row."""

    def prompt(self, row: dict) -> object:
        """Return what is sent."""
        if row["image"] is None:
            return row["prompt"]
        return row["prompt"], curator.types.Image(url=row["image"])

    def parse(self, row: dict, response: str) -> dict:
        """Return the output row."""
        return {"id": row["id"], "text": response}


def as_dict(row: Row) -> dict:
    """Return a row as the dataset wants it."""
    return {"id": row.id, "prompt": row.prompt, "image": row.image}


def main(job: Job) -> None:
    """Ask all rows."""
    model = Asker(
        model_name=job.model,
        backend="openai",
        generation_params={"max_tokens": job.max_tokens, "temperature": 0.0},
        backend_params={
            "base_url": job.base_url,
            "max_requests_per_minute": 1_000_000,
            "max_tokens_per_minute": 1_000_000_000,
            "max_concurrent_requests": job.in_flight,
            "require_all_responses": False,
        },
    )
    found = model(Dataset.from_list([as_dict(row) for row in job.rows()]))
    rows = getattr(found, "dataset", found)
    job.write((row["id"], row["text"]) for row in rows)


if __name__ == "__main__":
    main(JOB)
