"""Crops and mirror pictures of a benchmark's pictures: found both ways round, and shown."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infra.images.pixels import encode_png
from infra.lake.objects import open_store
from sightline.ids import image_id
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.gallery import SHARD, Gallery, GalleryWriter, Look
from tasks.decontaminate.view_lookup import CANDIDATES, ViewLookup
from tasks.image_keys.views import VIEWS
from tests.tasks.decontaminate.made import CITY, rules_found, samples
from tests.tasks.decontaminate.stored import KEY, pictured, stored_images
from tests.tasks.dedup.image.scenes import RGB, photo, recompressed, table

PHOTOS = {f"photo-{n}": photo(n) for n in range(4)}
TABLES = {f"table-{n}": table([7 * n + 1, 1234 + n, 88 * n, 345, 17 + n]) for n in range(3)}


def cut(rgb: RGB) -> RGB:
    height, width = rgb.shape[:2]
    return np.ascontiguousarray(rgb[height // 10 :, : -width // 10])


def mirrored(rgb: RGB) -> RGB:
    return np.ascontiguousarray(rgb[:, ::-1])


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a question each."""
    folder = tmp_path_factory.mktemp("exam")
    rows = []
    for name, rgb in (PHOTOS | TABLES).items():
        (folder / f"{name}.png").write_bytes(encode_png(rgb))
        rows.append({"id": name, "question": f"{CITY} {name}", "image": f"{name}.png"})
    (folder / "exam.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "exam.jsonl"


@pytest.fixture(scope="module")
def compared(exam: Path) -> Comparison:
    return pictured(exam.parent / "objects", exam)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (cut, "image_crop"),
        (lambda rgb: recompressed(cut(rgb), 60), "image_crop"),
        (mirrored, "image_flip"),
        (lambda rgb: np.ascontiguousarray(np.rot90(rgb)), "image_flip"),
    ],
)
@pytest.mark.parametrize("name", ["photo-1", "table-1"])
def test_a_changed_picture_of_a_benchmark_is_shown_with_its_evidence(
    compared: Comparison, change: Callable[[RGB], RGB], rule: str, name: str
):
    data = encode_png(change((PHOTOS | TABLES)[name]))
    (row,) = compared.images(stored_images({image_id(data): data})).rows.to_pylist()
    assert (row["rule"], row["decision"], row["benchmark_item"]) == (rule, "review", name)
    assert "ours shows" in row["evidence"]
    assert "of 64 bits apart" in row["evidence"]
    assert 0.8 < row["score"] <= 1


def test_a_benchmark_that_cut_our_picture_is_found_too(tmp_path: Path):
    (tmp_path / "exam").mkdir()
    (tmp_path / "exam" / "part.png").write_bytes(encode_png(cut(PHOTOS["photo-2"])))
    compared = pictured(tmp_path, tmp_path / "exam")
    ours = stored_images({"ours": encode_png(PHOTOS["photo-2"])})
    (row,) = compared.images(ours).rows.to_pylist()
    assert row["rule"] == "image_crop"
    assert "the benchmark shows" in row["evidence"]


def test_other_photos_and_tables_of_other_numbers_match_nothing(compared: Comparison):
    others = {f"other-{n}": encode_png(cut(photo(100 + n))) for n in range(4)}
    changed = table([8, 1299, 88, 345, 18])
    ours = stored_images(others | {"numbers": encode_png(cut(changed))})
    assert compared.images(ours).rows.num_rows == 0


def test_a_copy_is_matched_as_a_whole_and_not_looked_at_again(compared: Comparison):
    ours = stored_images({"copy": encode_png(recompressed(PHOTOS["photo-0"], 40))})
    assert rules_found(compared.images(ours).rows) == {"copy": {"image_phash"}}


@pytest.mark.parametrize(
    ("decisions", "expected"), [([], "review"), (["view_and_question=drop"], "drop")]
)
def test_the_same_question_of_a_part_drops_where_that_is_asked_for(
    exam: Path, decisions: list[str], expected: str
):
    compared = pictured(exam.parent / "objects", exam, decisions=decisions)
    ours = stored_images({"ours": encode_png(cut(PHOTOS["photo-3"]))})
    asked = samples(
        {"question": f"{CITY} photo-3", "image_ids": ["ours"]},
        {"question": "Which town is shown in it?", "image_ids": ["ours"]},
    )
    rows = compared.samples(asked, ours).rows.to_pylist()
    found = [(r["item_id"], r["decision"]) for r in rows if r["rule"] == "view_and_question"]
    assert found == [("s0", expected)]


