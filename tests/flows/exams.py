"""Lakes and benchmarks of a few real questions, and decontamination of them in this process."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.lake.lake import Lake
from sightline.schemas import IMAGES, SAMPLES, Contract
from tests.factories import commit
from tests.flows.site import Site
from tests.tasks.ingest.ingested import ingest

if TYPE_CHECKING:
    from flows.decontaminate import DecontaminateSummary


def decontaminate(
    site: Site,
    path: Path | None,
    *rules: str,
    lake: str = "lake",
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> "DecontaminateSummary":
    """Compare a lake of `site`, or at an address, with the benchmark at `path`, or all it knows."""
    from flows.benchmarks import Against
    from flows.decontaminate import decontaminate as flow

    uri = lake if "://" in lake else str(site.folder / lake)
    against = None if path is None else Against(str(path), **more)
    with site.surroundings(uri, {"pool": "local"} | dict(settings or {})):
        return flow(lake=uri, against=against, rules=list(rules))


def add(lake: Lake, folder: Path, dataset: str, n: int, part: int = 1) -> None:
    """Ingest rows `part * n - n ...` of a folder of real data as one part of a dataset."""
    rows = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    columns = {"question": "question", "answer": "answer", "image": "image"}
    options = {"path": str(folder / "samples.jsonl"), "images": str(folder), "columns": columns}
    found = ingest("table", options | {"limit": min(len(rows), part * n)})
    name = f"{dataset}-{part:08x}"
    shown = {image for row in _last(found.samples, n) for image in row["image_ids"]}
    images = [row for row in found.images.to_pylist() if row["image_id"] in shown]
    commit(lake, IMAGES, IMAGES.rows(images), part=name)
    commit(lake, SAMPLES, SAMPLES.rows(_last(found.samples, n)), part=name)


def _last(table: Any, n: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.slice(max(0, len(table) - n)).to_pylist()
    return rows


def exam_of(folder: Path, home: Path, n: int, *extra: str) -> Path:
    """Return a benchmark at `home`: the first rows of a folder with their pictures, and lines."""
    lines = (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()[:n]
    for line in lines:
        picture = home / json.loads(line)["image"]
        picture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / json.loads(line)["image"], picture)
    (home / "exam.jsonl").write_text("\n".join([*lines, *extra]), encoding="utf-8")
    return home / "exam.jsonl"


def files_of(lake: Lake, contract: Contract) -> dict[str, list[str]]:
    """Return the sha256 of every data file of a table, by part."""
    found: dict[str, list[str]] = {}
    for file in lake.snapshot(contract).files:
        data = lake.objects.get(f"{contract.path}/{file.path}")
        found.setdefault(file.part, []).append(hashlib.sha256(data).hexdigest())
    return {part: sorted(shas) for part, shas in sorted(found.items())}
