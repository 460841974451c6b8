"""The report page: one HTML file that needs no network, no script and no server.

All text comes from datasets and teachers and is hostile until escaped: autoescape is on for every
template, control characters are replaced, and a content security policy in the page refuses
scripts and requests even if a template were wrong.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment

from infra.html import page_environment
from tasks.publish.report_data import ReportData

NONE = "\N{EN DASH}"


def render_report(data: ReportData) -> str:
    """Return the page as HTML text; equal data gives equal text."""
    return _environment().get_template("report.html.j2").render(data=data)


@cache
def _environment() -> Environment:
    filters: dict[str, Callable[..., Any]] = {
        "count": _count,
        "percent": _percent,
        "bounded": _bounded,
        "usd": _usd,
        "real": _real,
        "moment": _moment,
        "box": _box,
    }
    return page_environment("tasks.publish", filters)


def _count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} %"


def _bounded(value: float | None) -> float:
    return min(max(value or 0.0, 0.0), 100.0)


def _usd(value: float | None) -> str:
    if value is None:
        return "no price listed"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.6f}".rstrip("0")


def _real(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}"


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _box(value: Sequence[float] | None) -> str:
    return NONE if value is None else f"[{', '.join(f'{side:.3f}' for side in value)}]"
