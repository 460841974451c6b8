"""Commands on the ledger: what was spent, one call in full, rows out and in, fewer parts.

Spend and single calls are read by SQL from one snapshot.  Whatever writes opens the ledger as a
build does, so that orphaned responses are committed first and nothing is imported twice.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from flows.inspection import text_table
from flows.lakes import ledger_lake_of, open_ledger_of
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.ledger.compaction import compact_ledger
from infra.ledger.ledger import Ledger
from infra.ledger_io.importing import ImportJob, import_responses, source_named
from infra.ledger_io.rows_file import export_rows
from infra.settings import Settings, load_settings
from infra.teacher.prices import Prices
from sightline.errors import UsageError

DIMENSIONS: Final = ("recipe", "step", "teacher", "day", "outcome", "channel")
MIN_KEY_CHARS: Final = 6
SHOWN_CALLS: Final = 2

SPEND: Final = """
select
    {columns}
    sum(n_calls)::bigint as n_calls,
    sum(tokens_in)::bigint as tokens_in,
    sum(tokens_out)::bigint as tokens_out,
    round(sum(cost_usd), 4) as cost_usd,
    sum(n_calls_unpriced)::bigint as n_calls_unpriced
from spend
where $since is null or day >= $since::date
{grouping}
order by {order}
"""

CALL: Final = """
select *
from ledger
where starts_with(request_key, $key)
order by request_key, draw, received_at
limit 1000
"""


def spend_table(lake: str | None, by: str, since: str | None) -> str:
    """Return what was spent as a text table.

    Args:
        lake: of the ledger; the settings' lake if null.
        by: words of `DIMENSIONS`, separated by commas; empty for one sum.
        since: first day, `YYYY-MM-DD` in UTC.

    Raises:
        UsageError: a word or the day is not of its kind.
    """
    words = _dimensions(by)
    columns = "".join(f"{word}, " for word in words)
    statement = SPEND.format(
        columns=columns,
        grouping=f"group by {', '.join(words)}" if words else "",
        order=", ".join(words) or "n_calls",
    )
    with Catalog(_ledger_lake(lake)) as catalog:
        return text_table(catalog.query(statement, {"since": _day(since)}))


def show_call(lake: str | None, key: str) -> str:
    """Return a call, request and response included, as JSON.

    Args:
        lake: of the ledger.
        key: the beginning of a request_key.

    Raises:
        UsageError: no call has such a key, or several have.
    """
    if len(key) < MIN_KEY_CHARS:
        msg = f"expected at least {MIN_KEY_CHARS} characters of a request_key, found {key!r}"
        raise UsageError(msg)
    with Catalog(_ledger_lake(lake)) as catalog:
        rows = catalog.query(CALL, {"key": key}).to_pylist()
    keys = sorted({row["request_key"] for row in rows})
    if len(keys) != 1:
        found = "none" if not keys else f"{len(keys)}, such as {', '.join(keys[:SHOWN_CALLS])}"
        msg = f"expected one call whose request_key begins with {key!r}, found {found}"
        raise UsageError(msg)
    shown = [_readable(row) for row in rows]
    return json.dumps(shown, ensure_ascii=False, indent=2, default=str)


def export_ledger(lake: str | None, out: Path, form: str, teacher: str | None) -> str:
    """Write the committed calls to a file and return a line about it."""
    count = export_rows(_ledger_lake(lake), out, form, teacher)
    return f"{count} calls written to {out}"


def import_ledger(lake: str | None, job: ImportJob) -> str:
    """Take responses that were paid elsewhere into the ledger; return what became of them.

    Raises:
        UsageError: the file is not what the job says.
    """
    settings = load_settings(lake=lake)
    with _opened(settings) as ledger:
        done = import_responses(ledger, job, Prices.load(settings.prices_file))
    lines = [f"{done.found} responses found, {done.new} of them new"]
    lines += [f"  {count} left out: {reason}" for reason, count in sorted(done.left_out.items())]
    return "\n".join(lines)


def job_of(path: Path, source: str, requests: Path | None, teacher: str | None) -> ImportJob:
    """Return the import that the command line asks for.

    Raises:
        UsageError: there is no such format.
    """
    return ImportJob(path, source_named(source), requests, teacher)


def compact(lake: str | None) -> str:
    """Join the small parts of the ledger and return a line about it."""
    settings = load_settings(lake=lake)
    with _opened(settings) as ledger:
        done = compact_ledger(ledger.lake)
    return f"{done.parts_before} parts became {done.parts_after}; {done.rows} rows written again"


def _opened(settings: Settings) -> Ledger:
    return open_ledger_of(settings, Lake(settings.lake, settings.storage))


def _ledger_lake(lake: str | None) -> Lake:
    return ledger_lake_of(load_settings(lake=lake))


def _dimensions(by: str) -> Sequence[str]:
    words = [word.strip() for word in by.split(",") if word.strip()]
    unknown = [word for word in words if word not in DIMENSIONS]
    if unknown:
        msg = f"--by takes {', '.join(DIMENSIONS)}, found {unknown[0]!r}"
        raise UsageError(msg)
    return list(dict.fromkeys(words))


def _day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as exc:
        msg = f"--since takes a day as YYYY-MM-DD, found {text!r}"
        raise UsageError(msg) from exc


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its request and response as JSON values, not as text."""
    return dict(row) | {
        "request_json": json.loads(row["request_json"]),
        "response_json": _value(row["response_json"]),
    }


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
