"""How many calls chains will still take, how large and how dear, judged by chains that were asked.

Two figures are kept apart everywhere: the *next* call of each open chain, which is certain, and the
calls after it, which depend on replies nobody has.  Where no chain of the same kind was asked
before, the estimate is the most there can be: every round is used, every reply takes its limit.
Repairs and cut replies are part of what was measured; they come on top of what is not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from infra.teacher.prices import Price, Usage
from tasks.distill.case import ChainParams
from tasks.distill.forecast import Forecast, WantedCall, image_tokens
from tasks.distill.stages import Stage

BYTES_PER_TOKEN: Final = 4
"""Of English prose; the usual rule of thumb."""
PROMPT_BYTES: Final = 2_000
"""Length of a prompt with a full list of objects, for samples that are not in the lake yet."""

Place = tuple[Stage, int]
"""(stage, round) of a call."""


@dataclass(frozen=True, slots=True)
class CallSize:
    """Tokens of a call."""

    tokens_in: float
    tokens_out: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What chains of one teacher were like.

    Attributes:
        calls_per_chain: mean; null if none was asked.
        more_calls: mean number of calls that followed the one at a place.
        sizes: mean size of the calls of a stage.
        usd_per_call: mean price; null if one of them has none.
        origin: where it was measured, for people; empty if nowhere.
    """

    calls_per_chain: float | None = None
    more_calls: Mapping[Place, float] = field(default_factory=dict)
    sizes: Mapping[Stage, CallSize] = field(default_factory=dict)
    usd_per_call: float | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What one teacher will be asked for one step.

    Attributes:
        step: who asks.
        teacher: who is asked.
        chains: that are or will be, at most.
        known: calls the ledger holds; they cost nothing.
        next: calls that will be made for certain.
        later: calls that are expected beyond them.
        tokens_in: expected, of the calls to come.
        tokens_out: expected, of the calls to come.
        usd: expected price of the calls to come; null if it is not known.
        basis: what the expectation rests on.
    """

    step: str
    teacher: str
    chains: int
    known: int
    next: int
    later: float
    tokens_in: float
    tokens_out: float
    usd: float | None
    basis: str

    @property
    def calls(self) -> float:
        """Return the calls to come, as expected."""
        return self.next + self.later


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be estimated.

    Attributes:
        step: who asks.
        params: of the chains.
        found: what chains in the lake have and need.
        new_chains: chains about samples that are not in the lake yet.
        price: of the teacher; null if the table does not list it.
        new_known: calls of the new chains that the ledger holds, since a pilot bought them.
    """

    step: str
    params: ChainParams
    found: Forecast
    new_chains: float
    price: Price | None
    new_known: int = 0


def estimate(asked: Question, measured: Measured) -> CallPlan:
    """Return what the chains will still be asked."""
    wanted = asked.found.wanted
    later = sum(_more_calls(call, asked.params, measured) for call in wanted)
    new = asked.new_chains * (measured.calls_per_chain or asked.params.rounds)
    later += max(0.0, new - asked.new_known)
    sizes = [_size(call, asked.params, measured) for call in wanted]
    typical = _typical(sizes, asked.params, measured)
    tokens_in = math.fsum(size.tokens_in for size in sizes) + later * typical.tokens_in
    tokens_out = math.fsum(size.tokens_out for size in sizes) + later * typical.tokens_out
    return CallPlan(
        step=asked.step,
        teacher=asked.params.teacher,
        chains=asked.found.chains + math.ceil(asked.new_chains),
        known=len(asked.found.known) + asked.new_known,
        next=len(wanted),
        later=later,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd=_usd(tokens_in, tokens_out, len(wanted) + later, asked.price, measured),
        basis=f"measured in {measured.origin}" if measured.origin else "the most it can be",
    )


def _more_calls(call: WantedCall, params: ChainParams, measured: Measured) -> float:
    most = params.rounds - call.round if call.stage is Stage.ZOOM else 0
    return measured.more_calls.get((call.stage, call.round), most)


def _size(call: WantedCall, params: ChainParams, measured: Measured) -> CallSize:
    found = measured.sizes.get(call.stage)
    if found is not None:
        return found
    return CallSize(call.text_bytes / BYTES_PER_TOKEN + call.image_tokens, params.max_tokens)


def _typical(sizes: Sequence[CallSize], params: ChainParams, measured: Measured) -> CallSize:
    """Return the size of a call whose prompt does not exist yet."""
    known = list(measured.sizes.values()) or list(sizes)
    if not known:
        picture = image_tokens(params.max_view_px, params.max_view_px)
        known = [CallSize(PROMPT_BYTES / BYTES_PER_TOKEN + picture, params.max_tokens)]
    return CallSize(
        math.fsum(size.tokens_in for size in known) / len(known),
        math.fsum(size.tokens_out for size in known) / len(known),
    )


def _usd(
    tokens_in: float, tokens_out: float, calls: float, price: Price | None, measured: Measured
) -> float | None:
    """Return the price by the table, else by what such calls did cost."""
    if price is not None:
        return price.cost_usd(Usage(math.ceil(tokens_in), math.ceil(tokens_out)))
    return None if measured.usd_per_call is None else calls * measured.usd_per_call
