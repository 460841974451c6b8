"""`sightline teacher serve`: the embedded teacher in the foreground."""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.server import ServerConfig, serve
from sightline.errors import UsageError


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
