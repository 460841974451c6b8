"""Certificates in a lake: kept by their hash, found again, told of benchmarks that are gone."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Final

from flows.benchmarks import stored_benchmarks
from infra.lake.lake import Lake
from sightline.errors import UsageError
from tasks.decontaminate.certificate import Certificate
from tasks.decontaminate.certificate_page import page

CERTIFICATES: Final = "certificates"
"""Folder of the lake that holds certificates, by their hash."""
SHOWN_SHA: Final = 16


def keep(lake: Lake, certificate: Certificate) -> None:
    """Store a certificate in the lake, as JSON and Markdown named by its hash."""
    for suffix, text in ((".json", certificate.to_json()), (".md", page(certificate))):
        key = f"{CERTIFICATES}/{certificate.sha256}{suffix}"
        lake.objects.put(key, text.encode("utf-8", "backslashreplace"))


def kept_keys(lake: Lake) -> list[str]:
    """Return the objects that hold certificates as JSON."""
    return [f.key for f in lake.objects.list(f"{CERTIFICATES}/") if f.key.endswith(".json")]


def kept_certificate(lake: Lake, sha: str) -> Certificate:
    """Return the certificate in the lake whose hash starts with `sha`; it names what is forgotten.

    Raises:
        UsageError: none does, or several do.
    """
    stored = kept_keys(lake)
    found = [key for key in stored if key.startswith(f"{CERTIFICATES}/{sha}")]
    if len(found) != 1:
        names = [Path(key).stem[:SHOWN_SHA] for key in stored]
        msg = f"expected the start of one certificate's sha256, found {sha!r}; there are: "
        raise UsageError(msg + (", ".join(names) or "none"))
    return noted(
        json.loads(lake.objects.get(found[0])),
        {stored.work.name.benchmark_id for stored in stored_benchmarks(lake)},
    )


def noted(whole: Mapping[str, Any], known: Container[str]) -> Certificate:
    """Return a kept certificate, beside it the benchmarks that the lake has forgotten since.

    Args:
        whole: its JSON.
        known: ids of the benchmarks that the lake knows.
    """
    forgotten = [
        {name: benchmark[name] for name in ("name", "version", "benchmark_id")}
        for benchmark in whole["content"]["benchmarks"]
        if benchmark["benchmark_id"] not in known
    ]
    return Certificate(whole["content"], whole["beside"] | {"forgotten": forgotten})
