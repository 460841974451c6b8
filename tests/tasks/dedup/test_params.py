import pytest

from flows.recipe import load_recipe
from sightline.errors import RecipeError
from tasks.dedup.params import ChainDedupParams, DedupParams


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"similarity": 0.0}, "similarity must be above 0"),
        ({"similarity": 1.1}, "similarity must be above 0"),
        ({"bands": 0}, "bands must be at least 1"),
        ({"bands": 100, "rows": 100}, "at most 512"),
        ({"leaders": 0}, "leaders must be at least 1"),
        ({"shingle_words": 99}, "shingle_words must be 1 to 16"),
    ],
)
def test_params_out_of_range_are_refused_with_what_is_expected(change: dict[str, float], said: str):
    for kind in (DedupParams, ChainDedupParams):
        with pytest.raises(RecipeError, match=said):
            kind(**change)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("steps.dedup.image_bits=100", "image_bits must be 0 to 64, found 100"),
        ("steps.dedup.questions=maybe", "questions"),
        ("steps.dedup.tau=0.9", "unknown keys \\['tau'\\]"),
    ],
)
def test_recipe_with_a_wrong_value_names_it(override: str, said: str):
    with pytest.raises(RecipeError, match=said):
        load_recipe("demo", [override])


def test_every_parameter_is_part_of_the_recipes_identity():
    plain = load_recipe("demo").identity
    for override in ("steps.dedup.image_bits=20", "steps.dedup_chains.similarity=0.9"):
        assert load_recipe("demo", [override]).identity != plain
