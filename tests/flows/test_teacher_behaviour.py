"""`sightline teacher serve`: what a file and `--set` say about the embedded teacher."""

from pathlib import Path

import pytest

from flows.serving import teacher_config
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL
from sightline.errors import UsageError

FILE = """
model: my-model
behaviour: {latency_ms: 150, throttle_window: [10, 70]}
models:
  other: {thinking: tags}
"""


def test_behaviour_comes_from_the_file_and_set_goes_before_it(tmp_path: Path):
    file = tmp_path / "behaviour.yaml"
    file.write_text(FILE)
    config = teacher_config(file, ["latency_ms=5"])
    assert config.model == "my-model"
    assert config.misbehaviour == Misbehaviour(latency_ms=5, throttle_window=(10, 70))
    assert config.others == {"other": Misbehaviour(thinking="tags")}
    assert type(config).from_json(config.to_json()) == config


def test_without_a_file_the_server_is_the_embedded_teacher():
    assert teacher_config(None, []).model == DEFAULT_MODEL


@pytest.mark.parametrize(
    "text", ["[1]", "rudeness: 1", "behaviour: {rudeness: 1}", "behaviour: {latency_ms: slow}", "{"]
)
def test_file_that_means_nothing_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "behaviour.yaml"
    file.write_text(text)
    with pytest.raises(UsageError):
        teacher_config(file, [])
