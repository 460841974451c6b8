"""Which cosine counts as alike: what the recipe states, else what labelled pairs say, else 0.95."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.dedup.semantic.params import DEFAULT_THRESHOLD, Kind, SemanticDedupParams


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """A threshold and where it comes from: `recipe`, `calibrated` or `default`."""

    cosine: float
    origin: str


def chosen_threshold(
    params: SemanticDedupParams, kind: Kind, stored: Sequence[Mapping[str, Any]]
) -> ChosenThreshold:
    """Return the threshold of one kind.

    Args:
        params: what the recipe says.
        kind: of the items.
        stored: rows of `thresholds`; one of another model says nothing.
    """
    stated = params.stated_threshold(kind)
    if stated is not None:
        return ChosenThreshold(stated, "recipe")
    model = params.encoder(kind).name
    for row in stored:
        if (row["item_kind"], row["model"]) == (kind.value, model):
            return ChosenThreshold(row["cosine"], "calibrated")
    return ChosenThreshold(DEFAULT_THRESHOLD, "default")
