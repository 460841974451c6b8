"""What the embedded teacher understands of a request: the labelled lines, and the images' sizes.

Labels stand at the start of a line; of a label that occurs twice the last counts for `Task` and
`Round` (they close the prompt) and the first for the others, so a question that quotes a label
does not change the task.  Boxes keep their text as well, for citing them exactly as given.
"""

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from PIL import Image, UnidentifiedImageError

from sightline.boxes import Box, as_box

Task = Literal["zoom", "final", "single"]

_BOX: Final = r"\[\s*([^\[\]]+?)\s*\]"
_OBJECT: Final = re.compile(
    rf"^-\s*(?P<id>[^.\s]+)\.\s+(?P<name>.+?)\s+{_BOX}(?:\s+depth\s+(?P<depth>[0-9.]+))?\s*$",
    re.MULTILINE,
)
_CHOICE: Final = re.compile(r"\(([A-Z])\)\s*(.*?)\s*(?=\([A-Z]\)|$)")


@dataclass(frozen=True, slots=True)
class SeenObject:
    """One line of the object list; `box` in fractions of the view, `depth` larger = nearer."""

    name: str
    box: Box
    box_text: str
    depth: float | None
    depth_text: str | None

    @property
    def cited(self) -> str:
        """Return the object as a rationale cites it: `name ([x1,y1,x2,y2], depth 0.83)`."""
        depth = f", depth {self.depth_text}" if self.depth_text else ""
        return f"{self.name} ([{self.box_text}]{depth})"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The labelled lines of a request; null or empty where a line is absent."""

    task: Task
    question: str
    choices: tuple[tuple[str, str], ...]
    reference: str | None
    target: Box | None
    objects: tuple[SeenObject, ...]
    round: int


def read_prompt(text: str) -> Prompt:
    """Return the labelled lines of `text`; total on any input."""
    task = _last(r"Task:\s*(zoom|final|single)\b", text)
    target = _first(rf"Target region:\s*{_BOX}", text)
    rounds = _last(r"Round:\s*(\d{1,3})\b", text)
    return Prompt(
        task="zoom" if task == "zoom" else "final" if task == "final" else "single",
        question=_first(r"Question:[ \t]*(.*)", text) or "",
        choices=tuple(_CHOICE.findall(_first(r"Choices:[ \t]*(.*)", text) or "")),
        reference=_first(r"Reference answer:[ \t]*(.*)", text) or None,
        target=_box(target) if target else None,
        objects=tuple(o for match in _OBJECT.finditer(text) if (o := _object(match))),
        round=int(rounds) if rounds else 1,
    )


def _first(pattern: str, text: str) -> str | None:
    match = re.search(rf"^{pattern}", text, re.MULTILINE)
    return match.group(1).strip() if match else None


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(rf"^{pattern}", text, re.MULTILINE)
    return str(found[-1]) if found else None


def _box(text: str) -> Box | None:
    try:
        return as_box([float(number) for number in text.split(",")])
    except ValueError:
        return None


def _object(match: re.Match[str]) -> SeenObject | None:
    box_text, depth_text = match.group(3), match.group("depth")
    box = _box(box_text)
    if box is None:
        return None
    try:
        depth = float(depth_text) if depth_text else None
    except ValueError:
        return None
    return SeenObject(
        name=match.group("name"),
        box=box,
        box_text=",".join(number.strip() for number in box_text.split(",")),
        depth=depth,
        depth_text=depth_text,
    )


def message_text(messages: list[Any]) -> str:
    """Return all text of a request's messages, one part after another."""
    texts: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [t for p in parts if isinstance(p, dict) and isinstance(t := p.get("text"), str)]
    return "\n".join(texts)


def message_images(messages: list[Any]) -> list[str]:
    """Return the URLs of a request's images."""
    urls: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else []:
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else image
            if isinstance(url, str):
                urls.append(url)
    return urls


def image_size(data_url: str) -> tuple[int, int] | None:
    """Return (width, height) of a data URL's image, null if it is none or cannot be read."""
    head, _, encoded = data_url.partition(";base64,")
    if not head.startswith("data:") or not encoded:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
            return image.size
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    except Image.DecompressionBombError:
        return None


def image_tokens(width: int, height: int) -> int:
    """Return what an image counts: 85 + 170 per 512 px tile after scaling (gpt-4o's rule)."""
    fit = min(1.0, 2048 / max(width, height))
    fit *= min(1.0, 768 / max(1.0, min(width, height) * fit))
    tiles = -(-max(1, round(width * fit)) // 512) * -(-max(1, round(height * fit)) // 512)
    return 85 + 170 * tiles
