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

from infra.embedded_teacher.misbehaviour import Misbehaviour
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


def serve_teacher(host: str, port: int, log: Path | None, misbehave: Sequence[str]) -> None:
    """Serve until interrupted.

    Args:
        host: address to listen on.
        port: 0 for any free one.
        log: JSONL file of every request.
        misbehave: `name=value` fields of `Misbehaviour`.

    Raises:
        UsageError: a name is unknown or a value is out of range.
    """
    misbehaviour = Misbehaviour.from_mapping(dict(_pair(text) for text in misbehave))
    config = ServerConfig(host=host, port=port, misbehaviour=misbehaviour, log=log)
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
