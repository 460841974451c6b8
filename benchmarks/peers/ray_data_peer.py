"""Ray Data: its HTTP request processor for LLM endpoints (ray[data])."""

import base64
from pathlib import Path

import ray
from job import Job, read_job
from ray.data.llm import HttpRequestProcessorConfig, build_processor


def main(job: Job) -> None:
    """Ask all rows."""

    def request(row: dict) -> dict:
        content: list[dict] = [{"type": "text", "text": row["prompt"]}]
        if row["image"]:
            data = base64.b64encode(Path(row["image"]).read_bytes()).decode()
            url = f"data:image/jpeg;base64,{data}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        message = {"role": "user", "content": content}
        body = {"model": job.model, "messages": [message], "max_tokens": job.max_tokens}
        return {"payload": body | {"temperature": 0.0}, "id": row["id"]}

    def reply(row: dict) -> dict:
        answer = row.get("http_response")
        text = answer["choices"][0]["message"]["content"] if answer else ""
        return {"id": row["id"], "text": text or ""}

    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    config = HttpRequestProcessorConfig(
        url=f"{job.base_url}/chat/completions",
        headers={"Authorization": "Bearer none"},
        qps=None,
        max_retries=10,
        batch_size=64,
        concurrency=max(1, job.in_flight // 64),
    )
    processor = build_processor(config, preprocess=request, postprocess=reply)
    rows = [{"id": r.id, "prompt": r.prompt, "image": r.image} for r in job.rows()]
    found = processor(ray.data.from_items(rows)).take_all()
    job.write((row["id"], row["text"]) for row in found)


if __name__ == "__main__":
    main(read_job())
