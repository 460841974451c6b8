import pytest

from flows.dataset_parts import source_parts
from flows.recipe import load_recipe, parse_recipe
from infra.lake.lake import Lake
from sightline.errors import RecipeError
from sightline.schemas import SAMPLES
from tasks.ingest.plan import part_name
from tests.factories import commit, payload_of

SCENES = {"kind": "scenes", "n": 3}


def recipe_of(**changes: object):
    return parse_recipe({"name": "tiny", "flow": "visreason", "source": SCENES} | changes)


@pytest.mark.parametrize("name", ["a", "cub-pro-2", "x" * 40])
def test_dataset_name_is_the_head_of_its_part_names(name: str):
    dataset = recipe_of(dataset=name).dataset
    assert part_name(dataset, []).startswith(f"{name}-")


@pytest.mark.parametrize("name", ["A", "a--b", "-a", "a-", "a b", "x" * 41, ""])
def test_dataset_name_that_part_names_would_change_is_refused(name: str):
    with pytest.raises(RecipeError, match="expected a name like"):
        recipe_of(name=name)


def test_parts_of_a_dataset_are_not_those_of_one_whose_name_begins_alike(local_lake: Lake):
    for part in ("cub-0a1b2c3d", "cub-pro-0a1b2c3d", "zoom.cub-0a1b2c3d"):
        commit(local_lake, SAMPLES, payload_of(SAMPLES, 1), part)
    assert source_parts(local_lake, "cub").samples == ("cub-0a1b2c3d",)
    assert source_parts(local_lake).samples == ("cub-0a1b2c3d", "cub-pro-0a1b2c3d")


def test_identity_does_not_depend_on_what_is_shown():
    plain = recipe_of()
    assert recipe_of(show=["cost"], description="other").identity == plain.identity
    assert recipe_of(part_rows=7).identity != plain.identity


def test_override_is_read_as_yaml_and_checked():
    changed = load_recipe("demo", ["steps.distill.rounds=4", "steps.depth.enabled=false"])
    assert changed.steps.distill.params.rounds == 4
    assert not changed.steps.depth.enabled
    with pytest.raises(RecipeError, match=r"steps\.distill: rounds: .*found 'many'"):
        load_recipe("demo", ["steps.distill.rounds=many"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": {"kind": "csv"}}, r"source\.kind: expected one of"),
        ({"flow": "nope"}, r"flow: expected one of \['visreason'\]"),
        ({"steps": {"dept": {}}}, r"steps: unknown \['dept'\]"),
        ({"colour": 1}, r"recipe: unknown keys \['colour'\]"),
        ({"embedded_teacher": {"wrong": 1}}, r"embedded_teacher: unknown keys \['wrong'\]"),
    ],
)
def test_wrong_key_is_told_with_the_known_ones(changes: dict[str, object], told: str):
    with pytest.raises(RecipeError, match=told):
        recipe_of(**changes)
