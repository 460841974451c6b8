"""Objects that a rationale cites as `name ([x0, y0, x1, y1], depth 0.83)`.

The depth may be left out or stand without its word.  A bracket that is no box is reported as one,
not passed over: a citation that cannot be checked is a finding.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sightline.storable import storable
from tasks.replies.stated_boxes import BoxProblem, Frame, StatedBox, read_box

_MAX_CITE_NAME = 60
_MAX_CITES = 200
_DEPTH_8BIT = 255.0

_CITE = re.compile(
    r"\(\s*+(\[[\d\s.+-]{1,80},[\d\s.,+-]{1,80},[\d\s.+-]{1,80}\])"
    r"(?:\s*+,\s*+(?:depth\s*+[:=]?\s*+)?(-?\d{1,9}(?:\.\d{1,9})?))?\s*+\)",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"[^\W\d_][\w'-]*(?: [\w'-]+){0,2} ?$")


@dataclass(frozen=True, slots=True)
class Cite:
    """An object cited as `name ([x0, y0, x1, y1], depth 0.83)`.

    Attributes:
        name: words before the bracket: a given label, else at most three.
        box: what stands in the bracket.
        depth: 1 nearest; None if none is cited.
    """

    name: str
    box: StatedBox | BoxProblem
    depth: float | None


def cites_in(text: str, frame: Frame, names: Sequence[str] = ()) -> list[Cite]:
    """Return the objects a text cites, in order; at most 200.

    Args:
        text: a description or rationale.
        frame: the view it is about.
        names: labels it was given; one of them before a bracket is the name as a whole.
    """
    return [_cite(match, text, frame, names) for match in islice(_CITE.finditer(text), _MAX_CITES)]


def _cite(match: re.Match[str], text: str, frame: Frame, names: Sequence[str]) -> Cite:
    before = text[max(0, match.start() - _MAX_CITE_NAME) : match.start()]
    numbers = [part.strip() for part in match[1].strip("[]").split(",")]
    label = _name_at_end(before, names)
    depth = float(match[2]) if match[2] else None
    if depth is not None and not 0 <= depth <= _DEPTH_8BIT:
        return Cite(label, BoxProblem(f"expected a depth in 0..1 or 0..255, found {depth}"), None)
    # arXiv:2511.17731 prints depth as 0..1 or 0..255
    shade = depth / _DEPTH_8BIT if depth is not None and depth > 1 else depth
    return Cite(label, read_box(numbers, frame), shade)


def _name_at_end(text: str, names: Sequence[str]) -> str:
    ending = text.rstrip().casefold()
    given = [name for name in names if name and ending.endswith(name.casefold())]
    words = _NAME_BEFORE.search(text)
    return max(given, key=len) if given else storable(words[0]).strip() if words else ""
