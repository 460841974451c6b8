"""How much more may be sent in batches under a run's caps.

A batch is paid for as a whole before anything is known of its answers, so its worst case is held
from before it is created until its answers are in the ledger, by this run or by any other that
sends to the same lake.  What does not fit now may fit once open batches settle at their real price.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from infra.teacher.batch.record import Batch, BatchState
from infra.teacher.budget import Caps


@dataclass(frozen=True, slots=True)
class Exposure:
    """Money and calls."""

    usd: float = 0.0
    calls: int = 0

    def __add__(self, other: "Exposure") -> "Exposure":
        return Exposure(self.usd + other.usd, self.calls + other.calls)


def held_by(open_batches: Iterable[Batch]) -> Exposure:
    """Return the worst case of batches whose answers are still to come."""
    batches = list(open_batches)
    usd = math.fsum(batch.worst_case_usd for batch in batches)
    return Exposure(usd, sum(batch.n_requests for batch in batches))


def spent_on(ended: Iterable[Batch]) -> Exposure:
    """Return what batches cost that were collected; their worst case where the price is unknown."""
    batches = [batch for batch in ended if batch.state is BatchState.COLLECTED]
    costs = (b.worst_case_usd if b.cost_usd is None else b.cost_usd for b in batches)
    return Exposure(math.fsum(costs), sum(batch.n_answered or 0 for batch in batches))


def fits(caps: Caps, held: Exposure, more: Exposure) -> bool:
    """Return whether `more` may be sent beside what is spent and held."""
    after = held + more
    is_dear = caps.usd is not None and after.usd > caps.usd
    is_many = caps.calls is not None and after.calls > caps.calls
    return not (is_dear or is_many)


def refusal(caps: Caps, held: Exposure, more: Exposure) -> str:
    """Return why `more`, one request, cannot be sent although nothing is open."""
    usd = "no" if caps.usd is None else f"{caps.usd:.2f} USD"
    calls = "no" if caps.calls is None else f"{caps.calls} calls"
    return (
        f"the next request of a batch can cost {more.usd:.6f} USD; {held.usd:.6f} USD and "
        f"{held.calls} calls are spent, the caps are {usd} and {calls}; everything bought is "
        "kept: raise the cap and run again to go on"
    )
