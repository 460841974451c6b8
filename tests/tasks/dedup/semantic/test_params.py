from typing import Any

import pytest

from sightline.errors import RecipeError
from tasks.dedup.semantic.params import Kind, Scope, SemanticDedupParams
from tasks.dedup.thresholds import ChosenThreshold, chosen_threshold

STORED = [
    {"item_kind": "chain", "model": "m", "cosine": 0.9},
    {"item_kind": "sample", "model": "other", "cosine": 0.8},
]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, ()),
        ({"weights": "w"}, (Kind.SAMPLE, Kind.CHAIN)),
        ({"model": "m", "questions": False}, (Kind.CHAIN,)),
        ({"image_weights": "w"}, (Kind.IMAGE,)),
        ({"weights": "w", "chains": False, "image_weights": "v"}, (Kind.SAMPLE, Kind.IMAGE)),
    ],
)
def test_kinds_are_those_that_something_embeds(given: dict[str, Any], kinds: tuple[Kind, ...]):
    params = SemanticDedupParams(**given)
    assert params.kinds == kinds
    if not kinds:
        with pytest.raises(RecipeError, match="compares nothing"):
            params.refuse_nothing()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"weights": "w", "model": "m"}, "one of weights and model must be null"),
        ({"weights": "w", "dimensions": 4}, "dimensions must be null without model"),
        ({"threshold": 0.0}, "thresholds must be above 0"),
        ({"image_threshold": 1.1}, "thresholds must be above 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"iterations": 0}, "iterations must be at least 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given: dict[str, Any], told: str):
    with pytest.raises(RecipeError, match=told):
        SemanticDedupParams(**given)


def test_an_endpoint_is_asked_only_where_texts_are_compared():
    assert SemanticDedupParams(model="m").asked_model == "m"
    assert SemanticDedupParams(model="m", questions=False, chains=False).asked_model is None
    assert SemanticDedupParams(weights="w").asked_model is None


def test_threshold_is_the_stated_one_then_the_calibrated_one_then_the_default():
    calibrated = SemanticDedupParams(model="m")
    stated = SemanticDedupParams(model="m", threshold=0.7)
    assert chosen_threshold(stated, Kind.CHAIN, STORED) == ChosenThreshold(0.7, "recipe")
    assert chosen_threshold(calibrated, Kind.CHAIN, STORED) == ChosenThreshold(0.9, "calibrated")
    assert chosen_threshold(calibrated, Kind.SAMPLE, STORED) == ChosenThreshold(0.95, "default")


def test_scope_is_the_picture_unless_said_otherwise():
    assert SemanticDedupParams().scope is Scope.PICTURE
