"""Attention for bf16 on a CPU: a head at a time, from scores to values.

torch's fused kernel for CPUs gains nothing from bf16, since it multiplies small blocks.  Products
of a whole head reach the rate that linear layers have, and the scores of one head (T x T, 3.8 MB
at 1,370 tokens) stay in the cache and in memory that the allocator hands out again.  Scores are
rounded to bf16, which the fused kernel does not do; the tests bound what that changes.
"""

from typing import Any, Final

import torch
from transformers import AttentionInterface

HEAD_BY_HEAD: Final = "head_by_head"


def use_head_by_head(net: Any) -> None:
    """Let `net`, a network of `transformers` whose attention has no mask, compute it so."""
    AttentionInterface.register(HEAD_BY_HEAD, head_by_head)
    net.set_attn_implementation(HEAD_BY_HEAD)


def head_by_head(  # noqa: PLR0913 - the signature that `transformers` calls
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return (B, T, H, D) and no weights, for (B, H, T, D) queries, keys and values.

    Raises:
        ValueError: a mask or dropout, which this knows nothing of.
    """
    del module
    if attention_mask is not None or dropout:
        msg = "attention head by head takes neither mask nor dropout"
        raise ValueError(msg)
    batch, heads, tokens, width = query.shape
    out = query.new_empty(batch, tokens, heads, width)
    queries, keys = query * scaling, key.transpose(-1, -2)
    for row in range(batch):
        for head in range(heads):
            scores = torch.matmul(queries[row, head], keys[row, head])
            out[row, :, head] = torch.matmul(scores.softmax(-1), value[row, head])
    return out, None
