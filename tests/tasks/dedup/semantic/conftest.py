from pathlib import Path

import pytest

from tests.encoders import save_text_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved text encoder of random weights, with a tokenizer of twenty words."""
    return save_text_encoder(tmp_path_factory.mktemp("tiny-encoder"))
