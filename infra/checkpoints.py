"""From the name of weights to a checked folder on this machine.

    embedded:depth             shipped inside the package `tasks.depth`, never touches a network
    ./weights/da-v2-small      a folder; relative, absolute or with ~
    s3://bucket/da-v2-small    an object-store prefix, copied once per machine
    org/name or org/name@rev   a model hub id; the local hub cache first, then the hub

An existing folder wins over a hub id of the same spelling.  Everything is checked before an image
is read: configuration parses, every shard is present and has its full length, and the sha256 of
the weights is what the card beside them says, if there is one.  Pickled weights and TorchScript
archives are refused: loading one runs what it holds.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from infra.lake.objects import ObjectStore, open_store
from sightline.errors import CheckpointError, LakeError

EMBEDDED: Final = "embedded:"
CONFIG: Final = "config.json"
CARD: Final = "card.json"
WEIGHTS: Final = "model.safetensors"
SHARD_INDEX: Final = "model.safetensors.index.json"
WANTED_FILES: Final = ("*.json", "*.safetensors", "*.txt", "README.md", "LICENSE*")
"""What is fetched from a hub or a bucket: no pickles, no images, no second framework.  Text files
hold the words of tokenizers."""

PICKLES: Final = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
"""Endings of weights that hold programs; TorchScript archives end in `.pt` too."""

HUB_ID: Final = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
README_LICENCE: Final = re.compile(r"^licen[sc]e:\s*['\"]?([\w.-]+)", re.MULTILINE)
SPDX_CASE: Final = {"apache-2.0": "Apache-2.0", "cc-by-nc-4.0": "CC-BY-NC-4.0", "mit": "MIT"}

_CHUNK_BYTES: Final = 1 << 22
_LENGTH_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 100_000_000
"""The limit of the safetensors format."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights that were found whole.

    Attributes:
        name: as written in the recipe; goes into `model` columns.
        folder: where they lie on this machine.
        weights_sha: sha256 of the weights file; of the shards' names and sha256s if sharded.
        licence: as the card or the readme beside them states it; None if neither does.
    """

    name: str
    folder: Path
    weights_sha: str
    licence: str | None


def default_cache() -> Path:
    """Return the folder that copies from object stores are kept in."""
    return Path.home() / ".cache" / "sightline" / "checkpoints"


def resolve(
    weights: str,
    *,
    cache: Path | None = None,
    stores: Callable[[str], ObjectStore] = open_store,
) -> Checkpoint:
    """Return the checked checkpoint that `weights` names.

    Args:
        weights: one of the forms in the module's docstring.
        cache: where copies from object stores go.
        stores: opens the store of a URI; the default finds credentials by the standard AWS chain.

    Raises:
        CheckpointError: nothing of that name, incomplete, damaged, or not safetensors.
    """
    folder = _folder_of(weights, cache or default_cache(), stores)
    card = _card(folder)
    sha = _verified_sha(folder, card)
    name = "embedded" if weights.startswith(EMBEDDED) else weights
    return Checkpoint(name, folder, sha, _licence(folder, card))


def _folder_of(weights: str, cache: Path, stores: Callable[[str], ObjectStore]) -> Path:
    if weights.startswith(EMBEDDED):
        return _embedded(weights.removeprefix(EMBEDDED))
    if "://" in weights:
        return _copied(weights, cache, stores)
    path = Path(weights).expanduser()
    if path.is_dir():
        return path
    if path.suffix in PICKLES and path.is_file():
        msg = (
            f"weights {weights!r}: pickles and TorchScript archives run code when they are loaded; "
            f"expected a folder with {CONFIG} and {WEIGHTS}: convert them where they are trusted"
        )
        raise CheckpointError(msg)
    hub = HUB_ID.fullmatch(weights)
    if hub is None or weights.startswith("."):
        msg = (
            f"weights {weights!r}: no such folder, and not 'embedded:<family>', an object-store "
            "URI or a hub id 'org/name'"
        )
        raise CheckpointError(msg)
    return _from_hub(hub["repo"], hub["revision"])


def _embedded(family: str) -> Path:
    spec = find_spec(f"tasks.{family}") if family.isidentifier() else None
    roots = spec.submodule_search_locations if spec else None
    folders = [Path(root) / "embedded" for root in roots or ()]
    found = next((folder for folder in folders if folder.is_dir()), None)
    if found is None:
        msg = f"no embedded weights for {family!r}; expected 'embedded:depth' or 'embedded:segment'"
        raise CheckpointError(msg)
    return found


def _from_hub(repo: str, revision: str | None) -> Path:
    """Return the cached copy if it is whole, else fetch: a download may have broken off before."""
    with suppress(LocalEntryNotFoundError, OSError, ValueError, CheckpointError):
        folder = _snapshot(repo, revision, is_local=True)
        _whole_files(folder)
        return folder
    try:
        return _snapshot(repo, revision, is_local=False)
    except (HfHubHTTPError, OSError, ValueError) as exc:
        msg = (
            f"weights {repo!r} are not in the hub cache and could not be fetched "
            f"({type(exc).__name__}); name a local folder or an object-store URI instead"
        )
        raise CheckpointError(msg) from exc


def _snapshot(repo: str, revision: str | None, *, is_local: bool) -> Path:
    wanted = list(WANTED_FILES)
    return Path(
        snapshot_download(repo, revision=revision, allow_patterns=wanted, local_files_only=is_local)
    )


def _copied(uri: str, cache: Path, stores: Callable[[str], ObjectStore]) -> Path:
    """Copy a prefix into `cache` once; the copy appears whole, whoever else copies it too."""
    try:
        store = stores(uri)
        listed = [o for o in store.list() if _is_wanted(o.key)]
    except (LakeError, OSError) as exc:
        msg = f"weights {uri!r} cannot be listed: {exc}"
        raise CheckpointError(msg) from exc
    if not listed:
        msg = f"weights {uri!r}: no config.json or safetensors file under this prefix"
        raise CheckpointError(msg)
    state = [(o.key, o.size, o.modified.isoformat()) for o in listed]
    folder = cache / hashlib.sha256(json.dumps([uri, state]).encode()).hexdigest()[:32]
    if not folder.is_dir():
        _download(store, [o.key for o in listed], folder)
    return folder


def _is_wanted(key: str) -> bool:
    return any(fnmatch(Path(key).name, pattern) for pattern in WANTED_FILES)


def _download(store: ObjectStore, keys: list[str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".incomplete-", dir=folder.parent))
    try:
        for key in keys:
            target = partial / key
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download(key, target)
        partial.rename(folder)
    except (LakeError, OSError) as exc:
        if not folder.is_dir():  # else another worker was first with the same content
            msg = f"weights {store.uri!r} could not be copied to {folder}: {exc}"
            raise CheckpointError(msg) from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _card(folder: Path) -> Mapping[str, Any]:
    path = folder / CARD
    return _json_object(path) if path.is_file() else {}


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        msg = f"incomplete checkpoint: expected {path.name} in {path.parent}"
        raise CheckpointError(msg) from exc
    except ValueError as exc:
        msg = f"{path} is not JSON: {exc}"
        raise CheckpointError(msg) from exc
    if not isinstance(value, dict):
        msg = f"{path}: expected a JSON object, found {type(value).__name__}"
        raise CheckpointError(msg)
    return value


def _verified_sha(folder: Path, card: Mapping[str, Any]) -> str:
    files = _whole_files(folder)
    shas = [_sha256(path) for path in files]
    if len(shas) == 1:
        sha = shas[0]
    else:
        lines = "".join(f"{sha}  {path.name}\n" for sha, path in zip(shas, files, strict=True))
        sha = hashlib.sha256(lines.encode()).hexdigest()
    stated = card.get("weights_sha256", sha)
    if stated != sha:
        msg = f"{folder}: weights have sha256 {sha}, the card states {stated}; fetch them again"
        raise CheckpointError(msg)
    return sha


def _whole_files(folder: Path) -> list[Path]:
    """Return the weights of a checkpoint that has its configuration and all its bytes."""
    _json_object(folder / CONFIG)
    files = _weight_files(folder)
    for path in files:
        _check_length(path)
    return files


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / SHARD_INDEX).is_file():
        shards = _json_object(folder / SHARD_INDEX).get("weight_map", {})
        return sorted({folder / str(name) for name in shards.values()})
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)
    found = f"only {pickles}, which run code when they are loaded: convert them"
    found = found if pickles else "none"
    msg = f"incomplete checkpoint: expected {WEIGHTS} or {SHARD_INDEX} in {folder}, found {found}"
    raise CheckpointError(msg)


def _check_length(path: Path) -> None:
    """Compare a safetensors file's length with what its own header promises."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            header = json.loads(file.read(min(length, _MAX_HEADER_BYTES)))
        ends = [t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
        msg = f"incomplete checkpoint: {path} is missing or has no safetensors header"
        raise CheckpointError(msg) from exc
    expected = _LENGTH_BYTES + length + max(ends, default=0)
    if size != expected:
        msg = f"incomplete checkpoint: {path} should have {expected} bytes, found {size}"
        raise CheckpointError(msg)


def _sha256(path: Path) -> str:
    state = path.stat()
    return _sha256_of_state(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256_of_state(path: Path, _size: int, _mtime_ns: int) -> str:
    """Hash a file once, as long as it does not change: the driver asks again for every part."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _licence(folder: Path, card: Mapping[str, Any]) -> str | None:
    if isinstance(card.get("licence"), str):
        return str(card["licence"])
    readme = folder / "README.md"
    if not os.access(readme, os.R_OK):
        return None
    found = README_LICENCE.search(readme.read_text(errors="replace")[:4096])
    return SPDX_CASE.get(found[1].lower(), found[1]) if found else None
