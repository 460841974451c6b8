"""datatrove: `InferenceRunner` against an endpoint, checkpoints on (datatrove 0.9)."""

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.writers import JsonlWriter
from job import Job, read_job


async def rollout(document: Document, generate: Callable[[dict], Awaitable[object]]) -> str:
    """Return the reply to one document."""
    content: list[dict] = [{"type": "text", "text": document.text}]
    image = document.metadata["image"]
    if image:
        data = base64.b64encode(Path(image).read_bytes()).decode()
        content.append(
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
        )
    result = await generate({"messages": [{"role": "user", "content": content}]})
    return result.text


def main(job: Job) -> None:
    """Ask all rows."""
    documents = [Document(r.prompt, r.id, metadata={"image": r.image}) for r in job.rows()]
    state = Path(job.state)
    config = InferenceConfig(
        server_type="endpoint",
        endpoint_url=job.base_url.removesuffix("/v1"),
        model_name_or_path=job.model,
        max_concurrent_generations=job.in_flight,
        default_generation_params={"max_tokens": job.max_tokens, "temperature": 0.0},
    )
    runner = InferenceRunner(
        rollout_fn=rollout,
        config=config,
        output_writer=JsonlWriter(
            str(state / "texts"),
            output_filename="${rank}_chunk_${chunk_index}.jsonl",
            compression=None,
        ),
        checkpoints_local_dir=str(state / "checkpoints"),
        records_per_chunk=500,
    )
    LocalPipelineExecutor([documents, runner], logging_dir=str(state / "logs")).run()
    texts = []
    for path in (state / "texts").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            texts.append((row["id"], row["metadata"]["rollout_results"][0] or ""))
    job.write(texts)


if __name__ == "__main__":
    main(read_job())
