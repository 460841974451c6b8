"""What `serve` may say, and the command line that comes of it."""

import sys

import pytest

from infra.services.serve_plan import read_serve_plan
from sightline.errors import UsageError


def test_command_line_vllm_serves_every_name_over_all_gpus():
    values = {"model": "/weights/qwen", "gpus": 4, "args": ["--max-model-len", 8192]}
    line = read_serve_plan("local", values).command_line(["qwen", "judge"], "10.0.0.7", 8123)
    assert line == [
        sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", "/weights/qwen",
        "--served-model-name", "qwen", "judge",
        "--host", "10.0.0.7", "--port", "8123",
        "--tensor-parallel-size", "4",
        "--max-model-len", "8192",
    ]  # fmt: skip


def test_command_line_own_program_is_filled_in():
    plan = read_serve_plan(
        "local", {"command": ["serve", "{name}", "--at={host}:{port}", "{gpus}"]}
    )
    assert plan.command_line(["m"], "127.0.0.1", 80) == ["serve", "m", "--at=127.0.0.1:80", "1"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"engine": "sglang"}, "endpoint 'local': serve.engine: Input should be 'vllm'"),
        ({"gpu": 1}, "serve.gpu: Extra inputs are not permitted; known are"),
        ({"command": ["run", "{path}"]}, "the command may hold {python}"),
        ({"replicas": 0}, "serve.replicas: Input should be greater than"),
    ],
)
def test_read_serve_plan_wrong_says_where(values: dict[str, object], said: str):
    with pytest.raises(UsageError) as caught:
        read_serve_plan("local", values)
    assert said in str(caught.value)
