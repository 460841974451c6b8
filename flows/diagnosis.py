"""`sightline doctor`: is this machine ready, and if not, what is to be done.

Every check answers within seconds, changes nothing but a probe object in the lake, and never
prints a secret.
"""

import importlib.metadata
import importlib.util
import platform
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.checkpoints import resolve
from infra.lake.lake import Lake
from infra.prefect_api.server import is_healthy
from infra.settings import Settings, load_settings
from infra.teacher.endpoints import Endpoint
from sightline.errors import SightlineError
from sightline.reader import has_httpfs
from sightline.schemas import CONTRACTS

PACKAGES = ("prefect", "ray", "pyarrow", "duckdb", "deltalake", "openai", "torch", "transformers")
PROBE = "doctor/probe"
TIMEOUT_S = 5.0
NEEDED_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; fatal if a build cannot work because of it."""

    subject: str
    is_good: bool
    detail: str
    is_needed: bool = True

    @property
    def is_fatal(self) -> bool:
        """Whether a build would fail."""
        return self.is_needed and not self.is_good

    def line(self) -> str:
        """Return the finding as a line of text."""
        mark = "ok  " if self.is_good else ("FAIL" if self.is_needed else "note")
        return f"{mark} {self.subject}: {self.detail}"


def diagnose(lake: str | None) -> list[Finding]:
    """Return what was found, in the order a build needs it.

    Raises:
        UsageError: a setting is not usable.
    """
    settings = load_settings(lake=lake)
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _weights,
        _lake,
        _queries,
        _prefect,
        _workers,
        _teacher,
    )
    return [finding for check in checks for finding in check(settings)]


def _python(_settings: Settings) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= NEEDED_PYTHON, platform.python_version())


def _packages(_settings: Settings) -> Iterator[Finding]:
    for name in PACKAGES:
        found = importlib.util.find_spec(name) is not None
        detail = importlib.metadata.version(name) if found else "not installed; run make setup"
        yield Finding(name, found, detail)


def _weights(_settings: Settings) -> Iterator[Finding]:
    for family in ("depth", "segment"):
        try:
            checkpoint = resolve(f"embedded:{family}")
        except SightlineError as exc:
            yield Finding(f"embedded {family} network", is_good=False, detail=str(exc))
        else:
            detail = f"sha256 {checkpoint.weights_sha[:12]}, {checkpoint.licence}"
            yield Finding(f"embedded {family} network", is_good=True, detail=detail)


def _lake(settings: Settings) -> Iterator[Finding]:
    try:
        lake = Lake(settings.lake, settings.storage)
        lake.objects.put(PROBE, b"probe")
        lake.objects.delete(PROBE)
        rows = {name: sum(p.rows for p in lake.parts(c)) for name, c in CONTRACTS.items()}
    except (SightlineError, OSError) as exc:
        yield Finding("lake", is_good=False, detail=f"{settings.lake}: {exc}")
        return
    filled = ", ".join(f"{name} {count}" for name, count in rows.items() if count)
    yield Finding("lake", is_good=True, detail=f"{settings.lake}: {filled or 'empty'}")


def _queries(_settings: Settings) -> Iterator[Finding]:
    found = has_httpfs()
    detail = "httpfs" if found else "no httpfs; queries on S3 go through pyarrow"
    yield Finding("sql on s3", found, detail, is_needed=False)


def _prefect(settings: Settings) -> Iterator[Finding]:
    url = settings.prefect_api_url
    if url is None:
        yield Finding("prefect api", is_good=True, detail="a local server is started per build")
        return
    healthy = is_healthy(url)
    detail = url if healthy else f"{url} does not answer; start it or unset PREFECT_API_URL"
    yield Finding("prefect api", healthy, detail)


def _workers(settings: Settings) -> Iterator[Finding]:
    place = settings.ray_address or f"a {settings.pool} pool on this machine"
    detail = (
        f"{place}: {settings.workers} per model, {settings.num_cpus:g} cores and "
        f"{settings.num_gpus:g} GPUs each"
    )
    yield Finding("workers", is_good=True, detail=detail)


def _teacher(settings: Settings) -> Iterator[Finding]:
    if settings.endpoints_file is None and settings.teacher_base_url is None:
        detail = "none set: recipes that name the embedded teacher start it"
        yield Finding("teacher", is_good=True, detail=detail, is_needed=False)
        return
    for endpoint in settings.endpoints:
        subject = "teacher" if settings.endpoints_file is None else f"teacher {endpoint.name}"
        is_good, detail = _reach(endpoint)
        yield Finding(subject, is_good, detail)


def _reach(endpoint: Endpoint) -> tuple[bool, str]:
    """Return whether an endpoint can be used, and what it says."""
    if not endpoint.base_url:
        return True, "is started by the builds that ask for its models"
    request = urllib.request.Request(f"{endpoint.base_url.rstrip('/')}/models")  # noqa: S310 - http(s), checked
    if endpoint.api_key is not None:
        request.add_header("Authorization", f"Bearer {endpoint.api_key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return True, "answers and takes the key"
    except urllib.error.HTTPError as exc:
        return False, f"answers with status {exc.code}"
    except OSError:
        return False, "does not answer; check the address"
