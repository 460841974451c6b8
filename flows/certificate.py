"""Collects what a certificate states from one state of the lake, and keeps it there.

Everything is read from the lake as it is: a benchmark that was compared before new parts came is
certified with those parts as open, and nothing is compared here.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flows.benchmarks import Stored, stored_benchmarks, targets
from flows.kept_certificates import keep, kept_certificate
from flows.lakes import open_lake_of
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.settings import Settings, load_settings
from sightline.errors import UsageError
from sightline.schemas import (
    BENCHMARKS,
    CONTAMINATION,
    DUPLICATES,
    GENERATIONS,
    IMAGES,
    RELEASES,
    SAMPLES,
    STEPS,
    VERDICTS,
)
from tasks.decontaminate.certificate import Certificate, parts_hash
from tasks.decontaminate.certificate_page import page
from tasks.decontaminate.rules import Rule
from tasks.decontaminate.targets import Kind
from tasks.decontaminate.work import BenchmarkWork

CURRENT: Final = "current"
CERTIFIED: Final = (
    SAMPLES, IMAGES, DUPLICATES, GENERATIONS, STEPS, VERDICTS, BENCHMARKS, CONTAMINATION,
)  # fmt: skip
"""Tables that decide what is released."""

DATASETS: Final = """
with shown as (
    select distinct dataset, unnest(image_ids) as image_id
    from samples
),

pictures as (
    select shown.dataset, count(*) as images
    from shown
    inner join images_meta on shown.image_id = images_meta.image_id
    group by shown.dataset
),

accepted as (
    select dataset, count(distinct sample_id) as accepted_samples
    from accepted_traces
    group by dataset
)

select
    samples.dataset,
    count(*) as samples,
    coalesce(any_value(pictures.images), 0) as images,
    coalesce(any_value(accepted.accepted_samples), 0) as accepted_samples
from samples
left join pictures on samples.dataset = pictures.dataset
left join accepted on samples.dataset = accepted.dataset
group by samples.dataset
order by samples.dataset
"""

OUTCOME: Final = """
with matched as (
    select sample_id, bool_or(decision = 'drop') as is_dropped
    from contamination_of_samples
    group by sample_id
),

accepted as (
    select distinct sample_id
    from accepted_traces
),

judged_right as (
    select distinct sample_id
    from chains
    where accepted
)

select
    (select count(*) from accepted) as accepted_samples,
    count(*) filter (where matched.is_dropped) as samples_dropped,
    count(*) filter (where not matched.is_dropped) as samples_under_review,
    count(judged_right.sample_id) filter (where matched.is_dropped) as accepted_but_dropped,
    count(accepted.sample_id) filter (where not matched.is_dropped) as accepted_under_review
