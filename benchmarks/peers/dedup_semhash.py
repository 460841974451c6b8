"""semhash: self_deduplicate at its default threshold, on static embeddings.

Its default weights come from a model hub.  Where that cannot be reached, the static embeddings
inside the `wordllama` wheel stand in: the same kind of model (a vector per token, averaged).
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from dedup_job import Answer, main
from model2vec import StaticModel
from safetensors.numpy import load_file
from semhash import SemHash
from tokenizers import Tokenizer


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:  # noqa: ARG001 - its own
    """Return what is kept; a dropped row names the most similar row, which may be dropped too."""
    records = [{"text": text, "row": str(row)} for row, text in enumerate(texts)]
    found = SemHash.from_records(records, columns=["text"], model=model()).self_deduplicate()
    kept = [False] * len(texts)
    for record in found.selected:
        kept[int(record["row"])] = True
    return Answer(kept, [], f"self_deduplicate threshold={found.threshold}, wordllama vectors")


def model() -> StaticModel:
    """Return the embeddings of the wordllama wheel."""
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        msg = "no weights: install wordllama beside semhash, or reach the model hub"
        raise SystemExit(msg)
    package = Path(spec.origin).parent
    (vectors,) = load_file(package / "weights" / "l2_supercat_256.safetensors").values()
    file = package / "tokenizers" / "l2_supercat_tokenizer_config.json"
    return StaticModel(vectors.astype("float32"), Tokenizer.from_file(str(file)))


main(deduplicate)
