"""Every check passes on a healthy lake and fails on one broken on purpose."""

import re
from collections.abc import Callable

import pytest

from sightline.errors import Failure
from sightline.schemas import CONTRACTS
from tests.sql.healthy import IMAGE_B, healthy
from tests.sql.lake_tables import SQL, Rows, answer, connect

CHECKS = {path.stem: path for path in sorted((SQL / "checks").glob("*.sql"))}
HEADER = re.compile(r"\A-- check: .+\n(-- .+\n)*-- severity: (fail|warn)\n")

Break = Callable[[Rows], None]


def changed(table: str, index: int, **values: object) -> Break:
    def change(rows: Rows) -> None:
        rows[table][index] |= values

    return change


def doubled(table: str) -> Break:
    def double(rows: Rows) -> None:
        rows[table].append(dict(rows[table][0]))

    return double


def added(table: str, **values: object) -> Break:
    def add(rows: Rows) -> None:
        rows[table].append(dict(rows[table][0]) | values)

    return add


def without(table: str, index: int) -> Break:
    def remove(rows: Rows) -> None:
        del rows[table][index]

    return remove


def below_threshold(method: str, similarity: float) -> Break:
    def lower(rows: Rows) -> None:
        rows["runs"][0] |= {
            "parameters_json": '{"similarity": 0.8, "image_bits": 24, "threshold": 0.95}'
        }
        rows["duplicates"][1] |= {"method": method, "similarity": similarity}

    return lower


BREAKS: dict[str, dict[str, Break]] = {
    "unique_keys": {table: doubled(table) for table in CONTRACTS if table != "ledger"},
    "contamination_has_benchmark": {
        "gone": changed("contamination", 0, benchmark_id="m9"),
        "no decision": changed("contamination", 0, decision="keep"),
    },
    "calls_paid_once": {"twice": doubled("ledger")},
    "sample_images_stored": {"gone": changed("samples", 0, image_ids=["f" * 64])},
    "generations_have_subject": {"gone": changed("generations", 0, subject_id="s9")},
    "repairs_follow_a_reply": {"no first reply": changed("generations", 0, turn=1)},
    "steps_have_generation": {
        "no generation": changed("steps", 0, generation_id="g9"),
        "other chain": changed("steps", 0, chain_id="c9"),
        "no sample": changed("steps", 0, sample_id="s9"),
    },
    "facts_have_image": {
        "depth": changed("depth_maps", 0, image_id="i9"),
        "detection": changed("detections", 0, image_id="i9"),
        "segment": changed("segments", 1, image_id="i9"),
        "object": changed("objects", 0, image_id="i9"),
        "relation": changed("relations", 0, image_id="i9"),
        "crop": changed("images", 2, parent_image_id="i9"),
        "view": changed("generations", 0, view_image_id="i9"),
    },
    "segments_answer_prompts": {
        "gone": changed("segments", 0, prompt_id="7"),
        "other image": changed("detections", 0, image_id=IMAGE_B),
        "no kind": changed("segments", 0, prompt_kind=None),
        "unknown kind": changed("segments", 0, prompt_kind="guess"),
        "no item": changed("segments", 0, prompt_id=None),
        "no box": changed("segments", 0, prompt_box=None),
    },
    "relations_have_objects": {
        "subject": changed("relations", 0, subject_object_id=7),
        "object": changed("relations", 0, object_object_id=7),
        "itself": changed("relations", 0, object_object_id=1),
    },
    "verdicts_have_subject": {
        "gone": changed("verdicts", 0, subject_id="c9"),
        "other kind": changed("verdicts", 0, subject_kind="sample"),
    },
    "pairs_have_replies": {
        "gone": changed("pairs", 0, rejected_id="g9"),
        "itself": changed("pairs", 0, rejected_id="g2"),
    },
    "duplicates_keep_one": {
        "chain of drops": added("duplicates", item_id="s2", kept_id="s1", method="near"),
        "kept is missing": changed("duplicates", 1, kept_id="s9"),
        "kept chain is missing": added(
            "duplicates", item_id="c1", item_kind="chain", kept_id="c9", method="near"
        ),
    },
    "duplicates_verified": {
        "unknown decision": changed("duplicates", 1, decision="perhaps"),
        "other pixels": changed("duplicates", 1, method="sample_exact", similarity=0.99),
        "below its run's threshold": below_threshold("chain_near", 0.79),
        "too many bits apart": below_threshold("image_phash", 0.9),
        "cosine below its run's threshold": below_threshold("sample_semantic", 0.94),
        "dropped by cosine": changed("duplicates", 3, decision="drop"),
        "more than equal": changed("duplicates", 1, similarity=1.5),
    },
    "box_ranges": {
        "outside the image": changed("samples", 0, boxes=[[0.0, 0.0, 101.0, 50.0]]),
        "three numbers": changed("samples", 0, boxes=[[0.0, 0.0, 10.0]]),
        "turned": changed("objects", 0, box=[0.8, 0.2, 0.2, 0.8]),
        "pixels as fractions": changed("segments", 0, box=[1.0, 2.0, 30.0, 40.0]),
        "prompt": changed("segments", 0, prompt_box=[0.8, 0.2, 0.2, 0.8]),
        "detection": changed("detections", 0, box=[0.2, 0.2, 0.8, 1.1]),
        "not a number": changed("steps", 1, box=[0.0, 0.0, float("nan"), 1.0]),
        "null corner": changed("steps", 1, box_original=[0.0, 0.0, None, 1.0]),
        "negative view": changed("generations", 0, view_box=[-0.1, 0.0, 1.0, 1.0]),
        "crop": changed("images", 2, crop_box=[0.0, 0.0, 1.0, 1.1]),
    },
    "image_bytes": {
        "length": changed("images", 0, n_bytes=3),
        "other bytes": changed("images", 0, bytes=b"picture 9"),
        "no width": changed("images", 0, width=0),
    },
    "failure_codes": {"unknown": changed("failures", 0, code="bad_luck")},
    "failure_details": {
        "long": changed("failures", 0, detail="x" * 501),
        "two lines": changed("failures", 0, detail="a\nb"),
    },
    "step_positions": {
        "gap": without("steps", 1),
        "starts at 1": without("steps", 0),
    },
    "one_answer_per_chain": {"two": changed("steps", 2, kind="answer")},
    "relation_antisymmetry": {
        "both in front": changed("relations", 1, kind="in_front_of"),
    },
    "ledger_amounts": {
        "cost": changed("ledger", 0, cost_usd=-0.01),
        "tokens": changed("ledger", 0, tokens_out=-1),
    },
    "generations_in_ledger": {
        "no call": without("ledger", 0),
        "other draw": changed("ledger", 0, draw=1),
    },
    "batch_answers_in_ledger": {
        "no call": changed("batch_requests", 0, result="answered"),
    },
    "duplicates_not_bought": {"bought": changed("generations", 2, subject_id="s3")},
    "depth_ranges": {
        "lo above hi": changed("depth_maps", 0, lo=3.0),
        "percentiles": changed("depth_maps", 0, p2=1.95),
        "infinite": changed("depth_maps", 0, hi=float("inf")),
        "object percentiles": changed("objects", 0, depth_p10=0.95),
        "ok without depth": changed("objects", 0, depth_median=None),
    },
    "object_ranks": {
        "order": changed("objects", 0, depth_rank=3),
        "no depth": changed("objects", 0, depth_status="sky"),
        "half ranked": changed("objects", 1, depth_rank=None),
    },
    "depth_score_ranges": {
        "more than all": changed("depth_scores", 0, value=1.5),
        "no number": changed("depth_scores", 4, value=float("nan")),
        "noise without level": changed("depth_scores", 0, noise_sd=None),
        "unknown audit": changed("depth_scores", 4, audit="guess"),
        "turned bin": changed("depth_scores", 0, bin_high=0.05),
    },
    "runs_cover_parts": {"gone": changed("steps", 0, run_id="run9")},
}

