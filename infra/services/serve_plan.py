"""What an endpoints file says under `serve`: which model to start, with what, how often.

Only `engine`, `model` and what decides the place are named here; every other option of the engine
goes into `args` as its own command line knows it, so that nothing has to be followed from release
to release.  `command` replaces the engine's command, for servers of another kind.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sightline.errors import UsageError

PLACEHOLDERS = ("python", "model", "name", "host", "port", "gpus")


class ServePlan(BaseModel):
    """How to start the servers of one endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["vllm"] = Field("vllm", description="Server program.")
    model: str | None = Field(
        None,
        description="Hub id, or a folder on the machines; empty means the endpoint's first model.",
    )
    gpus: int = Field(1, ge=0, description="GPUs of one server; it splits the model over them.")
    cpus: float = Field(1.0, ge=0, description="Cores that one server reserves on a cluster.")
    replicas: int = Field(1, ge=1, le=1024, description="Servers of this model.")
    args: list[str] = Field(default_factory=list, description="More options of the engine.")
    command: list[str] | None = Field(
        None, description="Another program, with {python} {model} {name} {host} {port} {gpus}."
    )
    health: str = Field("/health", pattern="^/", description="Path that answers 200 when ready.")
    start_timeout_s: float = Field(1800.0, gt=0, description="Longest wait for it to be ready.")
    max_restarts: int = Field(3, ge=0, description="Ends in a row after which it stays down.")

    @field_validator("args", "command", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Take numbers for text: YAML reads `--max-model-len, 8192` as a text and a number."""
        return [str(each) for each in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _command_is_a_template(self) -> Self:
        try:
            for word in self.command or ():
                word.format(**dict.fromkeys(PLACEHOLDERS, ""))
        except (KeyError, IndexError, ValueError) as exc:
            msg = f"the command may hold {{{'} {'.join(PLACEHOLDERS)}}}, found {exc}"
            raise ValueError(msg) from exc
        return self

    def command_line(self, names: Sequence[str], host: str, port: int) -> list[str]:
        """Return the command of one server that listens at `host` and `port`.

        Args:
            names: what requests may call the model.
            host: address to listen on.
            port: a free one.
        """
        model = self.model or names[0]
        values = {
            "python": sys.executable, "model": model, "name": names[0],
            "host": host, "port": port, "gpus": self.gpus,
        }  # fmt: skip
        if self.command is not None:
            return [word.format(**values) for word in self.command]
        return [
            sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", model,
            "--served-model-name", *names,
            "--host", host,
            "--port", str(port),
            "--tensor-parallel-size", str(max(1, self.gpus)),
            *self.args,
        ]  # fmt: skip


def read_serve_plan(endpoint: str, values: Mapping[str, Any]) -> ServePlan:
    """Return the plan that an endpoint's `serve` states.

    Raises:
        UsageError: a key is unknown or a value is not of its kind.
    """
    try:
        return ServePlan.model_validate(dict(values))
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(["serve", *(str(part) for part in problem["loc"])])
        said = problem["msg"].removeprefix("Value error, ")
        msg = f"endpoint {endpoint!r}: {place}: {said}; known are {sorted(ServePlan.model_fields)}"
        raise UsageError(msg) from None
