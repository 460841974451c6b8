"""distilabel: `OpenAILLM` behind a `TextGeneration` task, without images (distilabel 1.5)."""

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration
from job import Job, read_job


def main(job: Job) -> None:
    """Ask all rows."""
    rows = [{"id": row.id, "instruction": row.prompt} for row in job.rows()]
    with Pipeline(name="bench", cache_dir=job.state) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=job.in_flight)
        llm = OpenAILLM(
            model=job.model,
            base_url=job.base_url,
            api_key="none",
            max_retries=10,
            generation_kwargs={"max_new_tokens": job.max_tokens, "temperature": 0.0},
        )
        load >> TextGeneration(llm=llm, input_batch_size=job.in_flight)
    found = pipeline.run(use_cache=False)["default"]["train"]
    job.write((row["id"], row["generation"] or "") for row in found)


if __name__ == "__main__":
    main(read_job())
