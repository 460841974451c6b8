"""A recipe: a YAML file that names a source, steps and their parameters.

It holds everything that changes the output and nothing else; addresses, workers and budgets are
settings.  Unknown keys are errors that list the known ones: a misspelt parameter must not silently
build another dataset.  `show` (queries printed after a build) is the one part without effect on
the rows, and is left out of the identity.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL as EMBEDDED_MODEL
from infra.embedded_teacher.names import is_embedded
from sightline.errors import RecipeError
from sightline.provenance import fingerprint_of
from tasks.dedup.params import ChainDedupParams, DedupParams
from tasks.dedup.semantic.params import SemanticDedupParams
from tasks.depth.params import DepthParams
from tasks.detect.params import DetectParams
from tasks.detect.queries import checked_queries
from tasks.distill.writers import DistillParams
from tasks.ground.rules import GroundParams
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.kinds import KINDS, open_source
from tasks.ingest.source import Source
from tasks.review.kinds import Review
from tasks.review.params import JudgeParams, NeedsImageParams, RewriteParams
from tasks.review.rounds import Reviewing
from tasks.segment.families import Prompts
from tasks.segment.params import SegmentParams
from tasks.verify.rules import VerifyParams

P = TypeVar("P")

SLUG = re.compile(r"(?=.{1,40}\Z)[a-z0-9]+(-[a-z0-9]+)*")
"""Part names begin with it as it stands (`tasks.ingest.plan.part_name`)."""
FLOWS = ("visreason",)


@dataclass(frozen=True, slots=True)
class StepChoice(Generic[P]):
    """Whether a step runs, and with which parameters."""

    enabled: bool
    params: P


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of the visreason flow, in the order data travels."""

    dedup: StepChoice[DedupParams]
    depth: StepChoice[DepthParams]
    detect: StepChoice[DetectParams]
    segment: StepChoice[SegmentParams]
    ground: StepChoice[GroundParams]
    distill: StepChoice[DistillParams]
    verify: StepChoice[VerifyParams]
    judge: StepChoice[JudgeParams]
    rewrite: StepChoice[RewriteParams]
    needs_image: StepChoice[NeedsImageParams]
    dedup_chains: StepChoice[ChainDedupParams]
    dedup_semantic: StepChoice[SemanticDedupParams]

    def reviews(self) -> tuple[Reviewing, ...]:
        """Return the second asks that run."""
        choices: dict[Review, StepChoice[Any]] = {
            Review.JUDGE: self.judge,
            Review.REWRITE: self.rewrite,
            Review.NEEDS_IMAGE: self.needs_image,
        }
        return tuple(Reviewing(kind, c.params) for kind, c in choices.items() if c.enabled)


