from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import Failure
from tasks.ingest.plan import Known, PartPlan, part_name, plan_parts
from tasks.ingest.source import ImageRef, Problem, SourceRow


def row(key: str, *images: str) -> SourceRow:
    return SourceRow(key, key, tuple(ImageRef(i, i) for i in images))


def plan(rows: list[SourceRow], known: Known | None = None, part_rows: int = 4):
    return plan_parts(rows, known or Known(), name="My Data/1", part_rows=part_rows)


def keys(plans: list[PartPlan]):
    return [r.row_key for p in plans for r in p.rows]


listings = st.lists(
    st.tuples(st.integers(0, 60), st.lists(st.integers(0, 12), max_size=2)), max_size=60
).map(lambda pairs: [row(f"r{n}", *(f"i{i}" for i in images)) for n, images in pairs])


@given(listings, st.integers(1, 9))
def test_plan_parts_every_row_is_planned_once_and_images_stay_together(
    rows: list[SourceRow], part_rows: int
):
    plans = plan(rows, part_rows=part_rows)
    assert len(keys(plans)) == len(set(keys(plans))) == len(rows)
    owners = Counter(key for p in plans for key in p.owned_images)
    used = {r.images[0].content_key for p in plans for r in p.rows if r.images}
    assert all(n == 1 for n in owners.values())
    assert used <= set(owners)
    for key in used:
        assert sum(any(r.group_key == key for r in p.rows) for p in plans) == 1


@given(listings, st.integers(1, 9), st.data())
def test_plan_parts_any_subset_of_finished_parts_leaves_the_same_parts(
    rows: list[SourceRow], part_rows: int, data: st.DataObject
):
    plans = plan(rows, part_rows=part_rows)
    done = data.draw(st.lists(st.sampled_from(plans), unique_by=lambda p: p.part)) if plans else []
    finished = {p.part for p in done}
    known = Known(
        row_keys=frozenset(r.row_key for p in done for r in p.rows if not r.problem),
        failed_keys=frozenset(r.row_key for p in done for r in p.rows if r.problem),
        image_ids=frozenset(key for p in done for key in p.owned_images),
    )
    again = plan(rows, known, part_rows)
    assert [p.part for p in again] == [p.part for p in plans if p.part not in finished]


def test_plan_parts_appended_rows_make_parts_of_new_rows_only():
    old = [row(f"r{n}", f"i{n}") for n in range(20)]
    new = [row("s0", "i3"), row("s1", "i99")]
    known = Known(
        frozenset(r.row_key for r in old), image_ids=frozenset(f"i{n}" for n in range(20))
    )
    plans = plan([*old, *new], known)
    assert sorted(keys(plans)) == ["s0", "s1"]
    assert frozenset.union(*(p.owned_images for p in plans)) == {"i99"}


def test_plan_parts_image_of_a_known_row_is_not_stored_again_though_its_id_is_unknown():
    scene = ImageRef("scene", made_from="scene_1")
    old, new = SourceRow("old", None, (scene,)), SourceRow("new", None, (scene,))
    (only,) = plan([old, new], Known(row_keys=frozenset({"old"})))
    assert (keys([only]), only.owned_images) == (["new"], frozenset())


def test_plan_parts_image_of_a_failed_row_is_stored_by_the_next_part_that_needs_it():
    (only,) = plan([row("bad", "i1"), row("new", "i1")], Known(failed_keys=frozenset({"bad"})))
    assert only.owned_images == {"i1"}


def test_plan_parts_image_needed_by_two_parts_is_owned_once_and_marked_shared():
    rows = [row("a", "i1", "i9"), row("b", "i2", "i9")]
    first, second = plan(rows, part_rows=1)
    assert (first.owned_images, first.shared_images) == ({"i1", "i9"}, {"i9"})
    assert (second.owned_images, second.shared_images) == ({"i2"}, frozenset())


def test_plan_parts_repeated_rows_become_counted_failures_once():
    rows = [row("a", "i1"), row("a", "i1"), row("a", "i1")]
    (only,) = plan(rows)
    problems = [r.problem.code for r in only.rows if r.problem]
    assert problems == [Failure.ROW_DUPLICATED] * 2
    known = Known(frozenset({"a"}), frozenset(r.row_key for r in only.rows if r.problem))
    assert plan(rows, known) == []


def test_plan_parts_row_with_a_problem_owns_no_image():
    bad = SourceRow("a", None, (ImageRef("x", problem=Problem(Failure.IMAGE_MISSING, "")),))
    (only,) = plan([bad])
    assert only.owned_images == frozenset()


@pytest.mark.parametrize(("name", "slug"), [("My Data/1", "my-data-1"), ("日本", "dataset")])
def test_part_name_is_a_slug_and_eight_hex_of_the_keys(name: str, slug: str):
    found = part_name(name, [row("a")])
    assert found.startswith(slug + "-")
    assert len(found) == len(slug) + 9
    assert found != part_name(name, [row("b")])
