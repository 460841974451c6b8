"""Which detector a checkpoint holds, told by `model_type` in its `config.json`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sightline.errors import CheckpointError


class Family(StrEnum):
    """The detectors that are known, by their `model_type`."""

    GROUNDING_DINO = "grounding-dino"
    OWLV2 = "owlv2"


def family_of(config: Mapping[str, Any], name: str) -> Family:
    """Return the family of the checkpoint `name` whose `config.json` holds `config`.

    Raises:
        CheckpointError: no family knows its `model_type`.
    """
    found = config.get("model_type")
    for family in Family:
        if found == family.value:
            return family
    msg = (
        f"{name}: expected an open-vocabulary detector ({', '.join(Family)}), "
        f"found model_type {found!r} in config.json"
    )
    raise CheckpointError(msg)
