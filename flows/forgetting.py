"""`sightline decontaminate --forget`: takes a benchmark, usually an old version, out of a lake.

Its matches go in one transaction, then what is kept of its texts and pictures, and the row that
names it last: until then it is known, and a second call finishes what a kill cut off.  Certificates
that named it stay as they are; beside what they certify they say which benchmarks are gone.
"""

import json
from collections.abc import Container
from typing import Final

from flows.benchmarks import Stored, stored_benchmarks, targets
from flows.kept_certificates import keep, kept_keys, noted
from flows.lakes import open_lake_of
from infra.lake.lake import Lake
from infra.settings import load_settings
from sightline.errors import UsageError
from sightline.schemas import BENCHMARKS, CONTAMINATION, FAILURES, RUNS
from tasks.decontaminate.work import COMPARE, READ

AT: Final = "@"


def forget_benchmark(text: str, lake: str | None) -> str:
    """Remove the benchmark `NAME` or `NAME@VERSION` and return what was done, for people.

    Raises:
        UsageError: the lake knows no such benchmark, or several versions of it.
    """
    opened = open_lake_of(load_settings(lake=lake))
    known = stored_benchmarks(opened)
    ids = {stored.work.name.benchmark_id for stored in known}
    _annotate(opened, ids)
    stored = _named(known, text)
    name = stored.work.name
    n_matches = _remove(opened, stored)
    n_noted = _annotate(opened, ids - {name.benchmark_id})
    return (
        f"Forgotten: {name.name} {name.version}, {stored.n_items} items, {n_matches} matches. "
        f"Certificates that say so: {n_noted}.\n"
        "Old files of the tables go with `sightline maintain`."
    )


def _named(known: list[Stored], text: str) -> Stored:
    """Return the one benchmark that `text` names."""
    listed = {f"{s.work.name.name}{AT}{s.work.name.version}": s for s in known}
    found = [s for s in known if text == s.work.name.name]
    found = found or [s for label, s in listed.items() if label == text]
    if len(found) == 1:
        return found[0]
    said = "several versions" if found else "no such benchmark"
    names = ", ".join(sorted(listed)) or "none"
    msg = f"expected the name of one benchmark, found {said} for {text!r}; the lake knows: {names}"
    raise UsageError(msg)


def _remove(lake: Lake, stored: Stored) -> int:
    """Remove all that the lake holds of a benchmark; return how many matches there were."""
    work = stored.work
    filled = {
        p.part: p.rows for p in lake.parts(CONTAMINATION) if p.part.startswith(f"{work.part}.")
    }
    parts = {*filled, *(work.part_of(target) for target in targets(lake, is_own=work.is_own))}
    lake.drop(CONTAMINATION, *sorted(parts))
    written = [f"{COMPARE.name}.{part}" for part in sorted(parts)] + [f"{READ.name}.{work.part}"]
    for table in (FAILURES, RUNS):
        lake.drop(table, *written)
    for key in work.objects():
        lake.objects.delete(key)
    lake.drop(BENCHMARKS, work.part)
    return sum(filled.values())


def _annotate(lake: Lake, known: Container[str]) -> int:
    """Let kept certificates name the benchmarks that are gone; return how many name one."""
    n_noted = 0
    for key in kept_keys(lake):
        whole = json.loads(lake.objects.get(key))
        certificate = noted(whole, known)
        n_noted += bool(certificate.beside["forgotten"])
        if certificate.beside["forgotten"] != whole["beside"].get("forgotten", []):
            keep(lake, certificate)
    return n_noted
