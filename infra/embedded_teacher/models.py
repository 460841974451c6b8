"""The models that one server serves: each behaves in its own way and has its own limits.

The server's own model also answers to its name with a suffix; each such name is a model of its
own, with the same behaviour and other words.  Limits, load and windows are counted per model, as
endpoints do.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from infra.embedded_teacher.chat_request import ChatRequest
from infra.embedded_teacher.completion import Completion, complete, prompt_tokens
from infra.embedded_teacher.embeddings import EmbeddingRequest, embedding_body
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.rates import Headers, Rates
from infra.embedded_teacher.request_log import Asked
from infra.embedded_teacher.wire import Answer, error

Clock = Callable[[], float]
Question = ChatRequest | EmbeddingRequest


class ServedModel:
    """One model: what it refuses for its load, and what it answers."""

    def __init__(self, behaviour: Misbehaviour, voice: str, clock: Clock) -> None:
        self.behaviour: Final = behaviour
        self._voice, self._clock = voice, clock
        self._rates = Rates(behaviour)
        self._busy = 0
        self._first_s: float | None = None

    @contextmanager
    def being_asked(self) -> Iterator[None]:
        """Count a request as being answered."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def refusal(self, request: Question, asked: Asked) -> Answer | None:
        """Return why a request is turned away now, null if it is not."""
        trouble, now_s = self.behaviour, self._clock()
        self._first_s = now_s if self._first_s is None else self._first_s
        since_s = now_s - self._first_s
        if trouble.is_in("outage_window", since_s):
            return error(503, "The server is overloaded or not ready yet", "service_unavailable")
        above = trouble.throttle_above
        is_throttled = trouble.happens("throttle_share", asked.body_sha256, asked.attempt)
        if (above is not None and self._busy > above) or is_throttled:
            return _too_many("requests", trouble.retry_after_s, self._rates.headers)
        if trouble.is_in("throttle_window", since_s):
            return _too_many("requests", trouble.retry_after_s, self._rates.headers)
        refused = self._rates.take(self._tokens(request), now_s)
        return _too_many(*refused, self._rates.headers) if refused else None

    def answer(self, request: Question, asked: Asked) -> Answer:
        """Return the completion, or the embeddings."""
        if isinstance(request, EmbeddingRequest):
            body = embedding_body(request, self._voice)
            return Answer(200, body, headers=self._rates.headers)
        made: Completion = complete(request, asked, self.behaviour, self._voice)
        return Answer(200, made.body, made.finish_reason, headers=self._rates.headers)

    def _tokens(self, request: Question) -> int:
        """Return what a request counts against the rate."""
        if isinstance(request, EmbeddingRequest):
            return request.text_tokens
        return max(request.max_tokens or 0, prompt_tokens(request, self.behaviour))


class Models:
    """All models of a server by their names."""

    def __init__(
        self, own: str, trouble: Misbehaviour, others: Mapping[str, Misbehaviour], clock: Clock
    ) -> None:
        self._own, self._trouble, self._clock = own, trouble, clock
        self._models = {own: ServedModel(trouble, "", clock)}
        self._models |= {name: ServedModel(how, name, clock) for name, how in others.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that are listed."""
        return tuple(self._models)

    def get(self, name: str) -> ServedModel | None:
        """Return a model, null if there is none of this name."""
        if name not in self._models and name.startswith(f"{self._own}-"):
            self._models[name] = ServedModel(self._trouble, name, self._clock)
        return self._models.get(name)


def _too_many(what: str, after_s: float | None, headers: Headers) -> Answer:
    wait: Headers = () if after_s is None else ((b"retry-after", f"{after_s:.3g}".encode()),)
    said = f"Rate limit reached for {what} per min (RPM/TPM)"
    return error(429, said, "rate_limit_exceeded", (*wait, *headers))
