"""A lake with pictures, objects, depth and chains of every fate, as rows.

Pictures are drawn, or real ones handed in; depth is a ramp and masks are ellipses in the boxes, so
that every layer of the page has something to show.  Ids are short words, so tests can name them.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import duckdb
import numpy as np
import pyarrow as pa

from infra.images.depth_codec import Direction, encode_depth
from infra.images.masks import encode_mask
from infra.images.pixels import crop, encode_jpeg
from sightline.boxes import Box, from_view, px_to_frac
from tests.sql.lake_tables import Rows

FULL: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Scene:
    """A picture and one question about a region of it."""

    name: str
    rgb: np.ndarray
    question: str
    answer: str
    box_px: Box
    domain: str = "count"
    things: tuple[tuple[str, Box], ...] = ()
    dataset: str = "demo"
    data: bytes = b""
    licence: str | None = "CC-BY-4.0"

    @property
    def encoded(self) -> bytes:
        return self.data or encode_jpeg(self.rgb)

    @property
    def size(self) -> tuple[int, int]:
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def target(self) -> Box:
        return px_to_frac(self.box_px, *self.size)


@dataclass
class DemoLake:
    """Rows of a lake; `tell` adds a scene with its chain."""

    teacher: str = "template-teacher"
    rows: Rows = field(default_factory=lambda: {"runs": []})

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def store(self, data: bytes, size: tuple[int, int], parent: str | None = None) -> str:
        image_id = hashlib.sha256(data).hexdigest()
        known = {row["image_id"] for row in self.rows.get("images", [])}
        if image_id not in known:
            self.add(
                "images",
                image_id=image_id,
                bytes=data,
                n_bytes=len(data),
                width=size[0],
                height=size[1],
                format="jpeg",
                parent_image_id=parent,
                crop_box=None if parent is None else [0.0, 0.0, 1.0, 1.0],
            )
        return image_id

    def ask(self, scene: Scene) -> str:
        """Store a scene and its facts; return the image id."""
        image_id = self.store(scene.encoded, scene.size)
        self.add(
            "samples",
            sample_id=scene.name,
            dataset=scene.dataset,
            domain=scene.domain,
            question=scene.question,
            answer=scene.answer,
            image_ids=[image_id],
            image_width=scene.size[0],
            image_height=scene.size[1],
            boxes=[list(scene.box_px)],
            licence=scene.licence,
        )
        self._annotate(scene, image_id)
        return image_id

    def _annotate(self, scene: Scene, image_id: str) -> None:
        if any(row["image_id"] == image_id for row in self.rows.get("depth_maps", [])):
            return
        grey = cv2.cvtColor(scene.rgb, cv2.COLOR_RGB2GRAY)
        smooth = cv2.GaussianBlur(cv2.resize(grey, (140, 105)), (0, 0), 6).astype(np.float32)
        depth = encode_depth(smooth / 255 + np.linspace(0, 1, 105, dtype=np.float32)[:, None],
                             Direction.LARGER_NEARER)  # fmt: skip
        self.add(
            "depth_maps",
            image_id=image_id,
            model="embedded",
            depth=depth.png,
            width=depth.width,
            height=depth.height,
            lo=depth.lo,
            hi=depth.hi,
            p2=depth.p2,
            p98=depth.p98,
            direction="larger_nearer",
        )
        for number, (category, box) in enumerate(scene.things, start=1):
            self._thing(image_id, number, category, box)

    def _thing(self, image_id: str, number: int, category: str, box: Box) -> None:
        grid = np.zeros((96, 128), dtype=np.uint8)
        centre = (round((box[0] + box[2]) * 64), round((box[1] + box[3]) * 48))
        axes = (max(1, round((box[2] - box[0]) * 64)), max(1, round((box[3] - box[1]) * 48)))
        cv2.ellipse(grid, centre, axes, 0, 0, 360, 1, -1)
        self.add(
            "objects",
            image_id=image_id,
            object_id=number,
            category=category,
            box=list(box),
            mask_rle=encode_mask(grid.astype(bool)),
            mask_width=128,
            mask_height=96,
            score=0.9,
            depth_p10=0.2,
            depth_median=round(min(0.95, box[3]), 3),
            depth_p90=1.0,
            depth_status="ok",
        )

    def reply(
        self, scene: Scene, number: int, stage: str, view: Box, image_id: str, **values: Any
    ) -> str:
        """Add one reply and its call; return its id."""
        name = f"{scene.name}-g{number}"
        call = {"request_key": f"key-{name}", "draw": 0, "teacher": self.teacher}
        self.add(
            "generations",
            generation_id=name,
            chain_id=f"{scene.name}-chain",
            subject_id=scene.name,
            round=number,
            stage=stage,
            view_image_id=image_id,
            view_box=list(view),
            **call | {"outcome": "success"} | values,
        )
        self.add("ledger", step="distill", tokens_in=900, tokens_out=80, cost_usd=0.002, **call)
        return name

    def say(self, scene: Scene, reply: str, number: int, said: Sequence[dict[str, Any]]) -> None:
        """Add the steps of one reply, in order."""
        for position, step in enumerate(said):
            self.add(
                "steps",
                generation_id=reply,
                position=position,
                chain_id=f"{scene.name}-chain",
                sample_id=scene.name,
                round=number,
                **step,
            )

    def judge(
        self, subject: str, rule: str, *, passed: bool | None, kind: str = "chain", **values: Any
    ) -> None:
        self.add(
            "verdicts", subject_id=subject, subject_kind=kind, rule=rule, passed=passed, **values
        )

    def zoom(self, scene: Scene, rois: Sequence[Box], answer: str) -> None:
        """Add a chain that zooms along `rois` (each on its view) and answers on the last one."""
        image_id, view = self.ask(scene), FULL
        shown = image_id
        for number, roi in enumerate(rois, start=1):
            reply = self.reply(scene, number, "zoom", view, shown)
            original = from_view(roi, view)
            box = {"box": list(roi), "box_stated": list(roi), "box_original": list(original)}
            text = "The region that matters lies a little below the middle; its edges are clear."
            self.say(
                scene,
                reply,
                number,
                [
                    {"kind": "image", "image_id": shown},
                    {"kind": "description", "text": f"View {number} of {scene.domain}."},
                    {"kind": "roi", **box},
                    {"kind": "reasoning", "text": text},
                ],
            )
            self.judge(reply, "roi_valid", passed=True, kind="generation", score=0.25)
            view = original
            part = encode_jpeg(crop(scene.rgb, view, 16))
            shown = self.store(part, (100, 100), parent=image_id)
        self.final(scene, len(rois) + 1, view, shown, answer)

    def single(self, scene: Scene, answer: str) -> None:
        """Add a chain that answers at first sight."""
        self.final(scene, 1, FULL, self.ask(scene), answer, stage="single")

    def final(
        self, scene: Scene, number: int, view: Box, shown: str, answer: str, stage: str = "final"
    ) -> None:
        reply = self.reply(scene, number, stage, view, shown)
        said = [
            {"kind": "image", "image_id": shown},
            {"kind": "reasoning", "text": f"What can be read here settles it: {answer}."},
            {"kind": "answer", "text": answer},
        ]
        self.say(scene, reply, number, said)
        right = answer == scene.answer
        detail = f"{'equal' if right else 'different'}: expected {scene.answer!r}, found {answer!r}"
        chain = f"{scene.name}-chain"
        self.judge(chain, "answer_match", passed=right, score=float(right), detail=detail)
        self.judge(chain, "depth_cited_agrees", passed=None, detail="no depth is cited")


def drawn(seed: int, width: int = 320, height: int = 240) -> np.ndarray:
    """Return a small picture: a gradient with two discs."""
    ramp = np.linspace(60, 200, width, dtype=np.uint8)
    rgb = np.repeat(np.tile(ramp, (height, 1))[:, :, None], 3, axis=2)
    rgb[:, :, seed % 3] = 255 - rgb[:, :, seed % 3]
    cv2.circle(rgb, (width // 3, height // 2), 30 + seed, (250, 200, 40), -1)
    cv2.circle(rgb, (2 * width // 3, height // 2), 25, (30, 60, 200), -1)
    return rgb


def drawn_scene(name: str, seed: int = 0, **values: Any) -> Scene:
    given: dict[str, Any] = {
        "question": "How many discs are there?",
        "answer": "two",
        "box_px": (70.0, 85.0, 145.0, 155.0),
        "things": (("disc", (0.2, 0.3, 0.5, 0.7)), ("disc", (0.55, 0.35, 0.8, 0.65))),
    }
    return Scene(name, drawn(seed), **(given | values))


def small_demo() -> DemoLake:
    """Return a lake with a zoomed, a single, a wrong, a cut and a disputed sample."""
    lake = DemoLake()
    lake.zoom(drawn_scene("zoomed"), [(0.1, 0.2, 0.7, 0.8), (0.1, 0.1, 0.8, 0.9)], "two")
    lake.single(drawn_scene("single", 1, domain="colour"), "two")
    lake.single(drawn_scene("wrong", 2, answer="three"), "two")
    cut = drawn_scene("cut", 3)
    lake.reply(cut, 1, "zoom", FULL, lake.ask(cut), outcome="truncated")
    lake.ask(drawn_scene("unasked", 4))
    lake.single(drawn_scene("here", 5, question="What colour?", answer="red"), "red")
    lake.ask(drawn_scene("there", 5, question="what colour?", answer="blue"))
    lake.add("failures", step="ingest", item_id="row7", code="image_missing", detail="a.jpg")
    lake.add("runs", run_id="r1", step="ingest", rows_in=9, recipe="demo", calls_reused=None)
    lake.add("runs", run_id="r2", step="distill", recipe="demo", calls_made=7, calls_reused=2)
    return lake


def query_of(con: duckdb.DuckDBPyConnection) -> Callable[[str, Sequence[Any]], pa.Table]:
    """Return what the catalog hands to the publish step."""

    def query(sql: str, values: Sequence[Any]) -> pa.Table:
        return con.cursor().sql(sql, params=list(values)).to_arrow_table()

    return query