CASES = [(check, name) for check, breaks in BREAKS.items() for name in breaks]


def test_checks_all_have_a_break_that_proves_them():
    assert sorted(BREAKS) == sorted(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_check_header_states_purpose_and_severity(check: str):
    assert HEADER.match(CHECKS[check].read_text())


def test_checks_on_a_healthy_lake_return_nothing():
    con = connect(healthy())
    found = {check: answer(con, path.read_text()) for check, path in CHECKS.items()}
    assert found == {check: [] for check in CHECKS}


def test_checks_on_an_empty_lake_return_nothing():
    con = connect({})
    found = {check: answer(con, path.read_text()) for check, path in CHECKS.items()}
    assert found == {check: [] for check in CHECKS}


@pytest.mark.parametrize(("check", "name"), CASES)
def test_check_on_a_broken_lake_returns_the_offending_rows(check: str, name: str):
    rows = healthy()
    BREAKS[check][name](rows)
    found = answer(connect(rows), CHECKS[check].read_text())
    assert found
    assert all(list(row) == ["table_name", "item_id", "detail"] for row in found)
    assert all(row["item_id"] and row["detail"] for row in found)


def test_failure_codes_listed_in_the_check_are_those_of_the_errors_module():
    listed = CHECKS["failure_codes"].read_text().split("code not in (")[1]
    assert re.findall(r"'([a-z_0-9]+)'", listed) == [code.value for code in Failure]


def test_reported_member_may_name_one_that_was_dropped():
    rows = healthy()
    rows["duplicates"].append(
        rows["duplicates"][0] | {"method": "sample_question", "kept_id": "s3", "decision": "report"}
    )
    assert not answer(connect(rows), CHECKS["duplicates_keep_one"].read_text())


def test_undecided_relation_in_both_directions_is_no_offence():
    rows = healthy()
    rows["relations"][1] |= {"kind": "in_front_of", "status": "ambiguous"}
    assert not answer(connect(rows), CHECKS["relation_antisymmetry"].read_text())


def test_reply_without_response_needs_no_ledger_row():
    rows = healthy()
    rows["generations"][2] |= {"outcome": "error"}
    del rows["ledger"][2]
    assert not answer(connect(rows), CHECKS["generations_in_ledger"].read_text())
