"""The tokenizer that lies beside the weights of a network that reads words.

`AutoTokenizer` makes one without a vocabulary, in silence, where its files are missing: every word
would be unknown and every answer noise.
"""

from pathlib import Path
from typing import Any, Final

from transformers import AutoTokenizer

from sightline.errors import CheckpointError
from tasks.vision.loading import LOAD_ERRORS

VOCABULARIES: Final = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
)
"""Files of a tokenizer; one of these sets is enough."""


def load_tokenizer(folder: Path, expected: str) -> Any:
    """Return the tokenizer in `folder`.

    Args:
        folder: of the checkpoint.
        expected: what the network is, for messages.

    Raises:
        CheckpointError: its files are missing or no tokenizer.
    """
    if not any(all((folder / name).is_file() for name in names) for names in VOCABULARIES):
        known = " or ".join(" with ".join(names) for names in VOCABULARIES)
        msg = f"{folder}: expected {expected} with its tokenizer: {known}"
        raise CheckpointError(msg)
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except LOAD_ERRORS as exc:
        msg = f"{folder}: expected {expected} with its tokenizer: {exc}"
        raise CheckpointError(msg) from exc
