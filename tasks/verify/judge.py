"""All rules over the chains of one part, as `verdicts` rows; input rows may come in any order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.errors import clip_detail
from sightline.schemas import VERDICTS
from tasks.verify.chains import Chain, chains_of
from tasks.verify.rules import ZOOM_RULES, Finding, VerifyParams, chain_rules

ZOOM = "zoom"


@dataclass(frozen=True, slots=True)
class Standard:
    """What chains are judged by; all of it decides the verdicts.

    Attributes:
        params: of the recipe.
        prompts: templates of what was asked, which no reply should repeat.
    """

    params: VerifyParams
    prompts: tuple[str, ...] = ()


def judge_part(
    samples: pa.Table,
    generations: pa.Table,
    steps: pa.Table,
    objects: pa.Table | None,
    standard: Standard,
) -> pa.Table:
    """Return the verdicts on every chain and every zoom reply, sorted by chain, round and rule.

    Args:
        samples: rows of `samples`, at least those that were asked about.
        generations: rows of `generations`, whole chains.
        steps: rows of `steps` for them.
        objects: rows of `objects` for their images, if there are any.
        standard: what they are judged by.
    """
    chains = chains_of(samples, generations, steps, objects, standard.prompts)
    return VERDICTS.rows(row for chain in chains for row in verdict_rows(chain, standard.params))


def verdict_rows(chain: Chain, params: VerifyParams) -> Iterator[dict[str, Any]]:
    """Yield the verdicts on one chain and its zoom replies."""
    for rule, judge in chain_rules(params).items():
        yield _row(chain.chain_id, "chain", rule, judge(chain, params))
    for reply in chain.replies:
        if reply.stage == ZOOM:
            for rule, look in ZOOM_RULES.items():
                finding = look(reply, chain.sample.target, params)
                yield _row(reply.generation_id, "generation", rule, finding)


def _row(subject_id: str, kind: str, rule: str, finding: Finding) -> dict[str, Any]:
    return {
        "subject_id": subject_id,
        "subject_kind": kind,
        "rule": rule,
        "passed": finding.passed,
        "score": finding.score,
        "detail": None if finding.detail is None else clip_detail(finding.detail),
    }
