import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from infra.images.decode import ImageProblem, decode
from infra.images.shelf import ShelvedImage
from sightline.boxes import FULL_VIEW
from sightline.errors import Failure
from sightline.ids import image_id
from sightline.schemas import IMAGES
from tasks.distill.case import ChainCase
from tasks.distill.views import ViewCutter


def _cutter(data: bytes) -> ViewCutter:
    return ViewCutter(lambda _image_id: ShelvedImage(data, "signs", "CC0-1.0"))


def test_view_of_the_whole_image_is_the_stored_original(
    make_case: Callable[..., ChainCase], picture: Callable[..., bytes]
):
    data = picture()
    case = make_case(image_id=image_id(data), width=100, height=80)
    view = _cutter(data)(case, FULL_VIEW)
    assert (view.part.data, view.part.image_id, view.row) == (data, case.image_id, None)
    assert view.part.media_type == "image/png"


def test_view_of_a_crop_is_an_image_of_its_own_that_names_its_parent(
    make_case: Callable[..., ChainCase], picture: Callable[..., bytes]
):
    data = picture()
    case = make_case(image_id=image_id(data), width=100, height=80)
    box = (0.25, 0.5, 0.75, 1.0)
    view = _cutter(data)(case, box)
    row = IMAGES.rows([view.row]).to_pylist()[0]
    assert (row["width"], row["height"], row["format"]) == (50, 40, "jpeg")
    assert (row["parent_image_id"], row["crop_box"]) == (case.image_id, list(box))
    assert (row["source"], row["licence"]) == ("signs", "CC0-1.0")
    assert row["image_id"] == image_id(view.part.data) == view.part.image_id
    shown = decode(view.part.data).rgb.astype(int)
    assert np.abs(shown - decode(data).rgb[40:80, 25:75]).mean() < 4


def test_view_made_twice_has_the_same_bytes_and_another_question_has_others(
    make_case: Callable[..., ChainCase], picture: Callable[..., bytes]
):
    data, box = picture(), (0.25, 0.5, 0.75, 1.0)
    case = make_case(image_id=image_id(data), width=100, height=80)
    again = _cutter(data)(make_case(image_id=case.image_id, sample_id="sample_2"), box)
    other = _cutter(data)(make_case(image_id=case.image_id, question="Which colour?"), box)
    view = _cutter(data)(case, box)
    assert view.part.data == again.part.data
    assert view.part.image_id != other.part.image_id
    assert view.row["pixel_sha"] == other.row["pixel_sha"]


def test_view_of_a_rotated_photo_is_shown_upright(make_case: Callable[..., ChainCase]):
    image = Image.new("RGB", (60, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif.tobytes())
    case = make_case(image_id=image_id(out.getvalue()), width=20, height=60)
    view = _cutter(out.getvalue())(case, FULL_VIEW)
    assert (view.row["width"], view.row["height"], view.row["exif_orientation"]) == (20, 60, 1)
    assert view.row["crop_box"] == [0.0, 0.0, 1.0, 1.0]


def test_view_larger_than_the_limit_is_scaled_down(
    make_case: Callable[..., ChainCase], picture: Callable[..., bytes]
):
    data = picture(400, 200)
    case = make_case(image_id=image_id(data), width=400, height=200, params={"max_view_px": 100})
    view = _cutter(data)(case, FULL_VIEW)
    assert (view.row["width"], view.row["height"]) == (100, 50)


def test_view_of_an_unreadable_image_is_a_typed_problem(make_case: Callable[..., ChainCase]):
    with pytest.raises(ImageProblem) as raised:
        _cutter(b"no image")(make_case(), FULL_VIEW)
    assert raised.value.code is Failure.IMAGE_UNREADABLE
