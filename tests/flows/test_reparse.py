"""Stored replies are read again without a teacher: same rows, or the rows of today's recipe."""

import shutil
from collections.abc import Iterator

import pytest

from tasks.distill.reread import Change
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, content

NOBODY = "http://127.0.0.1:9/v1"

pytestmark = pytest.mark.server


@pytest.fixture
def copy(tiny: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same lake in another place, free to change."""
    place = Site(tmp_path_factory.mktemp("reparse"), tiny.prefect_url)
    shutil.copytree(tiny.folder / "lake", place.folder / "lake")
    yield place
    shutil.rmtree(place.folder)


def test_reparse_of_an_unchanged_recipe_finds_nothing_to_read(copy: Site) -> None:
    before = content(copy.lake())
    overrides = [word for override in TINY for word in ("--set", override)]
    done = copy.command("reparse", "demo", *overrides, teacher_base_url=NOBODY)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "0 of 2 parts read again; 0 teacher calls made."
    assert [line.split()[-1] for line in lines[3:]] == ["0"] * 4
    assert content(copy.lake()) == before


def test_reparse_by_another_grammar_and_back_changes_what_was_read_and_no_more(copy: Site) -> None:
    lake = copy.lake()
    before = content(lake)
    there = copy.reparse(*TINY, "steps.distill.grammar=think_answer", teacher_base_url=NOBODY)
    answered = there.change.answers.before
    assert there.parts_read == there.parts == 2
    assert there.change.answers == Change(answered, 0, answered)
    assert ask(lake, "select count(*) as n from steps where kind = 'answer'") == [{"n": 0}]
    after = content(lake)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"steps", "verdicts", "failures", "runs", "text_keys"}

    back = copy.reparse(*TINY, teacher_base_url=NOBODY)
    assert back.change.answers == Change(0, answered, answered)
    assert content(lake) == before
    assert broken_checks(lake) == {}
