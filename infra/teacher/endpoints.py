"""Where models are served: endpoints, each with its own key, limits and models.

Several endpoints may serve one model; then calls go where there is room, and on to another where
one fails.  Without a file there is one endpoint for every model.  Names stand in progress lines
and in the ledger, keys nowhere: the file names the variable that holds a key, never the key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sightline.errors import UsageError

DEFAULT_NAME: Final = "default"
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that answers chat completions, and how much of it a run may use.

    Attributes:
        name: unique in a run; shown and recorded.
        base_url: up to and including `/v1`; empty for one that `serve` has yet to start.
        api_key: never printed; null for endpoints that want none.
        models: those it serves; null is any.
        max_in_flight: calls at once, all its models together.
        requests_per_minute: per model; null is what the endpoint states, if it does.
        tokens_per_minute: per model, prompt and reply together; null as above.
        timeout_s: for one whole HTTP exchange.
        batch: whether it has the batch protocol.
        serve: how to start a model server for it; null for one that runs already.
    """

    name: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] | None = None
    max_in_flight: int = 32
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 180.0
    batch: bool = False
    serve: Mapping[str, Any] | None = None

    def serves(self, model: str) -> bool:
        """Return whether calls for `model` may go there."""
        return self.models is None or model in self.models


class EndpointEntry(BaseModel):
    """One entry of an endpoints file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="Shown and recorded.")
    models: list[str] = Field(min_length=1, description="Models it serves, as requests name them.")
    url: HttpUrl | None = Field(None, description="Up to and including `/v1`.")
    urls: list[HttpUrl] = Field(
        default_factory=list, description="Several servers of the same kind, instead of `url`."
    )
    key_variable: str | None = Field(
        None, description="Environment variable that holds the key; empty for none."
    )
    max_in_flight: int | None = Field(
        None, ge=1, le=4096, description="Calls at once; empty means `teacher_concurrency`."
    )
    requests_per_minute: float | None = Field(None, gt=0, description="Per model; empty: no limit.")
    tokens_per_minute: float | None = Field(None, gt=0, description="Per model; empty: no limit.")
    timeout_s: float | None = Field(
        None, gt=0, description="For one response; empty means `teacher_timeout_s`."
    )
    batch: bool = Field(default=False, description="Whether it has the batch protocol.")
    serve: dict[str, Any] | None = Field(
        None, description="How to start a model server, instead of `url`."
    )

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum((self.url is not None, bool(self.urls), self.serve is not None)) != 1:
            msg = "expected exactly one of url, urls and serve"
            raise ValueError(msg)
        return self


class _EndpointsFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: list[EndpointEntry] = Field(min_length=1)


def read_endpoints(
    path: Path, variable: Callable[[str], str | None], otherwise: Endpoint
) -> tuple[Endpoint, ...]:
    """Return the endpoints that a file lists.

    Args:
        path: a YAML file with a list `endpoints`.
        variable: gives the value of an environment variable.
        otherwise: limits of entries that state none.

    Raises:
        UsageError: the file cannot be used, or a key's variable is not set.
    """
    entries = _entries(path)
    found = [e for entry in entries for e in _endpoints(entry, path, variable, otherwise)]
    names = [endpoint.name for endpoint in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{path}: endpoint names {twice} stand there more than once; rename them"
        raise UsageError(msg)
    return tuple(found)


def for_model(endpoints: Sequence[Endpoint], model: str) -> tuple[Endpoint, ...]:
    """Return the endpoints that serve `model`.

    Raises:
        UsageError: there is none.
    """
    found = tuple(endpoint for endpoint in endpoints if endpoint.serves(model))
    if not found:
        known = sorted({name for endpoint in endpoints for name in endpoint.models or ()})
        msg = f"no endpoint serves {model!r}; those listed serve {known}: add it to one of them"
        raise UsageError(msg)
    return found


def _entries(path: Path) -> list[EndpointEntry]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        msg = f"cannot read the endpoints file {path}: {exc}"
        raise UsageError(msg) from exc
    try:
        return _EndpointsFile.model_validate(raw).endpoints
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the file"
        msg = f"{path}: {place}: {problem['msg'].removeprefix('Value error, ')}"
        raise UsageError(msg) from None


def _endpoints(
    entry: EndpointEntry,
    path: Path,
    variable: Callable[[str], str | None],
    otherwise: Endpoint,
) -> list[Endpoint]:
    urls = entry.urls or [entry.url or ""]
    names = [entry.name] if len(urls) == 1 else [f"{entry.name}-{n + 1}" for n in range(len(urls))]
    key = _key(entry, path, variable)
    return [
        Endpoint(
            name=name,
            base_url=url,
            api_key=key,
            models=tuple(entry.models),
            max_in_flight=entry.max_in_flight or otherwise.max_in_flight,
            requests_per_minute=entry.requests_per_minute,
            tokens_per_minute=entry.tokens_per_minute,
            timeout_s=entry.timeout_s or otherwise.timeout_s,
            batch=entry.batch,
            serve=entry.serve,
        )
        for name, url in zip(names, urls, strict=True)
    ]


def _key(entry: EndpointEntry, path: Path, variable: Callable[[str], str | None]) -> str | None:
    if entry.key_variable is None:
        return None
    key = variable(entry.key_variable)
    if not key:
        msg = f"{path}: {entry.name}: the variable {entry.key_variable} is not set; it has the key"
        raise UsageError(msg)
    return key
