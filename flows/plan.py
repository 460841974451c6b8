"""A plan as a value: what a build would do, as lines for people and as JSON for programs."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from flows.inspection import text_table
from tasks.distill.estimate import CallPlan


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """Images that a step of the workers still has to look at; those of new rows at most."""

    step: str
    images: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build would do.

    Attributes:
        recipe: its name.
        lake: where it would build.
        new_rows: source rows that the lake does not hold.
        new_parts: parts they would make.
        images: per step of the workers.
        calls: per asking step and teacher.
        channel: live, or batch, where calls are cheaper.
        cap_usd: most dollars a run may spend; null is no cap.
        cap_calls: most calls a run may make; null is no cap.
    """

    recipe: str
    lake: str
    new_rows: int
    new_parts: int
    images: tuple[ImagePlan, ...]
    calls: tuple[CallPlan, ...]
    channel: str
    cap_usd: float | None
    cap_calls: int | None

    @property
    def usd(self) -> float | None:
        """Return the expected price of all calls; null if one is not known."""
        prices = [plan.usd for plan in self.calls]
        return None if None in prices else sum(price or 0.0 for price in prices)

    @property
    def covered(self) -> float | None:
        """Return the share of the calls that the caps allow; null without a cap that matters."""
        calls = sum(plan.calls for plan in self.calls)
        shares = [1.0]
        if self.cap_calls is not None and calls > 0:
            shares.append(self.cap_calls / calls)
        if self.cap_usd is not None and self.usd:
            shares.append(self.cap_usd / self.usd)
        return None if self.cap_usd is None and self.cap_calls is None else min(shares)

    def as_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps(asdict(self) | {"usd": self.usd, "covered": self.covered}, indent=2)

    def text(self) -> str:
        """Return the plan as lines for people."""
        lines = [
            f"Recipe {self.recipe} into {self.lake}",
            f"  new source rows: {self.new_rows} in {self.new_parts} parts",
            *(f"  {plan.step}: {plan.images} images" for plan in self.images),
        ]
        if not self.calls:
            return "\n".join([*lines, "  distill is off: no teacher calls"])
        rows = [_row(plan) for plan in self.calls]
        lines += ["", text_table(pa.Table.from_pylist(rows)).rstrip(), ""]
        lines += [f"  {p.step} by {p.teacher}: {p.basis}" for p in self.calls if p.calls]
        lines.append(f"  price of what is to buy ({self.channel}): {_dollars(self.usd)}")
        lines.append(f"  caps: {_caps(self)}")
        return "\n".join(lines)


def _row(plan: CallPlan) -> dict[str, Any]:
    return {
        "step": plan.step,
        "teacher": plan.teacher,
        "chains": plan.chains,
        "in the ledger": plan.known,
        "next calls": plan.next,
        "later calls": round(plan.later),
        "tokens in": round(plan.tokens_in),
        "tokens out": round(plan.tokens_out),
        "dollars": "unknown" if plan.usd is None else f"{plan.usd:.4f}",
    }


def _dollars(usd: float | None) -> str:
    return "unknown; the price table does not list every teacher" if usd is None else f"${usd:.2f}"


def _caps(plan: Plan) -> str:
    if plan.covered is None:
        return "none"
    usd = "no" if plan.cap_usd is None else f"${plan.cap_usd:g}"
    calls = "no" if plan.cap_calls is None else f"{plan.cap_calls}"
    share = "all of it" if plan.covered >= 1 else f"about {plan.covered:.0%} of it"
    return f"{usd} dollars, {calls} calls: they allow {share}"
