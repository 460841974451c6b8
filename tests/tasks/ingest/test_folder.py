import os
from pathlib import Path

import pytest

from sightline.errors import Failure, SourceError
from sightline.ids import image_id
from tasks.ingest.folder import SourceFolder, printable


@pytest.fixture
def root(tmp_path: Path):
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.png").write_bytes(b"picture")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return folder


@pytest.mark.parametrize("name", ["sub/a.png", "./sub/a.png", "sub/../sub/a.png"])
def test_ref_file_inside_has_the_id_of_its_bytes(root: Path, name: str):
    folder = SourceFolder(root)
    ref = folder.ref(name)
    assert ref.image_id == image_id(b"picture")
    assert folder.load(ref).data == b"picture"


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "sub/../../secret.png", "/etc/hostname", "https://x.org/a.png",
     "file:///etc/hostname", "../images/sub/a.png/../../../secret.png"],
)  # fmt: skip
def test_ref_name_leaving_the_folder_is_refused(root: Path, name: str):
    assert SourceFolder(root).ref(name).problem.code == Failure.PATH_OUTSIDE_SOURCE


def test_ref_links_are_followed_inside_and_refused_outside(root: Path, tmp_path: Path):
    (root / "in.png").symlink_to(root / "sub" / "a.png")
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    folder = SourceFolder(root)
    assert folder.ref("in.png").image_id == image_id(b"picture")
    assert folder.ref("out.png").problem.code == Failure.PATH_OUTSIDE_SOURCE
    assert folder.ref("loop.png").problem.code == Failure.IMAGE_MISSING


@pytest.mark.parametrize("name", ["none.png", "sub", "sub/a.png/b", "x" * 5000, "pipe.png"])
def test_ref_what_is_no_file_is_missing(root: Path, name: str):
    os.mkfifo(root / "pipe.png")
    assert SourceFolder(root).ref(name).problem.code == Failure.IMAGE_MISSING


@pytest.mark.parametrize("name", ["", "a\0b.png"])
def test_ref_name_that_is_none_is_malformed(root: Path, name: str):
    assert SourceFolder(root).ref(name).problem.code == Failure.ROW_MALFORMED


def test_ref_file_over_the_limit_is_too_large(root: Path):
    assert SourceFolder(root, max_bytes=6).ref("sub/a.png").problem.code == Failure.IMAGE_TOO_LARGE
    assert SourceFolder(root, max_bytes=7).ref("sub/a.png").problem is None


def test_load_file_that_grew_or_went_away_is_a_problem(root: Path):
    folder = SourceFolder(root, max_bytes=10)
    ref = folder.ref("sub/a.png")
    (root / "sub" / "a.png").write_bytes(b"x" * 11)
    assert folder.load(ref).problem.code == Failure.IMAGE_TOO_LARGE
    (root / "sub" / "a.png").unlink()
    assert folder.load(ref).problem.code == Failure.IMAGE_MISSING


def test_source_folder_without_a_folder_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match="expected a folder"):
        SourceFolder(tmp_path / "none")


@pytest.mark.parametrize("codes", [(0xE4,), (0xDCFF,), (0xD800,), (0xD800, 0xDCFF)])
def test_printable_any_name_is_storable(codes: tuple[int, ...]):
    name = "".join(map(chr, codes)) + ".png"
    assert printable(name).encode("utf-8").endswith(b".png")
