"""What flows showed last, as the Prefect server of the tests has it."""

import json
from typing import Any


def newest_artifact(key: str) -> Any:
    """Return the newest artifact called `key`."""
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None, key
    return found


def newest_table(key: str) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of the newest table called `key`, and its description."""
    found = newest_artifact(key)
    return json.loads(str(found.data)), str(found.description)