def test_rules_without_views_look_at_no_pixels(exam: Path):
    compared = pictured(exam.parent / "objects", exam, ["image_phash"])
    ours = stored_images({"ours": encode_png(cut(PHOTOS["photo-3"]))})
    assert compared.images(ours).rows.num_rows == 0


def test_labelled_crops_and_turns_of_real_photos_are_found_and_nothing_else(
    tmp_path: Path, real_data: Path
):
    folder = real_data / "neardup_images"
    labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    (tmp_path / "exam").mkdir()
    for row in labels:
        if row["relation_to_cluster_base"] == "base":
            data = (folder / row["image"]).read_bytes()
            (tmp_path / "exam" / row["id"]).write_bytes(data)
    compared = pictured(tmp_path, tmp_path / "exam")
    near = {r["id"]: r for r in labels if r["relation_to_cluster_base"].startswith("near_dup")}
    ours = stored_images({name: (folder / r["image"]).read_bytes() for name, r in near.items()})
    rows = compared.images(ours).rows.to_pylist()
    clusters = {row["id"]: row["cluster"] for row in labels}
    assert all(clusters[r["item_id"]] == clusters[r["benchmark_item"]] for r in rows)
    by_rule = {r["item_id"].rpartition("_")[2]: r["rule"] for r in rows}
    flips = {name for name, rule in by_rule.items() if rule == "image_flip"}
    assert flips == {"hflip.jpg", "bridge-2-rotate-90.jpg", "bridge-5-flipx.jpg"}
    missed = set(near) - {r["item_id"] for r in rows}
    assert missed == {"ukbench00120__ukbench00120_rotation.jpg"}, "turned by some degrees"


def test_candidates_are_those_of_a_plain_count():
    rng = np.random.default_rng(4)
    theirs = rng.integers(0, 2**63, (20, len(VIEWS))).astype(np.uint64)
    ours = rng.integers(0, 2**63, (30, len(VIEWS))).astype(np.uint64)
    for row in range(30):
        picture, view = rng.integers(0, 20), rng.integers(0, len(VIEWS))
        noise = np.bitwise_or.reduce(np.uint64(1) << rng.choice(64, row % 7).astype(np.uint64))
        if row % 2:
            ours[row, 0] = theirs[picture, view] ^ noise
        else:
            ours[row, view] = theirs[picture, 0] ^ noise
    near = ViewLookup(theirs, np.ones(20, np.bool_)).near(ours, 7)
    seen = np.bitwise_count(ours[:, None, :1] ^ theirs[None]).min(axis=2)
    shown = np.bitwise_count(ours[:, None] ^ theirs[None, :, :1]).min(axis=2)
    bits = np.minimum(seen, shown)
    expected = {(int(i), int(j), int(bits[i, j])) for i, j in np.argwhere(bits <= 7)}
    listed = zip(near.ours.tolist(), near.theirs.tolist(), near.bits.tolist(), strict=True)
    assert set(listed) == expected
    crowd = np.repeat(theirs[:1], 3 * CANDIDATES, axis=0)
    crowd[:, 0] ^= (np.uint64(1) << np.arange(3 * CANDIDATES, dtype=np.uint64)) - np.uint64(1)
    found = ViewLookup(crowd, np.ones(len(crowd), np.bool_)).near(theirs[:1], 8)
    assert found.theirs.tolist() == list(range(CANDIDATES))
    assert found.bits.tolist() == list(range(CANDIDATES))


def test_a_gallery_gives_back_each_picture_once_from_shards(tmp_path: Path):
    objects = open_store(tmp_path)
    writer = GalleryWriter(objects, KEY)
    copies = [encode_png(np.full((9, 9, 3), n % 256, np.uint8)) for n in range(SHARD + 3)]
    for n, copy in enumerate(copies):
        look = Look(np.full(len(VIEWS), n, np.int64), n % 2 == 0, copy)
        writer.add(f"p{n}", look)
        writer.add(f"p{n}", look)
    writer.finish()
    gallery = Gallery(objects, KEY)
    assert gallery.pixels == [f"p{n}" for n in range(len(copies))]
    assert gallery.views[:, 5].tolist() == list(range(len(copies)))
    assert [int(gallery.rgb(n)[0, 0, 0]) for n in (0, SHARD - 1, SHARD + 2)] == [0, 255, 2]
    GalleryWriter(objects, KEY).finish()
    assert Gallery(objects, KEY).pixels == []
