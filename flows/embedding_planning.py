"""Which embeddings a recipe still has to buy: one call per distinct text that the ledger lacks."""

import math
from collections.abc import Iterator
from typing import Final

from flows.dataset_parts import embedding_sources
from flows.lakes import ledger_lake_of, open_lake_of
from flows.recipe import Recipe
from infra.ledger.view import LedgerView
from infra.settings import Settings
from infra.teacher.embedding import embedding_request
from infra.teacher.prices import Price, Prices, Usage
from tasks.dedup.embedding_sources import STEP
from tasks.dedup.semantic.params import Kind, SemanticDedupParams
from tasks.dedup.semantic.rows import items_of
from tasks.distill.estimate import BYTES_PER_TOKEN, CallPlan

TYPICAL_BYTES: Final = 600
"""Of a rationale of a hundred words, where the lake holds no text yet."""


def plan_embeddings(
    recipe: Recipe, settings: Settings, new_samples: float, chains: float
) -> Iterator[CallPlan]:
    """Yield what an endpoint will be asked to embed, if the recipe names one.

    Args:
        recipe: the recipe.
        settings: say where lake, ledger and prices are.
        new_samples: that the lake does not hold yet.
        chains: that the recipe will have in the end, at most.
    """
    model = recipe.embedding_model
    if model is None:
        return
    params = recipe.steps.dedup_semantic.params
    texts = {kind: _texts(settings, kind) for kind in params.kinds if kind is not Kind.IMAGE}
    distinct = {text for found in texts.values() for text in found}
    open_texts = _unpaid(params, settings, model, distinct)
    later = new_samples if Kind.SAMPLE in texts else 0.0
    if Kind.CHAIN in texts:
        later += max(0.0, chains - len(texts[Kind.CHAIN]))
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in open_texts]
    typical = math.fsum(sizes) / len(sizes) if sizes else TYPICAL_BYTES
    tokens = (math.fsum(sizes) + later * typical) / BYTES_PER_TOKEN
    yield CallPlan(
        step=STEP.name,
        teacher=model,
        chains=len(distinct) + math.ceil(later),
        known=len(distinct) - len(open_texts),
        next=len(open_texts),
        later=later,
        tokens_in=tokens,
        tokens_out=0.0,
        usd=_usd(Prices.load(settings.prices_file).find(model), tokens),
        basis="a call per distinct text; of chains to come, the most there can be",
    )


def _texts(settings: Settings, kind: Kind) -> list[str]:
    lake = open_lake_of(settings)
    batches = (batch for source in embedding_sources(lake, kind) for batch in source.batches(lake))
    return [item.text for batch in batches for item in items_of(batch) if item.text.strip()]


def _unpaid(
    params: SemanticDedupParams, settings: Settings, model: str, texts: set[str]
) -> list[str]:
    bought = LedgerView(ledger_lake_of(settings), settings.spool_path)
    asked = ((t, embedding_request(model, t, "", params.dimensions)) for t in sorted(texts))
    return [text for text, request in asked if bought.lookup(*request.call_key) is None]


def _usd(price: Price | None, tokens: float) -> float | None:
    return None if price is None else price.cost_usd(Usage(math.ceil(tokens), 0))
