"""datatrove: the four MinHash stages of its example, one local task each."""

import argparse
import contextlib
import gzip
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.typeshelper import Languages
from dedup_job import Answer, main


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:
    """Return one kept row per cluster; clusters are components of unverified collisions."""
    config = MinhashConfig(
        n_grams=5, num_buckets=given.bands, hashes_per_bucket=given.rows_per_band
    )
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        (folder / "in").mkdir()
        rows = (json.dumps({"id": str(row), "text": text}) for row, text in enumerate(texts))
        (folder / "in" / "rows.jsonl").write_text("\n".join(rows))
        signatures_s = run_stages(folder, config)
        kept = written(folder / "kept")
        removed = written(folder / "removed")
    keeper = {row["metadata"]["minhash_cluster_id"]: int(row["id"]) for row in kept}
    kept_by: list[int | None] = list(range(len(texts)))
    for row in removed:
        kept_by[int(row["id"])] = keeper[row["metadata"]["minhash_cluster_id"]]
    stays = {int(row["id"]) for row in kept}
    settings = f"MinhashConfig n_grams=5 {given.bands}x{given.rows_per_band}, four stages"
    return Answer([row in stays for row in range(len(texts))], kept_by, settings, signatures_s)


def run_stages(folder: Path, config: MinhashConfig) -> float:
    """Run all stages and return the seconds of the first."""

    def run(*steps: Any, tasks: int = 1) -> float:
        began = time.process_time()
        LocalPipelineExecutor(list(steps), tasks=tasks, workers=1).run()
        return time.process_time() - began

    def reader() -> JsonlReader:
        return JsonlReader(str(folder / "in"))

    signatures, buckets, clusters = (str(folder / n) for n in ("sig", "buckets", "clusters"))
    seconds = run(
        reader(),
        MinhashDedupSignature(output_folder=signatures, config=config, language=Languages.english),
    )
    run(
        MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config),
        tasks=config.num_buckets,
    )
    run(
        MinhashDedupCluster(
            input_folder=buckets, output_folder=clusters, config=config, save_cluster_id=True
        )
    )
    removed = JsonlWriter(str(folder / "removed"))
    run(
        reader(),
        MinhashDedupFilter(input_folder=clusters, exclusion_writer=removed, load_cluster_ids=True),
        JsonlWriter(str(folder / "kept")),
    )
    return seconds


def written(folder: Path) -> list[dict[str, Any]]:
    """Return the rows that a writer left in `folder`."""
    rows: list[dict[str, Any]] = []
    for file in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows


main(deduplicate)