from matched
left join accepted on matched.sample_id = accepted.sample_id
left join judged_right on matched.sample_id = judged_right.sample_id
"""

MATCHES: Final = """
select benchmark_id, rule, decision, count(*) as n
from contamination
group by benchmark_id, rule, decision
order by benchmark_id, rule, decision
"""


def certify(settings: Settings, release: str = CURRENT) -> Certificate:
    """Return the certificate of a release, kept in the lake as JSON and Markdown.

    Raises:
        UsageError: there is no such release.
    """
    lake = open_lake_of(settings)
    content = _content(lake, release)
    versions = {c.name: lake.snapshot(c).version for c in CERTIFIED}
    certificate = Certificate(content, {"lake": lake.uri, "versions": versions})
    keep(lake, certificate)
    return certificate


def write_certificate(
    lake: str | None, release: str, out: Path | None, sha: str | None = None
) -> str:
    """Return a certificate as text: Markdown, or what was written where.

    Args:
        lake: the settings' lake if null.
        release: that is certified as it is now.
        out: file to write.
        sha: start of the hash of a certificate that the lake keeps, which is shown instead.

    Raises:
        UsageError: there is no such release or certificate, or the file has another ending.
    """
    settings = load_settings(lake=lake)
    if sha is None:
        certificate = certify(settings, release)
    else:
        certificate = kept_certificate(open_lake_of(settings), sha)
    if out is None:
        return page(certificate)
    writers: dict[str, Callable[[Certificate], str]] = {".json": Certificate.to_json, ".md": page}
    if out.suffix not in writers:
        msg = f"expected a file that ends in {' or '.join(writers)}, found {str(out)!r}"
        raise UsageError(msg)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(writers[out.suffix](certificate), encoding="utf-8", errors="backslashreplace")
    return f"{out}: sha256 {certificate.sha256}"


def _content(lake: Lake, release: str) -> dict[str, Any]:
    with Catalog(lake) as catalog:
        released = _release(catalog, release)
        datasets = catalog.query(DATASETS).to_pylist()
        (outcome,) = catalog.query(OUTCOME).to_pylist()
        matches = catalog.query(MATCHES).to_pylist()
    benchmarks = [_benchmark(stored, matches) for stored in stored_benchmarks(lake)]
    tables = {c.name: [(p.part, p.fingerprint, p.rows) for p in lake.parts(c)] for c in CERTIFIED}
    return {
        "release": release,
        "released": released,
        "tables": {
            name: {
                "rows": sum(rows for _, _, rows in parts),
                "parts": len(parts),
                "content": parts_hash(parts),
            }
            for name, parts in tables.items()
        },
        "datasets": datasets,
        "benchmarks": benchmarks,
        "outcome": outcome,
        "is_complete": bool(benchmarks) and not any(b["open"] for b in benchmarks),
    }


def _release(catalog: Catalog, release: str) -> dict[str, Any] | None:
    """Return what the lake says of a named release; null for its current state."""
    if release == CURRENT:
        return None
    columns = ", ".join(RELEASES.payload.names)
    rows = catalog.query(f"select {columns} from releases order by name, release_id").to_pylist()  # noqa: S608 - the names come from the contract
    found = [row for row in rows if row["name"] == release]
    if not found:
        names = sorted({CURRENT, *(row["name"] for row in rows)})
        msg = f"no release is called {release!r}; there are {', '.join(names)}"
        raise UsageError(msg)
    named: dict[str, Any] = found[-1]
    return named


def _benchmark(stored: Stored, matches: list[dict[str, Any]]) -> dict[str, Any]:
    work = stored.work
    own = [row for row in matches if row["benchmark_id"] == work.name.benchmark_id]
    compared, still_open = _compared(work)
    return {
        "benchmark_id": work.name.benchmark_id,
        "name": work.name.name,
        "version": work.name.version,
        "content_sha": work.name.content_sha,
        "items": stored.n_items,
        "texts": stored.n_texts,
        "images": stored.n_images,
        "rules": {
            rule.value: {
                "decision": setting.decision.value,
                "value": setting.value,
                "matches": sum(row["n"] for row in own if row["rule"] == rule.value),
                "by_decision": {
                    row["decision"]: row["n"] for row in own if row["rule"] == rule.value
                },
            }
            for rule, setting in sorted(work.book.settings.items())
        },
        "rules_not_applied": sorted(set(Rule) - set(work.book.settings)),
        "template_share": work.book.template_share,
        "template_items": work.book.template_items,
        "is_own": work.is_own,
        "compared": compared,
        "open": still_open,
        **stored.said,
    }


def _compared(work: BenchmarkWork) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Return what was counted per kind of part, and the parts that were not compared."""
    counts: dict[str, Counter[str]] = {kind.value: Counter() for kind in Kind}
    still_open: list[str] = []
    for target in targets(work.lake, is_own=work.is_own):
        counted = work.counted(target)
        if counted is None:
            still_open.append(f"{target.kind.value}/{target.part}")
        else:
            counts[target.kind.value].update(counted)
    return {kind: dict(sorted(found.items())) for kind, found in counts.items()}, still_open
