"""The environment of a reader on a fresh machine: nothing of this one's settings, and own folders.

Commands of the project run as child processes with it, so that a lake, a spool or a Prefect
history of the person who runs the tests is neither read nor written.
"""

import os
import sys
from pathlib import Path

FOREIGN = ("SIGHTLINE_", "PREFECT_", "RAY_", "OPENAI_", "HF_", "AWS_ACCESS", "AWS_SECRET")
"""Beginnings of variables that change what the project does; `AWS_CA_BUNDLE` and such stay."""

FOREIGN_NAMES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")


def fresh_environment(folder: Path, lake: Path | str) -> dict[str, str]:
    """Return variables for a child process that keeps everything under `folder`.

    The probe is off, so that the calls of a run are those of its chains; tests of it turn it on.

    Args:
        folder: gets `home` and `state`; created.
        lake: what `SIGHTLINE_LAKE` says.
    """
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and name not in FOREIGN_NAMES
    }
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join([scripts, kept.get("PATH", os.defpath)]),
        "HOME": str(home),
        "SIGHTLINE_LAKE": str(lake),
        "SIGHTLINE_STATE_DIR": str(folder / "state"),
        "SIGHTLINE_PREFECT_PORT": "0",
        "SIGHTLINE_TEACHER_PROBE": "false",
        "TERM": "dumb",
        "COLUMNS": "100",
    }
