from pathlib import Path

import pytest

from tests import tiny_networks


@pytest.fixture(scope="session")
def tiny_dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_networks.grounding_dino(tmp_path_factory.mktemp("tiny-dino"))


@pytest.fixture(scope="session")
def tiny_owl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_networks.owlv2(tmp_path_factory.mktemp("tiny-owl"))


@pytest.fixture(scope="session", params=["grounding_dino", "owlv2"])
def tiny_detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"tiny-{request.param}")
    saved: Path = getattr(tiny_networks, request.param)(folder)
    return saved
