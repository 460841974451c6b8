"""Embeddings of the embedded teacher: texts that share words and their beginnings are near.

Each word, each pair of neighbours and each run of three letters is hashed to a place of the vector
and a sign (feature hashing, arXiv:0902.2206).  So a reworded text is near and another one is not,
without a model; numbers count no more than other words, as in the embeddings of real models.
Everything is a function of the text and the model's name.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from infra.embedded_teacher.chat_request import Refusal, tokens_of

DIMENSIONS: Final = 64
MAX_TEXTS: Final = 2048
_WORD: Final = re.compile(r"\w+")
_GRAM: Final = 3
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """One request.

    Attributes:
        model: that shall answer.
        texts: to be embedded, none of them empty.
        dimensions: length of a vector.
    """

    model: str
    texts: tuple[str, ...]
    dimensions: int = DIMENSIONS

    @property
    def text_tokens(self) -> int:
        """Return what the texts count."""
        return sum(map(tokens_of, self.texts))


def read_embedding(body: bytes) -> EmbeddingRequest | Refusal:
    """Return what the body of a request asks, or why it asks nothing."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(400, "the body is not JSON", "invalid_json")
    given = request.get("input") if isinstance(request, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 0 < len(texts) <= MAX_TEXTS:
        return Refusal(400, "`input` must be a text or a list of texts", "invalid_value")
    if not all(isinstance(text, str) and text for text in texts):
        return Refusal(400, "`input` must not hold an empty text", "invalid_value")
    length = request.get("dimensions", DIMENSIONS)
    if not isinstance(length, int) or not 0 < length <= DIMENSIONS:
        return Refusal(400, f"`dimensions` must be 1 to {DIMENSIONS}", "invalid_value")
    if request.get("encoding_format", "float") != "float":
        return Refusal(400, "`encoding_format` must be float", "invalid_value")
    return EmbeddingRequest(str(request.get("model")), tuple(texts), length)


def embedding_body(request: EmbeddingRequest, voice: str) -> bytes:
    """Return the response to a request.

    Args:
        request: what is asked.
        voice: which of the server's models answers; empty for its own.
    """
    data = [
        {"object": "embedding", "index": number, "embedding": vector(text, request, voice)}
        for number, text in enumerate(request.texts)
    ]
    usage = {"prompt_tokens": request.text_tokens, "total_tokens": request.text_tokens}
    said = {"object": "list", "data": data, "model": request.model, "usage": usage}
    return json.dumps(said, separators=(",", ":")).encode()


def vector(text: str, request: EmbeddingRequest, voice: str) -> list[float]:
    """Return the vector of one text, of length 1; an arbitrary one if it has no words."""
    sums = [0.0] * DIMENSIONS
    for feature in _features(text):
        digest = hashlib.sha256(f"{voice}/{feature}".encode("utf-8", "surrogatepass")).digest()
        sums[digest[0] % DIMENSIONS] += 1.0 if digest[1] % 2 else -1.0
    cut = sums[: request.dimensions]
    norm = math.sqrt(math.fsum(value * value for value in cut))
    if not norm:
        return [1.0] + [0.0] * (request.dimensions - 1)
    return [round(value / norm, _DECIMALS) for value in cut]


def _features(text: str) -> Iterator[str]:
    words = _WORD.findall(text.casefold())
    yield from words
    yield from (f"{one} {two}" for one, two in pairwise(words))
    for word in words:
        yield from (f"#{word[i : i + _GRAM]}" for i in range(len(word) - _GRAM + 1))
