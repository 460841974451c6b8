"""Builds a source from what a recipe says: its kind, its name and its options.

An unknown kind or option, or a missing one, is a `UsageError` that lists the known ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import UnionType
from typing import Any, Final, get_args, get_origin

from sightline.errors import UsageError
from tasks.ingest.image_folder import ImageFolderOptions, ImageFolderSource
from tasks.ingest.scene_source import SceneOptions, SceneSource
from tasks.ingest.source import Source
from tasks.ingest.table import TableOptions, TableSource
from tasks.ingest.video import VideoOptions, VideoSource
from tasks.ingest.visual_cot import VisualCotOptions, VisualCotSource


@dataclass(frozen=True, slots=True)
class Kind:
    """The options class of a kind of source, and what builds the source."""

    options: type[Any]
    build: Callable[[str, Any], Source]


KINDS: Final[dict[str, Kind]] = {
    "scenes": Kind(SceneOptions, SceneSource),
    "visual_cot": Kind(VisualCotOptions, VisualCotSource),
    "image_folder": Kind(ImageFolderOptions, ImageFolderSource),
    "table": Kind(TableOptions, TableSource),
    "video": Kind(VideoOptions, VideoSource),
}


AT_LEAST_ONE: Final = frozenset({"limit", "max_bytes", "max_frame_pixels", "max_file_frames"})
"""Options that count something."""


def open_source(kind: str, name: str, options: Mapping[str, Any]) -> Source:
    """Return the source `name` of `kind`.

    Raises:
        UsageError: the kind or an option is unknown, missing, or of the wrong type.
        SourceError: what the options point at is not there.
    """
    if kind not in KINDS:
        msg = f"source kind must be one of {sorted(KINDS)}, found {kind!r}"
        raise UsageError(msg)
    if not name:
        msg = "a source needs a name, found an empty one"
        raise UsageError(msg)
    known = {f.name: f for f in fields(KINDS[kind].options)}
    required = {n for n, f in known.items() if f.default is f.default_factory is MISSING}
    unknown, missing = sorted(set(options) - set(known)), sorted(required - set(options))
    if unknown or missing:
        msg = (
            f"a {kind!r} source takes {sorted(known)} and needs {sorted(required)}; "
            f"unknown: {unknown}, missing: {missing}"
        )
        raise UsageError(msg)
    for option, value in options.items():
        _require_type(kind, known[option], value)
    return KINDS[kind].build(name, KINDS[kind].options(**options))


def _require_type(kind: str, option: "Field[Any]", value: Any) -> None:
    allowed = _plain_types(option.type)
    is_number = float in allowed and isinstance(value, int)
    is_wrong_bool = isinstance(value, bool) and bool not in allowed
    if is_wrong_bool or not (isinstance(value, allowed) or is_number):
        names = " or ".join(t.__name__ for t in allowed)
        msg = f"option {option.name!r} of a {kind!r} source must be {names}, found {value!r}"
        raise UsageError(msg)
    if isinstance(value, int) and option.name in AT_LEAST_ONE and value < 1:
        msg = f"option {option.name!r} of a {kind!r} source must be at least 1, found {value!r}"
        raise UsageError(msg)


def _plain_types(annotation: Any) -> tuple[type[Any], ...]:
    """Return the run-time types of an annotation; a Literal's members count as text."""
    if isinstance(annotation, UnionType):
        return tuple(t for part in get_args(annotation) for t in _plain_types(part))
    origin = get_origin(annotation)
    if origin is None:
        return (annotation,)
    return (origin,) if isinstance(origin, type) else (str,)
