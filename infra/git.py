"""Which code ran: the git tree recorded in `runs`."""

import subprocess
from pathlib import Path

_GIT_SECONDS = 5.0


def git_tree(folder: Path) -> str | None:
    """Return the tree hash of HEAD in `folder`, with "+" if files differ; None outside git."""
    tree = _git(folder, "rev-parse", "HEAD^{tree}")
    if tree is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{tree}+" if changed else tree


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
