"""SIGKILL in the middle of a comparison, in a folder and in a bucket: tables as if nothing was."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.certificate import certify
from flows.forgetting import forget_benchmark
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from infra.settings import load_settings
from sightline.schemas import BENCHMARKS, CONTAMINATION, FAILURES, IMAGE_KEYS
from tests.flows.exams import add, decontaminate, exam_of, files_of
from tests.flows.processes import processes_of, wait_until
from tests.flows.site import Site
from tests.flows.tables import table_rows

pytestmark = [pytest.mark.server, pytest.mark.slow]

PARTS, ROWS = 4, 3
WRITTEN = (BENCHMARKS, CONTAMINATION, FAILURES, IMAGE_KEYS)


@dataclass(frozen=True)
class Place:
    """A lake and the settings that reach it."""

    lake: Lake
    settings: Mapping[str, Any]


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, site: Site) -> Place:
    if request.param == "local":
        return Place(Lake(site.folder / "killed", StorageOptions()), {})
    lake: Lake = request.getfixturevalue("s3_lake")
    storage = lake.storage
    return Place(
        lake,
        {
            "s3_endpoint_url": storage.endpoint_url,
            "s3_region": storage.region,
            "s3_access_key": storage.access_key,
            "s3_secret_key": storage.secret_key,
        },
    )


def filled(lake: Lake, data: Path) -> Lake:
    for part in range(1, PARTS + 1):
        add(lake, data / "mathvision", "mathvision", ROWS, part)
    return lake


@pytest.fixture(scope="module")
def exam(shared_site: Site, real_data: Path) -> Path:
    extra = ["{broken", '{"id": "out", "question": "q", "image": "../secret.png"}']
    return exam_of(real_data / "mathvision", shared_site.folder / "exam", PARTS * ROWS, *extra)


@pytest.fixture(scope="module")
def undisturbed(shared_site: Site, real_data: Path, exam: Path) -> tuple[Lake, str]:
    """A lake that was compared in one go, and its certificate."""
    lake = filled(shared_site.lake(), real_data)
    return lake, decontaminate(shared_site, exam, name="exam", version="v1").certificate


def test_comparison_killed_and_resumed_gives_the_same_bytes_and_forgets_all(
    site: Site, place: Place, undisturbed: tuple[Lake, str], exam: Path, real_data: Path
):
    lake, (expected, certificate) = filled(place.lake, real_data), undisturbed
    arguments = ["--against", str(exam), "--name", "exam", "--version", "v1", "--lake", lake.uri]
    settings = {"pool": "local", "max_parts_in_flight": 1, **place.settings}
    process = site.start("decontaminate", *arguments, **settings)
    assert wait_until(lambda: len(lake.parts(CONTAMINATION)) >= PARTS // 2, 100)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    done = {part.part for part in lake.parts(CONTAMINATION)}
    assert 0 < len(done) < len(expected.parts(CONTAMINATION))

    again = site.command("decontaminate", "--lake", lake.uri, **settings)
    assert again.returncode == 0, again.stderr[-3000:]
    summary = next(line for line in again.stdout.splitlines() if line.startswith("1 benchmark: "))
    compared, reused = [int(word) for word in summary.split() if word.isdigit()][1:3]
    assert reused >= len(done)
    assert compared + reused == 2 * PARTS
    assert f"Certificate: sha256 {certificate}" in again.stdout
    for contract in WRITTEN:
        assert table_rows(lake, contract.name) == table_rows(expected, contract.name)
        assert files_of(lake, contract) == files_of(expected, contract)
    assert wait_until(lambda: not processes_of(site.folder), 60), processes_of(site.folder)

    with site.surroundings(lake.uri, place.settings):
        forget_benchmark("exam", lake.uri)
        assert certify(load_settings(lake=lake.uri)).content["benchmarks"] == []
    assert lake.read(CONTAMINATION).num_rows == lake.read(BENCHMARKS).num_rows == 0
    assert list(lake.objects.list("benchmarks/")) == []
