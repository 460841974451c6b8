"""The data card of an export: what it holds, who wrote it, and what its licences allow.

Licences are free text of the sources.  The verdict errs on the strict side: what is not clearly
open counts as restricted or unknown, and one such row decides for the whole export.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NOT_STATED: Final = "not stated"
RESTRICTED: Final = re.compile(
    r"\bnc\b|-nc-|non-?\s?commercial|research|education|academic|evaluation only|personal use",
    re.IGNORECASE,
)
OPEN: Final = re.compile(
    r"\b(cc[- ]?0|cc[- ]by|apache|mit|bsd|public domain|odc|pddl|isc|unlicense)\b", re.IGNORECASE
)


class LicenceVerdict(StrEnum):
    """What the licences of all rows allow together."""

    OPEN = "open"
    NON_COMMERCIAL = "non_commercial"
    UNKNOWN = "unknown"


VERDICT_TEXTS: Final = {
    LicenceVerdict.OPEN: "All stated licences are open; their conditions (such as attribution) "
    "still hold.",
    LicenceVerdict.NON_COMMERCIAL: "Some rows are limited to non-commercial or research use, so "
    "the whole export is.",
    LicenceVerdict.UNKNOWN: "Some rows state no licence, or one that is not known here: find out "
    "before you use or publish the export.",
}

FORM_TEXTS: Final = {
    "visreason": "`visreason.jsonl`: one JSON object per trace. `rounds` holds `View`, "
    "`Description`, `RoI` and `Reasoning` of every look, the last of which is answered; `RoI` is "
    "[x0, y0, x1, y1] in fractions (0..1) of that round's view, `View` in fractions of the "
    "original image.",
    "llava": "`llava.jsonl`: one JSON object per trace with `id`, `image` (a file name, or a list "
    "for several looks) and `conversations`. Every `<image>` stands for one image, in order; "
    "`<|image_zoomin|>` opens the crop of the region that was asked for between `<|box_start|>` "
    "and `<|box_end|>`, in fractions (0..1) of the view before.",
    "parquet": "`traces.parquet`: the view `accepted_traces`; `image_id` and `view_image_id` name "
    "the files in `images/`. `roi` is in fractions (0..1) of its view, `roi_original` and "
    "`view_box` of the original image.",
}

HOW_MADE: Final = (
    "Exported by Sightline from its view `accepted_traces`: samples that deduplication kept, whose "
    "chain has an answer that was judged right and failed none of the deciding rules. Regions were "
    "enlarged until they hold the ground truth. Rows are sorted by id; the same lake gives the "
    "same bytes."
)


@dataclass(frozen=True, slots=True)
class Licences:
    """Rows by licence as the sources state it, most frequent first, and the verdict."""

    rows: tuple[tuple[str, int], ...]
    verdict: LicenceVerdict


def licences_of(stated: Iterable[str | None]) -> Licences:
    """Return the licences of some rows and what they allow together."""
    counts = Counter(licence or NOT_STATED for licence in stated)
    rows = tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    kinds = {verdict_on(licence) for licence in counts}
    for worst in (LicenceVerdict.UNKNOWN, LicenceVerdict.NON_COMMERCIAL):
        if worst in kinds:
            return Licences(rows, worst)
    return Licences(rows, LicenceVerdict.OPEN)


def verdict_on(licence: str) -> LicenceVerdict:
    """Return what one licence text allows; restrictions win over openness in the same text."""
    if licence != NOT_STATED and RESTRICTED.search(licence):
        return LicenceVerdict.NON_COMMERCIAL
    return LicenceVerdict.OPEN if OPEN.search(licence) else LicenceVerdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card states."""

    form: str
    n_rows: int
    n_images: int
    datasets: Sequence[str]
    teachers: Sequence[str]
    embedded_teachers: frozenset[str]
    licences: Licences


def card_text(facts: CardFacts) -> str:
    """Return the Markdown of the card."""
    counts = f"{facts.n_rows} traces on {facts.n_images} images (originals and crops), "
    lines = [
        "# Visual reasoning traces",
        "",
        f"{counts}from {_listed(facts.datasets)}.",
        "",
        "## Files",
        "",
        f"- {FORM_TEXTS[facts.form]}",
        "- `images/<sha256>.<ext>`: the images, named by the sha256 of their bytes.",
        "- `manifest.json`: every file with its sha256, and the counts.",
        "",
        "## Who wrote the reasoning",
        "",
        *[_teacher(name, name in facts.embedded_teachers) for name in facts.teachers],
        "",
        "## Licences",
        "",
        f"Verdict: **{facts.licences.verdict}**. {VERDICT_TEXTS[facts.licences.verdict]}",
        "",
        *[f"- {_line(licence)}: {n} rows" for licence, n in facts.licences.rows],
        "",
        "## How it was made",
        "",
        HOW_MADE,
        "",
    ]
    return "\n".join(lines)


def _teacher(name: str, is_embedded: bool) -> str:  # noqa: FBT001 - one private caller
    note = ": embedded template teacher: demo data, not a real model's reasoning"
    return f"- {_line(name)}{note if is_embedded else ''}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_line(name) for name in names) or "no dataset"


def _line(text: str) -> str:
    """Return source text as one line that Markdown does not take for markup or HTML."""
    plain = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", plain)