STEP_PARAMS: Mapping[str, type[Any]] = {
    "dedup": DedupParams,
    "depth": DepthParams,
    "detect": DetectParams,
    "segment": SegmentParams,
    "ground": GroundParams,
    "distill": DistillParams,
    "verify": VerifyParams,
    "judge": JudgeParams,
    "rewrite": RewriteParams,
    "needs_image": NeedsImageParams,
    "dedup_chains": ChainDedupParams,
    "dedup_semantic": SemanticDedupParams,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build.

    Attributes:
        name: slug; part names of the dataset begin with `dataset`.
        flow: which flow builds it.
        description: one sentence for people.
        dataset: slug of the dataset in the lake.
        source_kind: one of `KINDS`.
        source_options: options of that source by name.
        images: what an image may be.
        part_rows: source rows per part.
        steps: what runs.
        embedded_teacher: errors the embedded teacher makes on purpose, if it is the teacher.
        show: names of queries in sql/queries printed after a build.
    """

    name: str
    flow: str
    description: str
    dataset: str
    source_kind: str
    source_options: Mapping[str, Any]
    images: ImageLimits
    part_rows: int
    steps: Steps
    embedded_teacher: Misbehaviour
    show: tuple[str, ...] = field(default=(), compare=False)

    @property
    def identity(self) -> str:
        """Return the fingerprint of everything that changes the output."""
        values = asdict(self)
        for without_effect in ("show", "description"):
            values.pop(without_effect)
        return fingerprint_of(values)

    @property
    def uses_embedded_teacher(self) -> bool:
        """Whether replies come from the teacher that ships with the project."""
        return any(map(is_embedded, self.models))

    @property
    def models(self) -> tuple[str, ...]:
        """Return every model that is asked, in the order of the recipe."""
        writers = self.steps.distill.params.writers()
        asked = [writer.params.teacher for writer in writers]
        asked += [r.params.teacher for r in self.steps.reviews() if r.params.teacher]
        asked += [model for model in [self.embedding_model] if model]
        return tuple(dict.fromkeys(asked))

    @property
    def embedding_model(self) -> str | None:
        """Return the model of an endpoint that embeds texts; null if none is asked."""
        semantic = self.steps.dedup_semantic
        return semantic.params.asked_model if semantic.enabled else None

    @property
    def samples_per_row(self) -> int:
        """Return how many samples one source row gives at most; a scene gives several."""
        return int(self.source_options.get("questions_per_scene", 1))

    def source(self) -> Source:
        """Return the source, opened.

        Raises:
            UsageError: an option is unknown, missing or of the wrong type.
            SourceError: it cannot be read at all.
        """
        return open_source(self.source_kind, self.dataset, self.source_options)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in the file `path`.

    Args:
        path: a YAML file, or the name of a recipe that ships with the project.
        overrides: `dotted.key=value`; the value is read as YAML.

    Raises:
        RecipeError: the file, a key or a value is not what a recipe holds.
    """
    file = _find(path)
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as exc:
        msg = f"{file}: expected YAML, found {exc}"
        raise RecipeError(msg) from exc
    if not isinstance(raw, dict):
        msg = f"{file}: expected a mapping of recipe keys, found {type(raw).__name__}"
        raise RecipeError(msg)
    for override in overrides:
        _override(raw, override)
    return parse_recipe(raw)


def parse_recipe(raw: Mapping[str, Any]) -> Recipe:
    """Return the recipe that `raw`, the content of a YAML file, describes.

    Raises:
        RecipeError: a key is unknown or missing, or a value does not fit.
    """
    values = dict(raw)
    source = _mapping(values.pop("source", None), "source")
    steps = _mapping(values.pop("steps", {}), "steps")
    kind = source.pop("kind", None)
    if kind not in KINDS:
        msg = f"source.kind: expected one of {sorted(KINDS)}, found {kind!r}"
        raise RecipeError(msg)
    head = _typed(_Head, values, "recipe")
    return Recipe(
        name=_slug(head.name, "name"),
        flow=_one_of(head.flow, FLOWS, "flow"),
        description=head.description,
        dataset=_slug(head.dataset or head.name, "dataset"),
        source_kind=kind,
        source_options=source,
        images=_typed(ImageLimits, head.images, "images"),
        part_rows=head.part_rows,
        steps=_steps(steps),
        embedded_teacher=_typed(Misbehaviour, head.embedded_teacher, "embedded_teacher"),
        show=tuple(head.show),
    )


@dataclass(frozen=True, slots=True)
class _Head:
    """The plain keys of a recipe file."""

    name: str
    flow: str
    description: str = ""
    dataset: str | None = None
    part_rows: int = 1000
    images: dict[str, Any] = field(default_factory=dict)
    embedded_teacher: dict[str, Any] = field(default_factory=dict)
    show: list[str] = field(default_factory=list)


def _find(path: str | Path) -> Path:
    given = Path(path)
    shipped = Path(__file__).resolve().parents[1] / "recipes"
    named = shipped / f"{given.name.removesuffix('.yaml')}.yaml"
    for candidate in (given, named):
        if candidate.is_file():
            return candidate
    known = sorted(p.stem for p in shipped.glob("*.yaml"))
    msg = f"expected a recipe file or one of {known}, found no file {str(path)!r}"
    raise RecipeError(msg)


def _override(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        msg = f"--set: expected dotted.key=value, found {override!r}"
        raise RecipeError(msg)
    *path, last = key.split(".")
    target = raw
    for name in path:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            msg = f"--set {override!r}: {name!r} holds a value, not keys"
            raise RecipeError(msg)
    target[last] = yaml.safe_load(text)


def _steps(raw: dict[str, Any]) -> Steps:
    unknown = sorted(set(raw) - set(STEP_PARAMS))
    if unknown:
        msg = f"steps: unknown {unknown}; the known ones are {sorted(STEP_PARAMS)}"
        raise RecipeError(msg)
    steps = Steps(**{name: _step(name, raw.get(name)) for name in STEP_PARAMS})
    _check_prompts(steps)
    return steps


def _check_prompts(steps: Steps) -> None:
    """Refuse a detector without queries, and prompts that nobody makes."""
    if steps.detect.enabled:
        checked_queries(steps.detect.params.queries)
    asks_detections = steps.segment.params.prompts is Prompts.DETECTIONS
    if steps.segment.enabled and asks_detections and not steps.detect.enabled:
        msg = "steps.segment.prompts: 'detections' needs step 'detect', which is off"
        raise RecipeError(msg)


def _step(name: str, raw: Any) -> StepChoice[Any]:
    """Return the choice for one step; a step the recipe does not name is off."""
    off: dict[str, Any] = {"enabled": False}
    values = off if raw is None else _mapping(raw, f"steps.{name}")
    enabled = values.pop("enabled", True)
    if not isinstance(enabled, bool):
        msg = f"steps.{name}.enabled: expected true or false, found {enabled!r}"
        raise RecipeError(msg)
    if name == "distill":
        _fill_teacher(values)
    params = _typed(STEP_PARAMS[name], values, f"steps.{name}")
    if enabled and isinstance(params, SemanticDedupParams):
        params.refuse_nothing()
    return StepChoice(enabled, params)


def _fill_teacher(values: dict[str, Any]) -> None:
    """Put in the embedded teacher where none is named; `teacher: null` names none."""
    if values.get("teacher") is None:
        values.pop("teacher", None)
    if not values.get("teachers"):
        values.setdefault("teacher", EMBEDDED_MODEL)


def _typed(kind: type[P], values: Mapping[str, Any], where: str) -> P:
    """Return `values` as the dataclass `kind`, every key known and every value of its type."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        msg = f"{where}: unknown keys {unknown}; the known ones are {sorted(known)}"
        raise RecipeError(msg)
    missing = [
        name
        for name, f in known.items()
        if name not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        msg = f"{where}: {missing} must be given, in the file or with --set"
        raise RecipeError(msg)
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}, found {e['input']!r}"
            for e in exc.errors()
        )
        msg = f"{where}: {problems}"
        raise RecipeError(msg) from exc


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"{where}: expected a mapping of keys, found {value!r}"
        raise RecipeError(msg)
    return dict(value)


def _slug(value: str, where: str) -> str:
    if not SLUG.fullmatch(value):
        msg = f"{where}: expected a name like 'my-photos-2', up to 40 characters, found {value!r}"
        raise RecipeError(msg)
    return value


def _one_of(value: str, known: Sequence[str], where: str) -> str:
    if value not in known:
        msg = f"{where}: expected one of {list(known)}, found {value!r}"
        raise RecipeError(msg)
    return value
