"""The page of a depth audit: one HTML file without script, network or server, and its JSON.

Names of models, folders and pictures come from outside and are escaped; a content security policy
in the page refuses scripts and requests all the same.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from jinja2 import Environment

from infra.html import page_environment
from tasks.depth_audit.charts import Chart, Line, chart
from tasks.depth_audit.report_data import AuditData, Model, NoiseResult, Row

NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class NoiseSection:
    """One model under noise, drawn."""

    result: NoiseResult
    by_noise: Chart | None
    by_kept: Chart | None


def figures(data: AuditData) -> str:
    """Return every figure of the page as JSON; equal data gives equal text."""
    return json.dumps(asdict(data), indent=1, sort_keys=True) + "\n"


def render_audit(data: AuditData) -> str:
    """Return the page as HTML text; equal data gives equal text."""
    return (
        _environment()
        .get_template("depth_audit.html.j2")
        .render(
            data=data,
            noise=[_noise_section(result) for result in data.noise],
            by_ratio=_by_ratio(data),
            by_margin=_by_margin(data),
            summary=_summary(data),
        )
    )


def _noise_section(result: NoiseResult) -> NoiseSection:
    bins = sorted({(row["margin_over"], row["margin_up_to"]) for row in result.flips})
    by_noise = [
        Line(f"margin {low:g} to {high:g}", _points(rows, "noise_sd", "flipped"))
        for low, high in bins
        if (rows := _decided(result.flips, low))
    ]
    levels = sorted({row["noise_sd"] for row in result.trust})
    by_kept = [
        Line(
            f"noise {level:g}",
            _points((r for r in result.trust if r["noise_sd"] == level), "kept", "expected_error"),
        )
        for level in levels
    ]
    size = "noise, standard deviation in nearness"
    return NoiseSection(
        result,
        chart("Decided relations that turn", (size, "turned, %"), by_noise),
        chart("What a stricter margin buys", ("kept, % of pairs", "turned, %"), by_kept),
    )


def _decided(rows: Iterable[Row], low: float) -> list[Row]:
    return [row for row in rows if row["margin_over"] == low and row["pairs"] == "decided"]


def _points(rows: Iterable[Row], x: str, y: str) -> tuple[tuple[float, float], ...]:
    """Return points in percent but for noise, which is in nearness; sorted by x."""
    factor = 1 if x == "noise_sd" else 100
    return tuple(sorted((factor * row[x], 100 * row[y]) for row in rows if row[y] is not None))


def _by_ratio(data: AuditData) -> Chart | None:
    """Return point order over the ratio of depths, per model and folder; notes count in."""
    wanted = [r for r in data.quality if r["measure"] == "point_order" and r["note"] is None]
    lines = [
        Line(
            f"{name}, {benchmark}",
            tuple((r["bin_low"], 100 * r["mean"]) for r in rows if r["bin_low"] and r["mean"]),
        )
        for (name, benchmark), rows in _series(wanted).items()
    ]
    axes = ("ratio of the depths of two points, from", "in right order, %")
    return chart("Random pairs of points in right order", axes, lines, (40, 100), x_from=1)


def _by_margin(data: AuditData) -> Chart | None:
    lines = [
        Line(
            f"{name}, {benchmark}",
            tuple((r["margin_over"] or 0.0, 100 * r["agreement"]) for r in rows),
        )
        for (name, benchmark), rows in _series(data.human).items()
    ]
    axes = ("least margin of the map, in nearness", "agrees with people, %")
    return chart("Agreement with people by margin", axes, lines, (0, 100))


def _series(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        model = Model(row["model"], row["weights_sha"], row["preproc_id"])
        grouped.setdefault((model.name, row["benchmark"]), []).append(row)
    return grouped


def _summary(data: AuditData) -> list[Row]:
    """Return a row per folder and model: the mean of each measure over its pictures."""
    lines: dict[tuple[str, str], Row] = {}
    for row in data.quality:
        if row["bin_low"] is not None or row["note"] is not None:
            continue
        name = Model(row["model"], row["weights_sha"], row["preproc_id"]).name
        line = lines.setdefault((row["benchmark"], name), {})
        measure = row["measure"] + (f"_{row['pairs']}" if row["pairs"] else "")
        line[measure] = row["mean"]
        line["n_items"] = max(row["n_items"], line.get("n_items", 0))
    return [{"benchmark": b, "name": name, **line} for (b, name), line in lines.items()]


@cache
def _environment() -> Environment:
    filters = {"percent": _percent, "real": _real, "count": _count}
    return page_environment("tasks.depth_audit", filters)


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f} %"


def _real(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


SHOWN_FAILURES = 3
CAVEAT = (
    "The embedded network is tiny and has seen rendered scenes only: its figures on photographs "
    "show that the audit works and say nothing of real weights."
)


def text_summary(data: AuditData) -> Sequence[str]:
    """Return the summary for people, a line each."""
    lines = [CAVEAT] if any(model.is_embedded for model in data.models) else []
    for result in data.noise:
        least = min((row["margin_over"] for row in result.trust), default=0.0)
        rows = [row for row in result.trust if row["margin_over"] == least]
        said = ", ".join(f"{r['noise_sd']:g}: {100 * r['expected_error']:.2f} %" for r in rows)
        kept = f"{100 * rows[0]['kept']:.1f} % of pairs are decided; " if rows else ""
        lines.append(f"{result.model.name}: {kept}turned by noise of {said or 'any size: none'}")
    for row in data.human:
        if row["margin_over"] is None:
            name = Model(row["model"], row["weights_sha"], row["preproc_id"]).name
            lines.append(
                f"{name}, {row['benchmark']}: agrees with people on {100 * row['agreement']:.1f} % "
                f"of {row['n']} ({100 * row['low']:.1f} to {100 * row['high']:.1f} %)"
            )
    for each in data.expectations:
        said = (
            "is beyond the sweep"
            if each.flipped is None
            else f"turns {100 * each.flipped:.2f} % of decided relations"
        )
        lines.append(
            f"{each.model.name}: medians err by {each.object_error:.3f} on {each.benchmark}; "
            f"noise of that size {said}"
        )
    shown = [f"not used: {row['item_id']}: {row['detail']}" for row in data.failures]
    more = len(shown) - SHOWN_FAILURES
    return [*lines, *shown[:SHOWN_FAILURES], *([f"and {more} more rows"] if more > 0 else [])]
