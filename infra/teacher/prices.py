"""What a call costs: one editable table of prices per model, and the two sums made from it.

Prices stand in `prices.yaml` (or a file of the user's), in US dollars per million tokens, each
with its source.  A model without a price costs null, never zero: an unknown cost must stay
visible in the ledger.  With a dollar cap a price is required, since a cap on unknown costs
would hold nothing back.  Reasoning tokens are billed as output by every endpoint seen so far
and are part of `completion_tokens`, so they are never added again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import yaml

from sightline.errors import TeacherError, UsageError

PER_MILLION = 1_000_000
DEFAULT_FILE = Path(__file__).with_name("prices.yaml")
MAX_IMAGE_TOKENS = 16_384
"""Worst case per image where the table names none: the default limit of Qwen2.5-VL's processor."""
BATCH_DISCOUNT = 0.5
"""What OpenAI and Azure take off the price of a call in a batch."""
MAX_OUTPUT_TOKENS = 131_072
"""Worst case of a reply where neither request nor table sets a limit."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response as billed; null where the endpoint did not say."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    tokens_cached: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model, USD per million tokens, and its worst cases in tokens.

    `batch_discount` is the share that a batch takes off all of them.
    """

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    max_image_tokens: int = MAX_IMAGE_TOKENS
    max_output_tokens: int = MAX_OUTPUT_TOKENS
    batch_discount: float = BATCH_DISCOUNT

    def in_batch(self) -> "Price":
        """Return the prices of the same model in a batch."""
        share = 1.0 - self.batch_discount
        cached = self.cached_input_usd
        return replace(
            self,
            input_usd=self.input_usd * share,
            output_usd=self.output_usd * share,
            cached_input_usd=None if cached is None else cached * share,
            batch_discount=0.0,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """Return the price of a response, null if the endpoint did not count its tokens."""
        if usage.tokens_in is None or usage.tokens_out is None:
            return None
        cached = min(usage.tokens_cached or 0, usage.tokens_in)
        cached_usd = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        paid = (usage.tokens_in - cached) * self.input_usd + cached * cached_usd
        return (paid + usage.tokens_out * self.output_usd) / PER_MILLION

    def worst_case_usd(self, text_bytes: int, images: int, max_tokens: int | None) -> float:
        """Return the most a call can cost: no token is shorter than one UTF-8 byte."""
        tokens_in = text_bytes + images * self.max_image_tokens
        tokens_out = self.max_output_tokens if max_tokens is None else max_tokens
        return (tokens_in * self.input_usd + tokens_out * self.output_usd) / PER_MILLION


@dataclass(frozen=True, slots=True)
class Prices:
    """The price table of a run."""

    models: Mapping[str, Price]
    origin: str = "prices.yaml"

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a price table, the project's own if `path` is null.

        Raises:
            UsageError: the file is missing or an entry is not a price.
        """
        chosen = path or DEFAULT_FILE
        try:
            raw = yaml.safe_load(chosen.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as exc:
            msg = f"cannot read the price table {chosen}: {exc}"
            raise UsageError(msg) from exc
        listed = raw.get("models") if isinstance(raw, dict) else None
        if not isinstance(listed, dict):
            msg = f"{chosen}: expected a mapping `models`, found {type(listed).__name__}"
            raise UsageError(msg)
        models = {str(name): _price(str(name), entry, chosen) for name, entry in listed.items()}
        return cls(models=models, origin=str(chosen))

    def find(self, model: str) -> Price | None:
        """Return the price of `model`, null if the table does not list it."""
        return self.models.get(model)

    def require(self, model: str) -> Price:
        """Return the price of `model`.

        Raises:
            TeacherError: the table does not list it.
        """
        price = self.models.get(model)
        if price is None:
            msg = (
                f"a dollar cap needs the price of {model!r}, which {self.origin} does not list "
                f"(known: {', '.join(sorted(self.models))}); add it there, or cap calls instead"
            )
            raise TeacherError(msg)
        return price


def _price(name: str, entry: Any, path: Path) -> Price:
    known = {
        "input", "output", "cached_input", "max_image_tokens", "max_output_tokens",
        "batch_discount", "source",
    }  # fmt: skip
    if not isinstance(entry, dict) or not {"input", "output"} <= set(entry) <= known:
        msg = f"{path}: {name}: expected input, output and optionally {sorted(known)}"
        raise UsageError(msg)
    numbers = {key: value for key, value in entry.items() if key != "source"}
    for key, value in numbers.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            msg = f"{path}: {name}.{key}: expected a number from 0, found {value!r}"
            raise UsageError(msg)
    discount = numbers.get("batch_discount", BATCH_DISCOUNT)
    if discount > 1:
        msg = f"{path}: {name}.batch_discount: expected a share in [0, 1], found {discount!r}"
        raise UsageError(msg)
    cached = numbers.get("cached_input")
    return Price(
        input_usd=float(numbers["input"]),
        output_usd=float(numbers["output"]),
        cached_input_usd=None if cached is None else float(cached),
        max_image_tokens=int(numbers.get("max_image_tokens", MAX_IMAGE_TOKENS)),
        max_output_tokens=int(numbers.get("max_output_tokens", MAX_OUTPUT_TOKENS)),
        batch_discount=float(discount),
    )
