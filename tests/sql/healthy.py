"""A small lake that passes every check: two images, three samples, two chains.

Sample s1 zooms twice and is accepted, s2 is answered wrongly in one look, s3 is a duplicate of s2.
"""

from typing import Any

from tests.sql.lake_tables import Rows, picture

IMAGE_A, BYTES_A = picture(1)
IMAGE_B, BYTES_B = picture(2)
CROP, BYTES_CROP = picture(3)
FULL = [0.0, 0.0, 1.0, 1.0]
NOISY = {"pairs": "decided", "noise_sd": 0.05, "bin_low": 0.1, "bin_high": 0.2}
VIEW = [0.2, 0.2, 0.8, 0.8]


def healthy() -> Rows:
    """Return the rows of every table; callers may change them."""
    return {
        "images": _images(),
        "samples": _samples(),
        "image_keys": [{"image_id": image} for image in (IMAGE_A, IMAGE_B)],
        "text_keys": [
            {"item_id": item, "item_kind": "sample", "bands": [1], "shingles": [2]}
            for item in ("s1", "s2", "s3")
        ]
        + [
            {"item_id": "c1", "item_kind": "chain", "exact_key": 7, "image_ids": [IMAGE_A]},
            {"item_id": "c2", "item_kind": "chain", "exact_key": 7, "image_ids": [IMAGE_B]},
        ],
        "embeddings": [{"item_id": "s1", "item_kind": "sample", "embedding": [0.6, 0.8]}],
        "thresholds": [{"item_kind": "chain", "model": "m", "cosine": 0.9}],
        "duplicates": [_duplicate("s2"), _duplicate("s3"), *map(_alike, ("c1", "c2"))],
        "depth_maps": [
            {"image_id": image, "model": "m", "lo": 0.0, "hi": 2.0, "p2": 0.1, "p98": 1.9}
            for image in (IMAGE_A, IMAGE_B)
        ],
        "detections": [{"image_id": IMAGE_A, "detection_id": 1, "box": VIEW, "query": "cup"}],
        "segments": [
            {"image_id": IMAGE_A, "segment_id": 1, "box": VIEW}
            | {"prompt_kind": "detection", "prompt_id": "1", "prompt_box": VIEW},
            {"image_id": IMAGE_A, "segment_id": 2, "box": VIEW},
        ],
        "objects": [_thing(1, "cup", 0.9), _thing(2, "table", 0.4)],
        "relations": [
            _relation(1, "in_front_of", 2),
            _relation(2, "behind", 1),
        ],
        "depth_scores": [
            _score("noise", "order_flipped", 0.1) | NOISY,
            _score("noise", "claim_reversed", 0.05) | NOISY,
            _score("noise", "claim_lost", 0.2) | NOISY,
            _score("noise", "median_shift", 0.04) | {"noise_sd": 0.05},
            _score("truth", "abs_rel", 0.3),
        ],
        "generations": [
            _reply("g1", "c1", "s1", 1, "zoom") | {"view_image_id": IMAGE_A, "view_box": FULL},
            _reply("g2", "c1", "s1", 2, "final") | {"view_image_id": CROP, "view_box": VIEW},
            _reply("g3", "c2", "s2", 1, "single") | {"view_image_id": IMAGE_B, "view_box": FULL},
        ],
        "steps": _steps(),
        "verdicts": [
            _verdict("c1", "answer_match", passed=True),
            _verdict("c1", "roi_valid", passed=True),
            _verdict("c2", "answer_match", passed=False),
            _verdict("c1", "reply_clean", passed=False)
            | {"detail": "repetition in round 1; role_token in round 1; repetition in round 2"},
            _verdict("c2", "reply_clean", passed=True) | {"detail": "no defect"},
        ],
        "pairs": [{"pair_id": "p1", "sample_id": "s1", "chosen_id": "g2", "rejected_id": "g3"}],
        "benchmarks": [{"benchmark_id": "m1", "name": "other"}],
        "contamination": [_match()],
        "ledger": [_call("k-g1"), _call("k-g2"), _call("k-g3")],
        "batches": [{"batch_key": "b1", "state": "submitted", "n_requests": 1}],
        "batch_requests": [{"batch_key": "b1", "custom_id": "r1", "request_key": "k-g9"}],
        "failures": [
            {"step": "ingest", "item_id": "row9", "code": "image_missing", "detail": "no file"}
        ],
        "runs": [{"run_id": "run", "step": "ingest", "rows_in": 4}],
        "releases": [{"release_id": "r1"}],
    }


