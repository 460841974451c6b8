"""What runs in the foreground: `sightline serve` (deployments) and `sightline teacher serve`.

`serve` is `prefect deploy --all` and a worker in one process, without a work pool: the same
deployments, read from the same prefect.yaml, for as long as it runs.  Prefect is imported once its
API is known.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL
from infra.embedded_teacher.server import ServerConfig, serve
from infra.prefect_api.server import prefect_api, use
from infra.settings import load_settings
from sightline.errors import UsageError

SERVED_KEYS = ("name", "description", "tags", "parameters")


def serve_deployments(file: Path) -> None:
    """Run the deployments of `file` on schedule and on demand until interrupted.

    Their schedules pause when it ends, and go on when it starts again.

    Raises:
        UsageError: there is no such file, or it holds no deployments.
    """
    declared = _declared(file)
    settings = load_settings()
    with prefect_api(settings) as session:
        use(session)
        prefect: Any = importlib.import_module("prefect")
        deployments = [_served(each) for each in declared]
        _say(f"Serving {len(deployments)} deployments; see {session.ui_url}/deployments")
        prefect.serve(*deployments, print_starting_message=False)


def _declared(file: Path) -> list[Mapping[str, Any]]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as exc:
        msg = f"expected a file with deployments at {str(file)!r}, found {exc!r}"
        raise UsageError(msg) from exc
    return list(found)


def _served(declared: Mapping[str, Any]) -> Any:
    """Return the runner's form of one deployment; a work pool is not needed, so not kept.

    Without pull steps Prefect takes `module:flow` for a file; `module.flow` is the same module.
    """
    runner: Any = importlib.import_module("prefect.deployments.runner")
    schedules: Any = importlib.import_module("prefect.schedules")
    objects: Any = importlib.import_module("prefect.client.schemas.objects")
    given = {key: declared[key] for key in SERVED_KEYS if key in declared}
    crons = [
        schedules.Cron(each["cron"], **{key: each[key] for key in each if key != "cron"})
        for each in declared.get("schedules", [])
    ]
    limit = declared.get("concurrency_limit")
    return runner.RunnerDeployment.from_entrypoint(
        declared["entrypoint"].replace(":", "."),
        **given,
        schedules=crons,
        concurrency_limit=objects.ConcurrencyLimitConfig(**limit) if limit else None,
    )


def teacher_config(file: Path | None, changes: Sequence[str]) -> ServerConfig:
    """Return what the embedded teacher shall serve.

    Args:
        file: YAML with any of `model`, `behaviour` (fields of `Misbehaviour`) and `models`
            (further models: their names, each with its behaviour).
        changes: `name=value` fields of `Misbehaviour`, instead of the file's.

    Raises:
        UsageError: the file cannot be used, a name is unknown or a value is out of range.
    """
    given = _behaviour_file(file) if file else _BehaviourFile()
    own = given.behaviour | dict(_pair(text) for text in changes)
    return ServerConfig(
        model=given.model,
        misbehaviour=Misbehaviour.from_mapping(own),
        others={name: Misbehaviour.from_mapping(how) for name, how in given.models.items()},
    )


class _BehaviourFile(BaseModel):
    """What `--behaviour` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = DEFAULT_MODEL
    behaviour: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)


def _behaviour_file(file: Path) -> _BehaviourFile:
    try:
        return _BehaviourFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as exc:
        msg = f"expected a YAML file with model, behaviour or models at {str(file)!r}, found {exc}"
        raise UsageError(msg) from exc


def serve_teacher(config: ServerConfig) -> None:
    """Serve the embedded teacher until interrupted."""
    serve(config, on_ready=lambda url: _say(f"{config.model} answers at {url}; Ctrl-C ends it"))


def _pair(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator:
        msg = f"--set: expected name=value, found {text!r}"
        raise UsageError(msg)
    return name, yaml.safe_load(value)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
