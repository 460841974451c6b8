"""Attention head by head beside torch's own, and in a whole network."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional

from infra.images.depth_codec import decode_levels, values_of
from infra.images.pixels import encode_png
from tasks.depth.worker import DepthWorker
from tasks.vision.attention import HEAD_BY_HEAD, head_by_head

MODULE = torch.nn.Identity()


def heads(dtype: torch.dtype, spread: float = 1.0) -> list[torch.Tensor]:
    torch.manual_seed(3)
    made = [torch.randn(2, 50, 3, 16) * spread for _ in range(3)]
    return [one.to(dtype).transpose(1, 2) for one in made]


def test_attention_in_fp32_equals_the_fused_kernel():
    query, key, value = heads(torch.float32)
    found, weights = head_by_head(MODULE, query, key, value, None, scaling=0.25)
    expected = functional.scaled_dot_product_attention(query, key, value)
    assert weights is None
    torch.testing.assert_close(found.transpose(1, 2), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_attention_in_bf16_stays_near_the_exact_result(spread: float):
    query, key, value = heads(torch.bfloat16, spread)
    found, _ = head_by_head(MODULE, query, key, value, None, scaling=0.25)
    exact = functional.scaled_dot_product_attention(query.double(), key.double(), value.double())
    error = (found.transpose(1, 2).double() - exact).norm() / exact.norm()
    assert error < 0.012


def test_attention_with_a_mask_is_refused():
    query, key, value = heads(torch.float32)
    with pytest.raises(ValueError, match="mask"):
        head_by_head(MODULE, query, key, value, torch.ones(50, 50), scaling=0.25)


def depth_of(precision: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    grid = rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)
    picture = cv2.resize(grid, (160, 128), interpolation=cv2.INTER_CUBIC)
    worker = DepthWorker("embedded:depth", 126, precision=precision, resample="antialias")
    row = worker(pa.table({"image_id": ["a"], "bytes": [encode_png(picture)]})).table.to_pylist()[0]
    return values_of(decode_levels(row["depth"]), row["lo"], row["hi"])


def test_depth_in_bf16_is_as_near_to_fp32_as_with_the_fused_kernel(monkeypatch: pytest.MonkeyPatch):
    exact = depth_of("fp32")
    head_by_head_error = np.abs(depth_of("bf16") - exact).mean() / np.ptp(exact)
    monkeypatch.setattr("tasks.depth.model.use_head_by_head", lambda _: None)
    fused_error = np.abs(depth_of("bf16") - exact).mean() / np.ptp(exact)
    assert head_by_head_error < max(0.01, 1.5 * fused_error)


def test_depth_network_on_a_cpu_computes_attention_head_by_head_in_bf16_alone():
    for precision, expected in (("bf16", HEAD_BY_HEAD), ("fp32", "sdpa")):
        net = DepthWorker("embedded:depth", 126, precision=precision).stages.network._net
        assert net.backbone.config._attn_implementation == expected
