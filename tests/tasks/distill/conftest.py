"""Cases, replies and a scripted teacher for chains."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PIL import Image

from infra.teacher.types import Request, Response
from sightline.outcomes import Outcome
from tasks.distill.case import ChainCase, ChainParams, SceneObject

FIG2_TARGET = (0.494, 0.456, 0.654, 0.610)
"""arXiv:2511.17731, figure 2."""

CaseFactory = Callable[..., ChainCase]


@pytest.fixture
def make_case() -> CaseFactory:
    def make(**changes: Any) -> ChainCase:
        params = changes.pop("params", {})
        case = ChainCase(
            sample_id="sample_1",
            question="What is on the sign?",
            choices=(),
            answer="stop",
            answer_kind="text",
            target=FIG2_TARGET,
            image_id="image_1",
            width=1000,
            height=1000,
            objects=(),
            params=ChainParams(teacher="scripted", **params),
        )
        return replace(case, **changes)

    return make


@pytest.fixture
def sign() -> SceneObject:
    return SceneObject(object_id=3, category="sign", box=FIG2_TARGET, depth=0.83)


def zoom_text(roi: Any, **extra: Any) -> str:
    said = {"description": "a street", "roi": roi, "reasoning": "the sign is there"}
    return json.dumps(said | extra)


def final_text(answer: Any = "stop", reasoning: str = "it reads stop") -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer})


def png(width: int = 100, height: int = 80) -> bytes:
    """Return a smooth picture in which every region looks different."""
    image = Image.new("RGB", (width, height))
    image.putdata(
        [(2 * x % 256, 2 * y % 256, (x + y) % 256) for y in range(height) for x in range(width)]
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@dataclass
class ScriptedTeacher:
    """Answers by task line from `texts`, to a repair turn from `repaired` where it has the task."""

    texts: dict[str, str]
    repaired: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    delay_s: Callable[[Request], float] = lambda _request: 0.0
    requests: list[Request] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    async def ask(self, request: Request) -> Response:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(self.delay_s(request))
        self.running -= 1
        task = str(request.content[1]).split("\nTask: ")[1].split("\n")[0]
        text = self.repaired.get(task, self.texts[task]) if request.turns else self.texts[task]
        return Response(
            request_key=request.request_key,
            draw=request.draw,
            text=text,
            thinking=None,
            raw_text=text,
            outcome=self.outcomes.get(task, Outcome.SUCCESS),
            finish_reason="stop",
            tokens_in=10,
            tokens_out=5,
            tokens_reasoning=None,
            cost_usd=0.001,
            latency_ms=1.0,
            reused=False,
        )


@pytest.fixture
def texts() -> dict[str, str]:
    return {
        "zoom": zoom_text([0.45, 0.35, 0.66, 0.61]),
        "final": final_text(),
        "single": final_text(),
    }


@pytest.fixture
def teacher(texts: dict[str, str]) -> ScriptedTeacher:
    return ScriptedTeacher(texts)


@pytest.fixture
def said() -> Callable[..., str]:
    return zoom_text


@pytest.fixture
def answered() -> Callable[..., str]:
    return final_text


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return png
