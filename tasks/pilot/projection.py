"""From the rows of a pilot to the whole build: accepted rows, dollars, and how sure that is.

The unit is the *source row*, since that is what was drawn at random: the questions of one scene, or
the calls of one chain, succeed and fail together, and counting them one by one would promise too
much.  Intervals are 95 %, normal, narrowed as the pilot becomes the whole.  Four made-up rows, two
without a yield and two with the most seen, keep them honest where all rows agree (Agresti and
Coull 1998, "plus four", doi:10.1080/00031305.1998.10480550).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Final

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class RowYield:
    """What one source row of the pilot gave.

    Attributes:
        accepted: questions of it that ended with an accepted trace.
        calls: calls about it, whenever they were bought.
        cost_usd: their price; null if one of them has none listed.
    """

    accepted: int
    calls: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Estimate":
        """Return the estimate of `factor` times the figure."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Projection:
    """What the whole source would give and cost.

    Attributes:
        rows: of the whole source.
        accepted: questions with an accepted trace.
        calls: all calls; those in the ledger already are part of it.
        cost_usd: their price; null if a price is not known.
        usd_per_accepted: null if a price is not known or nothing was accepted.
    """

    rows: int
    accepted: Estimate
    calls: Estimate
    cost_usd: Estimate | None
    usd_per_accepted: Estimate | None


def project(pilot: Sequence[RowYield], listed: int) -> Projection | None:
    """Return what `listed` source rows give, judged by those of the pilot; null without rows."""
    if not pilot:
        return None
    rows = max(listed, len(pilot))
    left = 1 - len(pilot) / rows
    accepted = [row.accepted for row in pilot]
    costs = [row.cost_usd for row in pilot if row.cost_usd is not None]
    is_priced = len(costs) == len(pilot)
    return Projection(
        rows=rows,
        accepted=_accepted(accepted, left).times(rows),
        calls=_mean([row.calls for row in pilot], left).times(rows),
        cost_usd=_mean(costs, left).times(rows) if is_priced else None,
        usd_per_accepted=_price(costs, accepted, left) if is_priced else None,
    )


def wilson(part: int, whole: int) -> Estimate | None:
    """Return the share of `part` in `whole` with Wilson's interval; null if there is no whole.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; macro `wilson` is the same in SQL.
    """
    if whole == 0:
        return None
    share, squared = part / whole, Z * Z
    centre = (share + squared / (2 * whole)) / (1 + squared / whole)
    spread = math.sqrt(share * (1 - share) / whole + squared / (4 * whole**2))
    half = Z * spread / (1 + squared / whole)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))


def _accepted(counts: Sequence[int], left: float) -> Estimate:
    most = max(1, *counts)
    wary = [*counts, 0, 0, most, most]
    half = _half_width(wary, left)
    value, centre = fmean(counts), fmean(wary)
    if left == 0:
        return Estimate(value, value, value)
    return Estimate(value, max(0.0, min(value, centre - half)), max(value, centre + half))


def _mean(values: Sequence[float], left: float) -> Estimate:
    value, half = fmean(values), _half_width(values, left)
    return Estimate(value, max(0.0, value - half), value + half)


def _price(costs: Sequence[float], accepted: Sequence[int], left: float) -> Estimate | None:
    """Return dollars per accepted row; the interval is that of a ratio, by linearisation."""
    mean = fmean(accepted)
    if mean == 0:
        return None
    price = fmean(costs) / mean
    off = [cost - price * count for cost, count in zip(costs, accepted, strict=True)]
    half = _half_width(off, left) / mean
    return Estimate(price, max(0.0, price - half), price + half)


def _half_width(values: Sequence[float], left: float) -> float:
    """Return half the interval of a mean when the share `left` of all rows was not looked at."""
    if len(values) == 1:
        return abs(values[0]) * math.sqrt(left)
    return Z * stdev(values) / math.sqrt(len(values)) * math.sqrt(left)
