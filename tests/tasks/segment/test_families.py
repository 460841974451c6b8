import pytest
from transformers import Sam2PromptEncoderConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASK_GENERATION_MAPPING_NAMES,
    MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES,
    MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES,
)

from sightline.errors import CheckpointError
from tasks.segment.families import (
    PROMPTABLE_TYPES,
    SEMANTIC_TYPES,
    UNIVERSAL_TYPES,
    Family,
    Prompts,
    check_prompts,
    family_of,
)


@pytest.mark.parametrize(
    ("model_type", "family"),
    [
        ("segformer", Family.SEMANTIC),
        ("mask2former", Family.UNIVERSAL),
        ("oneformer", Family.UNIVERSAL),
        ("maskformer", Family.UNIVERSAL),
        ("sam2", Family.PROMPTABLE),
        ("sam2_video", Family.PROMPTABLE),
    ],
)
def test_family_is_told_by_the_type_of_the_configuration(model_type: str, family: Family):
    assert family_of({"model_type": model_type}, "w") is family


@pytest.mark.parametrize("config", [{"model_type": "bert"}, {"model_type": None}, {}])
def test_family_of_another_network_is_an_error_that_lists_the_known(config: dict[str, object]):
    with pytest.raises(CheckpointError, match=r"^w: expected a segmenter.*segformer.*sam2.*found"):
        family_of(config, "w")


def test_types_are_types_of_the_library():
    assert set(MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES) >= SEMANTIC_TYPES
    assert set(MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES) >= UNIVERSAL_TYPES
    assert set(MODEL_FOR_MASK_GENERATION_MAPPING_NAMES) >= PROMPTABLE_TYPES


def test_published_square_of_sam_2_is_1024():
    assert Sam2PromptEncoderConfig().image_size == 1024


@pytest.mark.parametrize("prompts", [Prompts.GRID, Prompts.DETECTIONS, Prompts.SAMPLES])
def test_prompts_for_a_network_that_takes_none_are_an_error(prompts: Prompts):
    with pytest.raises(CheckpointError, match="needs a SAM 2 network, w is universal"):
        check_prompts(Family.UNIVERSAL, prompts, "w")
    check_prompts(Family.PROMPTABLE, prompts, "w")
    check_prompts(Family.UNIVERSAL, Prompts.AUTO, "w")
