"""NVIDIA NeMo Data Designer: one LLM text column over a seed table (data-designer 0.9)."""

import base64
from pathlib import Path

import data_designer.config as dd
import pandas as pd
from data_designer.config.run_config import ResumeMode
from data_designer.interface import DataDesigner
from job import Job, Row, read_job

COLUMN = "reply"
BUFFER_ROWS = 100
"""Rows between two checkpoints; its default of 1,000 is more than a test has."""


def as_dict(row: Row) -> dict:
    """Return a row of the seed table; images are base64 there."""
    image = base64.b64encode(Path(row.image).read_bytes()).decode() if row.image else ""
    return {"id": row.id, "prompt": row.prompt, "image": image}


def main(job: Job) -> None:
    """Ask all rows."""
    rows = job.rows()
    limits = dd.ChatCompletionInferenceParams(
        max_parallel_requests=job.in_flight, max_tokens=job.max_tokens, temperature=0.0
    )
    model = dd.ModelConfig(
        alias="teacher", model=job.model, provider="endpoint", inference_parameters=limits,
        skip_health_check=True,
    )  # fmt: skip
    config = dd.DataDesignerConfigBuilder(model_configs=[model])
    config.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame([as_dict(r) for r in rows])))
    images = [
        dd.ImageContext(
            column_name="image", data_type=dd.ModalityDataType.BASE64, image_format="jpeg"
        )
    ]
    config.add_column(
        dd.LLMTextColumnConfig(
            name=COLUMN,
            prompt="{{ prompt }}",
            model_alias="teacher",
            multi_modal_context=images if rows[0].image else None,
        )
    )
    provider = dd.ModelProvider(name="endpoint", endpoint=job.base_url, api_key="none")
    designer = DataDesigner(artifact_path=job.state, model_providers=[provider])
    designer.set_run_config(dd.RunConfig(buffer_size=BUFFER_ROWS))
    created = designer.create(config, num_records=len(rows), resume=ResumeMode.IF_POSSIBLE)
    found = created.load_dataset()
    job.write((row["id"], row[COLUMN] or "") for _, row in found.iterrows())


if __name__ == "__main__":
    main(read_job())