def _images() -> list[dict[str, Any]]:
    stored = ((IMAGE_A, BYTES_A), (IMAGE_B, BYTES_B), (CROP, BYTES_CROP))
    rows: list[dict[str, Any]] = [
        {"image_id": image, "bytes": data, "n_bytes": len(data)} for image, data in stored
    ]
    rows[2] |= {"parent_image_id": IMAGE_A, "crop_box": VIEW}
    return rows


def _samples() -> list[dict[str, Any]]:
    common = {"dataset": "demo", "boxes": [[25.0, 25.0, 50.0, 50.0]]}
    return [
        common | {"sample_id": "s1", "image_ids": [IMAGE_A], "question": "What?", "answer": "cup"},
        common
        | {"sample_id": "s2", "image_ids": [IMAGE_B], "question": "How many?", "answer": "2"},
        common
        | {"sample_id": "s3", "image_ids": [IMAGE_B], "question": "how many?", "answer": "2"},
    ]


def _duplicate(item: str) -> dict[str, Any]:
    return {
        "item_id": item,
        "item_kind": "sample",
        "method": "exact",
        "kept_id": "s2",
        "similarity": 1.0,
    }


def _alike(item: str) -> dict[str, Any]:
    return {
        "item_id": item,
        "item_kind": "chain",
        "method": "chain_semantic",
        "kept_id": "c1",
        "similarity": 1.0 if item == "c1" else 0.97,
        "decision": "report",
    }


def _match() -> dict[str, Any]:
    return {
        "item_id": "s1",
        "item_kind": "sample",
        "benchmark_id": "m1",
        "rule": "ngram_8",
        "benchmark_item": "q7",
        "score": 0.5,
        "decision": "review",
    }


def _thing(number: int, category: str, depth: float) -> dict[str, Any]:
    return {
        "image_id": IMAGE_A,
        "object_id": number,
        "category": category,
        "box": VIEW,
        "depth_p10": depth - 0.1,
        "depth_median": depth,
        "depth_p90": depth + 0.1,
        "depth_rank": number,
    }


def _relation(subject: int, kind: str, other: int) -> dict[str, Any]:
    return {
        "image_id": IMAGE_A,
        "subject_object_id": subject,
        "kind": kind,
        "object_object_id": other,
    }


def _score(audit: str, measure: str, value: float) -> dict[str, Any]:
    return {
        "score_id": f"{audit} {measure}",
        "audit": audit,
        "benchmark": "p",
        "item_id": "p",
        "model": "m",
        "measure": measure,
        "value": value,
        "n": 40,
    }


def _reply(name: str, chain: str, sample: str, number: int, stage: str) -> dict[str, Any]:
    return {
        "generation_id": name,
        "chain_id": chain,
        "subject_id": sample,
        "request_key": f"k-{name}",
        "round": number,
        "stage": stage,
    }


def _steps() -> list[dict[str, Any]]:
    return [
        _step("g1", 0, "c1", "s1", 1, "description") | {"text": "A table."},
        _step("g1", 1, "c1", "s1", 1, "roi") | {"box": VIEW, "box_original": VIEW},
        _step("g1", 2, "c1", "s1", 1, "reasoning") | {"text": "Look there."},
        _step("g2", 0, "c1", "s1", 2, "reasoning") | {"text": "It is a cup."},
        _step("g2", 1, "c1", "s1", 2, "answer") | {"text": "cup"},
        _step("g3", 0, "c2", "s2", 1, "reasoning") | {"text": "One, two, three."},
        _step("g3", 1, "c2", "s2", 1, "answer") | {"text": "3"},
    ]


def _step(
    reply: str, position: int, chain: str, sample: str, number: int, kind: str
) -> dict[str, Any]:
    return {
        "generation_id": reply,
        "position": position,
        "chain_id": chain,
        "sample_id": sample,
        "round": number,
        "kind": kind,
    }


def _verdict(subject: str, rule: str, *, passed: bool) -> dict[str, Any]:
    return {"subject_id": subject, "subject_kind": "chain", "rule": rule, "passed": passed}


def _call(key: str) -> dict[str, Any]:
    return {"request_key": key, "step": "distill", "cost_usd": 0.01, "tokens_in": 5}
