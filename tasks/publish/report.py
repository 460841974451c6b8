"""The report page: one HTML file that needs no network, no script and no server.

All text comes from datasets and teachers and is hostile until escaped: autoescape is on for every
template, control characters are replaced, and a content security policy in the page refuses
scripts and requests even if a template were wrong.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tasks.publish.report_data import ReportData

NONE = "\N{EN DASH}"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def render_report(data: ReportData) -> str:
    """Return the page as HTML text; equal data gives equal text."""
    return _environment().get_template("report.html.j2").render(data=data)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.publish", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters |= {
        "count": _count,
        "percent": _percent,
        "bounded": _bounded,
        "usd": _usd,
        "real": _real,
        "moment": _moment,
        "box": _box,
    }
    return environment


def _plain(value: Any) -> Any:
    """Return text without control characters, which HTML has no place for."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


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
