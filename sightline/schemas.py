"""The data contract: one `Contract` per table; nothing else names or types a column.

    images ◀── samples ◀── generations ◀── steps         failures   (any row that went wrong)
      ▲           ▲             ▲                         runs       (every execution of a step)
      ├── depth_maps, segments ─┼── verdicts, pairs       ledger     (every paid call)
      ├── objects ◀── relations ├── duplicates            batches    (calls that wait for theirs)
      ├── image_keys            ├── text_keys, embeddings releases   (what was published)
      ├── depth_scores          └── contamination ──▶ benchmarks
      └── detections

Views, the reference page, test factories and write-time checks derive from the contracts below.
Within a version only nullable columns may be added; any other change is a new version.  Steps
produce `payload` columns; the lake adds `PROVENANCE` when a part is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from sightline.errors import ContractError

BOX: Final = pa.list_(pa.float64())
"""[x0, y0, x1, y1]; Delta has no fixed-size lists, so the length is checked by `sql/checks`."""


def _col(
    name: str, kind: pa.DataType, doc: str, *, null: bool = False, unit: str = ""
) -> "pa.Field[Any]":
    """Declare a documented column; `unit` is a unit, a range, or a closed set."""
    meta = {"doc": doc} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, nullable=null, metadata=meta)


def _text(name: str, doc: str, *, null: bool = False, unit: str = "") -> "pa.Field[Any]":
    return _col(name, pa.string(), doc, null=null, unit=unit)


def _int(name: str, doc: str, *, null: bool = False, unit: str = "") -> "pa.Field[Any]":
    return _col(name, pa.int64(), doc, null=null, unit=unit)


def _real(name: str, doc: str, *, null: bool = False, unit: str = "") -> "pa.Field[Any]":
    return _col(name, pa.float64(), doc, null=null, unit=unit)


def _flag(name: str, doc: str, *, null: bool = False) -> "pa.Field[Any]":
    return _col(name, pa.bool_(), doc, null=null)


def _box(name: str, doc: str, *, null: bool = True, unit: str) -> "pa.Field[Any]":
    return _col(name, BOX, doc, null=null, unit=unit)


PROVENANCE: Final = (
    _text("part", "Unit of commit this row belongs to; the partition column."),
    _text("run_id", "Key into `runs`: the execution that wrote this row."),
    _text("fingerprint", "Hash of step version, parameters and input parts."),
)


@dataclass(frozen=True, slots=True)
class Contract:
    """A table: its name, version, grain, key and the columns a step produces."""

    name: str
    version: int
    grain: str
    key: tuple[str, ...]
    payload: pa.Schema

    @property
    def schema(self) -> pa.Schema:
        """Return the full schema: what a step produces, then `PROVENANCE`."""
        return pa.schema([*self.payload, *PROVENANCE])

    @property
    def path(self) -> str:
        """Return the table's prefix relative to the lake root."""
        return f"tables/{self.name}_v{self.version}"

    def check(self, table: pa.Table) -> pa.Table:
        """Return `table` unchanged if it honours the full schema.

        Raises:
            ContractError: names, order or types differ, or a required column holds nulls.
        """
        self._compare(table, self.schema)
        return table

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Return a payload table of `rows`; a nullable column may be left out of a row.

        Raises:
            ContractError: a row has an unknown column, a wrong type or a missing required value.
        """
        listed = list(rows)
        known = set(self.payload.names)
        unknown = sorted({name for row in listed for name in row} - known)
        if unknown:
            msg = f"{self.name}: unknown columns {unknown}; the contract has {sorted(known)}"
            raise ContractError(msg)
        try:
            table = pa.Table.from_pylist(listed, schema=self.payload)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as exc:
            msg = f"{self.name}: a value does not fit its column: {exc}"
            raise ContractError(msg) from exc
        self._compare(table, self.payload)
        return table

    def empty(self) -> pa.Table:
        """Return a payload table without rows."""
        return self.payload.empty_table()

    def with_provenance(
        self, table: pa.Table, *, part: str, run_id: str, fingerprint: str
    ) -> pa.Table:
        """Return `table`, a payload table, as full rows of one part.

        Raises:
            ContractError: `table` does not have the payload schema.
        """
        self._compare(table, self.payload)
        for field, value in zip(PROVENANCE, (part, run_id, fingerprint), strict=True):
            table = table.append_column(field, pa.repeat(value, table.num_rows))
        return table.cast(self.schema)

    def _compare(self, table: pa.Table, expected: pa.Schema) -> None:
        if table.schema.names != expected.names:
            msg = (
                f"{self.name}: expected columns {expected.names}, found {table.schema.names}; "
                "build the table with the contract's `rows` or `payload`"
            )
            raise ContractError(msg)
        wrong = [
            f"{want.name}: {got.type} instead of {want.type}"
            for want, got in zip(expected, table.schema, strict=True)
            if got.type != want.type
        ]
        if wrong:
            msg = f"{self.name}: wrong types: {'; '.join(wrong)}"
            raise ContractError(msg)
        nulls = [f.name for f in expected if not f.nullable and table[f.name].null_count]
        if nulls:
            msg = f"{self.name}: nulls in required columns {nulls}"
            raise ContractError(msg)


IMAGES: Final = Contract(
    name="images",
    version=1,
    grain="one stored image; the only table that holds image bytes",
    key=("image_id",),
    payload=pa.schema(
        [
            _text("image_id", "sha256 of `bytes`.", unit="64 hex characters"),
            _col("bytes", pa.binary(), "The encoded image as the source gave it."),
            _int("width", "Width after EXIF rotation.", unit="px"),
            _int("height", "Height after EXIF rotation.", unit="px"),
            _text("format", "Encoded format by content, not by file name.", unit="jpeg, png, ..."),
            _int("n_bytes", "Length of `bytes`.", unit="bytes"),
            _int("n_frames", "Frames in the file; only the first is used."),
            _text("pixel_sha", "sha256 of size and RGB pixels, upright, alpha on white."),
            _text("phash", "256-bit perceptual hash.", null=True, unit="64 hex characters"),
            _int("exif_orientation", "EXIF orientation of the file; 1 is upright.", unit="1..8"),
            _text("source", "Dataset that brought the image first."),
            _text("source_key", "The source's own name for it.", null=True),
            _text("licence", "Licence the source states.", null=True),
            _text("parent_image_id", "Image this is a crop of.", null=True),
            _box("crop_box", "Region of the parent.", unit="fraction of the parent"),
            _text(
                "origin_sha",
                "sha256 of the file this image was made from (a video, a picture too large to "
                "store); null where the file itself is stored.",
                null=True,
                unit="64 hex characters",
            ),
            _int("origin_width", "Width of the upright picture there.", null=True, unit="px"),
            _int("origin_height", "Height of the upright picture there.", null=True, unit="px"),
            _box("origin_box", "Region of it that this image shows.", unit="px of the origin"),
            _real("origin_time_s", "Time of a video frame since the first.", null=True, unit="s"),
        ]
    ),
)

SAMPLES: Final = Contract(
    name="samples",
    version=1,
    grain="one question on one or more images",
    key=("sample_id",),
    payload=pa.schema(
        [
            _text("sample_id", "Content id of dataset, question, answer, images, boxes."),
            _text("row_key", "Content id of the source row; tells new rows from known ones."),
            _text("dataset", "Dataset name from the recipe or the source row."),
            _text("source_key", "The source's own name for the row.", null=True),
            _text("domain", "Kind of task or question within the dataset.", null=True),
            _text("question", "The question as asked; null for image-only sources.", null=True),
            _col("choices", pa.list_(pa.string()), "Options in their order.", null=True),
            _text("answer", "The known short answer.", null=True),
            _text(
                "answer_kind",
                "How to compare answers.",
                null=True,
                unit="yes_no, number, choice, text",
            ),
            _col("image_ids", pa.list_(pa.string()), "Keys into `images`; empty if not shipped."),
            _int("image_width", "Width of the first image, stored or declared.", unit="px"),
            _int("image_height", "Height of the first image, stored or declared.", unit="px"),
            _col(
                "boxes",
                pa.list_(BOX),
                "Ground-truth boxes on the first image, clipped to it.",
                null=True,
                unit="px of the upright image",
            ),
            _text("box_convention", "How the source stated its boxes.", null=True),
            _int("n_boxes_clipped", "Boxes that reached out of the image and were clipped."),
            _text("licence", "Licence the source states.", null=True),
            _text("split", "Split the source assigns.", null=True, unit="train, val, test"),
        ]
    ),
)

GENERATIONS: Final = Contract(
    name="generations",
    version=1,
    grain="one raw reply of a model",
    key=("generation_id",),
    payload=pa.schema(
        [
            _text("generation_id", "Content id of request key, draw, chain and round."),
            _text("chain_id", "Replies that form one trace share it."),
            _text("subject_id", "What was asked about: a sample id (or image id)."),
            _text("role", "Part the model plays.", unit="teacher, student, judge, rewriter"),
            _text("teacher", "Model name as the endpoint knows it."),
            _text("prompt_id", "sha256 of the prompt template."),
            _text("request_key", "Key into `ledger`."),
            _int("draw", "Which of the n samples drawn for one request, from 0."),
            _int("round", "Position of the reply in its chain, from 1."),
            _text("stage", "What this reply is for.", unit="zoom, final, single"),
            _text("view_image_id", "Image the model was shown.", null=True),
            _box("view_box", "Region of the original it was shown.", unit="fraction of original"),
            _text("raw_text", "The reply, verbatim."),
            _text("thinking", "Reasoning the endpoint returned apart.", null=True),
            _text("answer_text", "The reply without thinking.", null=True),
            _text(
                "outcome",
                "What became of the call.",
                unit="success, truncated, refused, malformed, empty, error, skipped",
            ),
            _text("finish_reason", "As the endpoint said.", null=True),
            _int("tokens_in", "Prompt tokens billed.", null=True, unit="tokens"),
            _int("tokens_out", "Completion tokens billed.", null=True, unit="tokens"),
            _int("tokens_reasoning", "Reasoning tokens within them.", null=True, unit="tokens"),
            _real("cost_usd", "Price of the call; null if the model has none listed.", null=True),
            _real("latency_ms", "Wall time of the call.", null=True, unit="ms"),
            _int("turn", "Repairs asked before this reply in its round; null is 0.", null=True),
        ]
    ),
)

STEPS: Final = Contract(
    name="steps",
    version=1,
    grain="one element of a trace",
    key=("generation_id", "position"),
    payload=pa.schema(
        [
            _text("generation_id", "Key into `generations`."),
            _int("position", "Order within the generation, from 0."),
            _text("chain_id", "The trace this belongs to."),
            _text("sample_id", "Key into `samples`."),
            _int("round", "Round of the chain, from 1."),
            _text(
                "kind",
                "What it is.",
                unit="image, description, roi, reasoning, answer, cite, tool",
            ),
            _text(
                "text",
                "Text of a description, reasoning or answer; name of a cited object; "
                "what is wrong or ambiguous about a region.",
                null=True,
            ),
            _text("image_id", "Image shown, for kind image.", null=True),
            _box("box", "The region, as verified and fixed.", unit="fraction of the view"),
            _box("box_stated", "The region as the model wrote it.", unit="fraction of the view"),
            _box("box_original", "`box` on the original image.", unit="fraction of original"),
            _text("box_view_image_id", "Image that `box` is relative to.", null=True),
            _text(
                "box_convention", "How the model wrote the box.", null=True, unit="unit, 0-1000, px"
            ),
            _real("cited_depth", "Depth the text cites for the box.", null=True, unit="[0, 1]"),
        ]
    ),
)

VERDICTS: Final = Contract(
    name="verdicts",
    version=1,
    grain="one judgement on one subject by one rule",
    key=("subject_id", "rule"),
    payload=pa.schema(
        [
            _text("subject_id", "Id of the chain, generation or sample judged."),
            _text("subject_kind", "What the id names.", unit="chain, generation, sample"),
            _text("rule", "Name of the rule."),
            _flag("passed", "The verdict; null if it could not be decided.", null=True),
            _real("score", "The measured value behind it.", null=True),
            _text("detail", "Expected and found, in one line.", null=True),
        ]
    ),
)

DEPTH_MAPS: Final = Contract(
    name="depth_maps",
    version=1,
    grain="one depth map of one image by one model",
    key=("image_id", "model"),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`."),
            _text("model", "Weights used: hub id, folder name or `embedded`."),
            _col("depth", pa.binary(), "PNG, 16 bit grey holding 0..4095: (d - lo) / (hi - lo)."),
            _int("width", "Width of the map, the model's grid.", unit="px"),
            _int("height", "Height of the map.", unit="px"),
            _real("lo", "Model value stored as 0.", unit="model units"),
            _real("hi", "Model value stored as 4095; equal to `lo` for a flat map."),
            _real("p2", "2nd percentile over non-sky pixels: 0 of normalised depth."),
            _real("p98", "98th percentile over non-sky pixels: 1 of normalised depth."),
            _text("kind", "What the values are.", unit="relative, metric"),
            _text("direction", "Which way they grow.", unit="larger_nearer, larger_farther"),
            _text("status", "Whether the map carries information.", unit="ok, flat"),
            _text("preproc_id", "Fingerprint of the preprocessing."),
            _text("weights_sha", "sha256 of the weights file."),
            _text("licence", "Licence of the weights.", null=True),
        ]
    ),
)

SEGMENTS: Final = Contract(
    name="segments",
    version=1,
    grain="one mask of one image as the segmentation model gave it",
    key=("image_id", "segment_id"),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`."),
            _int("segment_id", "From 1, largest first."),
            _text("model", "Weights used."),
            _text(
                "category",
                "Label of the model, or of the detection asked about; null if neither has one.",
                null=True,
            ),
            _real(
                "score",
                "Confidence in the mask: mean over it, of its query, or the overlap predicted.",
                unit="[0, 1]",
            ),
            _box("box", "Tight box of the mask.", null=False, unit="fraction of image"),
            _int("area_px", "Mask area on the mask grid.", unit="px"),
            _text("mask_rle", "COCO compressed RLE counts (column-major)."),
            _int("mask_width", "Width of the mask grid.", unit="px"),
            _int("mask_height", "Height of the mask grid.", unit="px"),
            _text("weights_sha", "sha256 of the weights file."),
            _text("licence", "Licence of the weights.", null=True),
            _text(
                "prompt_kind",
                "What the mask answers; null if nothing was asked about in particular.",
                null=True,
                unit="detection, sample",
            ),
            _text(
                "prompt_id",
                "The `detection_id`, or the first `sample_id` by name with this box.",
                null=True,
            ),
            _box("prompt_box", "The box that was asked about.", unit="fraction of image"),
        ]
    ),
)

DETECTIONS: Final = Contract(
    name="detections",
    version=1,
    grain="one box of one image that an open-vocabulary detector gave for a query",
    key=("image_id", "detection_id"),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`."),
            _int("detection_id", "From 1, best score first."),
            _text("model", "Weights used."),
            _text("query", "What was looked for, as the recipe names it."),
            _text("label", "What the model says it is, in words of the queries."),
            _real("score", "Confidence.", unit="[0, 1]"),
            _box("box", "Where it is, clipped to the image.", null=False, unit="fraction of image"),
            _text("weights_sha", "sha256 of the weights file."),
            _text("licence", "Licence of the weights.", null=True),
        ]
    ),
)

OBJECTS: Final = Contract(
    name="objects",
    version=1,
    grain="one object of one image: mask and depth together",
    key=("image_id", "object_id"),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`."),
            _int("object_id", "The segment's id."),
            _text("category", "Label.", null=True),
            _box("box", "Tight box of the mask.", null=False, unit="fraction of image"),
            _int("area_px", "Mask area on the mask grid.", unit="px"),
            _text("mask_rle", "COCO compressed RLE counts."),
            _int("mask_width", "Width of the mask grid.", unit="px"),
            _int("mask_height", "Height of the mask grid.", unit="px"),
            _real("score", "Confidence of the mask.", unit="[0, 1]"),
            _real("depth_median", "Median normalised depth, 1 nearest.", null=True, unit="[0, 1]"),
            _real("depth_p10", "10th percentile.", null=True, unit="[0, 1]"),
            _real("depth_p90", "90th percentile.", null=True, unit="[0, 1]"),
            _real("depth_iqr", "Interquartile range.", null=True, unit="[0, 1]"),
            _text(
                "depth_status",
                "Whether depth facts hold.",
                unit="ok, too_small, flat, missing, sky, reflective",
            ),
            _int(
                "depth_rank",
                "Rank by nearness among the objects of the picture whose depth holds, 1 nearest; "
                "equal medians share a rank.",
                null=True,
            ),
        ]
    ),
)

RELATIONS: Final = Contract(
    name="relations",
    version=1,
    grain="one relation between an ordered pair of objects",
    key=("image_id", "subject_object_id", "object_object_id", "kind"),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`."),
            _int("subject_object_id", "The object that stands in the relation."),
            _int("object_object_id", "The object it is related to."),
            _text(
                "kind", "The relation.", unit="left_of, right_of, above, below, in_front_of, behind"
            ),
            _real(
                "margin", "Distance to the opposite verdict.", unit="fraction or depth in [0, 1]"
            ),
            _text("status", "Whether the margin decides.", unit="decided, ambiguous"),
        ]
    ),
)

DEPTH_SCORES: Final = Contract(
    name="depth_scores",
    version=1,
    grain="one measure of how far depth can be trusted, of one item under one condition",
    key=("score_id",),
    payload=pa.schema(
        [
            _text("score_id", "Content id of all that names the row."),
            _text(
                "audit",
                "What depth is compared with: itself under noise, true depth, human labels.",
                unit="noise, truth, human",
            ),
            _text("benchmark", "Folder of truth or labels by name; for noise the maps' part."),
            _text("benchmark_sha", "Hash of what was compared with."),
            _text("item_id", "Picture of the benchmark; for noise the part."),
            _text("model", "Weights of the maps: hub id, folder name or `embedded`."),
            _text("weights_sha", "sha256 of these weights."),
            _text("preproc_id", "Fingerprint of the maps' preprocessing."),
            _text("measure", "What was measured; the how-to on depth audits explains each."),
            _text(
                "pairs",
                "Which pairs of objects it is over.",
                null=True,
                unit="decided, ambiguous, all",
            ),
            _real("noise_sd", "Standard deviation of the noise added.", null=True, unit="nearness"),
            _real("bin_low", "Margin or depth ratio that the pairs exceed.", null=True),
            _real("bin_high", "Greatest margin or depth ratio; null if open.", null=True),
            _real("value", "The measure; null if it has none here.", null=True),
            _int("n", "Pixels, pairs or objects it is over."),
            _text("note", "What must be known to read it.", null=True),
        ]
    ),
)

IMAGE_KEYS: Final = Contract(
    name="image_keys",
    version=1,
    grain="what one image is compared by with other images",
    key=("image_id",),
    payload=pa.schema(
        [
            _text("image_id", "Key into `images`; whole images only, no crops of them."),
            _text("algorithm", "How the keys were made: name and version."),
            _col("phash", pa.binary(), "256-bit perceptual hash.", null=True, unit="32 bytes"),
            _col(
                "view_hashes",
                pa.list_(pa.int64()),
                "64-bit perceptual hashes of crops and flips, two's complement.",
            ),
            _col("view_names", pa.list_(pa.string()), "The crop or flip each of them is of."),
            _flag("is_photo", "Photo rather than chart or document; null if unknown.", null=True),
            _col(
                "embedding",
                pa.list_(pa.float32()),
                "Null: embeddings of images are rows of `embeddings`.",
                null=True,
            ),
        ]
    ),
)

TEXT_KEYS: Final = Contract(
    name="text_keys",
    version=1,
    grain="what one text is compared by with other texts",
    key=("item_id",),
    payload=pa.schema(
        [
            _text("item_id", "Sample id or chain id."),
            _text("item_kind", "What the id names.", unit="sample, chain"),
            _text("algorithm", "How the keys were made: name, sizes and version."),
            _text("group_key", "Only texts of one group are compared; a normalised question."),
            _col("image_ids", pa.list_(pa.string()), "Images the text is about.", null=True),
            _int("exact_key", "64-bit hash of the normalised text, two's complement."),
            _int("guard_key", "64-bit hash of the protected tokens: numbers, units, negation, ..."),
            _int("n_tokens", "Tokens of the text.", unit="tokens"),
            _col(
                "bands",
                pa.list_(pa.int64()),
                "MinHash band keys in their order, two's complement; empty without tokens.",
            ),
            _col(
                "signature",
                pa.binary(),
                "A byte of every permutation's mixed minimum; empty without tokens.",
            ),
            _col(
                "shingles",
                pa.list_(pa.int64()),
                "64-bit shingle hashes, unique, ascending as unsigned, two's complement.",
            ),
        ]
    ),
)

EMBEDDINGS: Final = Contract(
    name="embeddings",
    version=1,
    grain="one text or image as a model sees it; computed or paid once",
    key=("item_id", "model"),
    payload=pa.schema(
        [
            _text("item_id", "Sample id, chain id or image id."),
            _text("item_kind", "What the id names.", unit="sample, chain, image"),
            _text("model", "Model that made it."),
            _text("weights_sha", "sha256 of the weights; null for an endpoint.", null=True),
            _text("text_sha256", "sha256 of the text, or of the image's bytes, that was embedded."),
            _col("embedding", pa.list_(pa.float32()), "Vector; its length is the model's."),
            _text("request_key", "Key into `ledger`; null if nobody was asked.", null=True),
        ]
    ),
)

THRESHOLDS: Final = Contract(
    name="thresholds",
    version=1,
    grain="one cosine threshold of one model, read from a labelled sample",
    key=("item_kind", "model"),
    payload=pa.schema(
        [
            _text("item_kind", "What is compared.", unit="sample, chain, image"),
            _text("model", "Model that embeds."),
            _text("weights_sha", "sha256 of the weights; null for an endpoint.", null=True),
            _real("cosine", "Least cosine whose pairs have the wanted precision."),
            _real("wanted_precision", "What was asked for.", unit="[0, 1]"),
            _real("precision", "True duplicates among the pairs that reach it.", unit="[0, 1]"),
            _real("precision_low", "Lower end of its 95 % interval (Wilson).", unit="[0, 1]"),
            _real("precision_high", "Upper end of its interval.", unit="[0, 1]"),
            _real("recall", "True duplicates of the sample that reach it.", unit="[0, 1]"),
            _int("n_reached", "Labelled pairs that reach it."),
            _int("n_pairs", "Labelled pairs."),
            _int("n_duplicates", "True duplicates among them."),
            _text("pairs_sha256", "sha256 of the labelled pairs' content."),
        ]
    ),
)

DUPLICATES: Final = Contract(
    name="duplicates",
    version=1,
    grain="one member of a cluster of duplicates",
    key=("item_id", "method"),
    payload=pa.schema(
        [
            _text("item_id", "Image id, sample id or chain id."),
            _text("item_kind", "What the id names.", unit="image, sample, chain"),
            _text("method", "Rule that found the cluster."),
            _text("cluster_id", "Content id of the shared key or of the kept member."),
            _text("kept_id", "Member that is kept; equal to `item_id` for that member."),
            _real("similarity", "Verified similarity to the kept member.", unit="[0, 1]"),
            _text("evidence", "The shared key or the measured facts.", null=True),
            _text("matched_benchmark", "Benchmark matched, for decontamination.", null=True),
            _text(
                "decision",
                "What follows for a member that is not kept; null is drop.",
                null=True,
                unit="drop, report",
            ),
            _text("algorithm", "How the pair was found: name and version.", null=True),
            _int("band", "Band that brought the pair together; null if no band did.", null=True),
        ]
    ),
)

BENCHMARKS: Final = Contract(
    name="benchmarks",
    version=1,
    grain="one benchmark that the lake was compared with",
    key=("benchmark_id",),
    payload=pa.schema(
        [
            _text("benchmark_id", "Content id of name, version and content."),
            _text("name", "Name of the benchmark."),
            _text("version", "Version as given, or the start of its content hash."),
            _text("uri", "Where it was read, without credentials."),
            _text("content_sha", "sha256 of what was read.", unit="64 hex characters"),
            _int("n_items", "Items read."),
            _int("n_texts", "Texts among them."),
            _int("n_images", "Images among them."),
            _text("rules_json", "Rules that were applied, with their parameters."),
        ]
    ),
)

CONTAMINATION: Final = Contract(
    name="contamination",
    version=1,
    grain="one item of the lake that matches one benchmark by one rule",
    key=("item_id", "benchmark_id", "rule"),
    payload=pa.schema(
        [
            _text("item_id", "Image id, sample id or chain id."),
            _text("item_kind", "What the id names.", unit="image, sample, chain"),
            _text("benchmark_id", "Key into `benchmarks`."),
            _text("rule", "Rule that matched."),
            _text("benchmark_item", "The benchmark's own name for the item matched best."),
            _real("score", "How well it matches.", unit="[0, 1]"),
            _text("evidence", "What both share.", null=True, unit="at most 500 characters"),
            _text("decision", "What follows from it.", unit="review, drop"),
            _text("algorithm", "How it was found: name and version."),
        ]
    ),
)

PAIRS: Final = Contract(
    name="pairs",
    version=1,
    grain="one preference",
    key=("pair_id",),
    payload=pa.schema(
        [
            _text("pair_id", "Content id of seed, chosen and rejected."),
            _text("sample_id", "Key into `samples`."),
            _text("chosen_id", "Key into `generations`."),
            _text("rejected_id", "Key into `generations`."),
            _real("sample_accuracy", "Share of the draws that were right.", unit="[0, 1]"),
            _text("rules", "Rules that decided."),
        ]
    ),
)

LEDGER: Final = Contract(
    name="ledger",
    version=1,
    grain="one paid call",
    key=("request_key", "draw"),
    payload=pa.schema(
        [
            _text("request_key", "sha256 of endpoint class, model, messages, parameters."),
            _int("draw", "Which of the n samples of one request, from 0."),
            _text("endpoint_class", "Kind of endpoint; addresses are not identity."),
            _text("teacher", "Model name as requested."),
            _text("recipe", "Recipe that paid."),
            _text("step", "Step that paid."),
            _text("subject_id", "What it was asked about."),
            _text("prompt_id", "sha256 of the prompt template."),
            _text("request_json", "Canonical request, images as sha256."),
            _text("response_json", "The response body as received."),
            _text("outcome", "What became of the call."),
            _text("finish_reason", "As the endpoint said.", null=True),
            _int("tokens_in", "Prompt tokens billed.", null=True, unit="tokens"),
            _int("tokens_out", "Completion tokens billed.", null=True, unit="tokens"),
            _int("tokens_reasoning", "Reasoning tokens within them.", null=True, unit="tokens"),
            _real("cost_usd", "Price; null if the model has none listed.", null=True, unit="USD"),
            _real("latency_ms", "Wall time of the call.", unit="ms"),
            _col(
                "received_at",
                pa.timestamp("us", tz="UTC"),
                "When the response was received.",
                unit="UTC",
            ),
            _text(
                "channel", "How it was bought; null is live.", null=True, unit="live, batch, import"
            ),
            _text("endpoint", "Endpoint that answered, by its name in the settings.", null=True),
        ]
    ),
)

BATCHES: Final = Contract(
    name="batches",
    version=1,
    grain="one batch of teacher calls, as it stands now",
    key=("batch_key",),
    payload=pa.schema(
        [
            _text("batch_key", "Content id of its calls and how often each was sent before."),
            _text(
                "state",
                "Where it stands; the first three are open.",
                unit="intended, uploaded, submitted, collected, abandoned",
            ),
            _text("provider_status", "What the endpoint last said of it.", null=True),
            _text("provider_id", "The endpoint's id of it; null until it is known.", null=True),
            _text("input_file_id", "The endpoint's id of the uploaded requests.", null=True),
            _text("endpoint", "Address it was sent to, without credentials."),
            _text("teacher", "Model name as requested."),
            _text("recipe", "Recipe that pays."),
            _text("step", "Step that pays."),
            _int("n_requests", "Requests in it."),
            _int("n_answered", "Requests whose answer is in the ledger.", null=True),
            _real("worst_case_usd", "The most it can cost; counts against a cap while it is open."),
            _real("cost_usd", "Price of its answers; null if a price is missing.", null=True),
            _col("intended_at", pa.timestamp("us", tz="UTC"), "When it was planned.", unit="UTC"),
            _col("changed_at", pa.timestamp("us", tz="UTC"), "When its state changed.", unit="UTC"),
            _text("detail", "Why it was given up or refused.", null=True),
        ]
    ),
)

BATCH_REQUESTS: Final = Contract(
    name="batch_requests",
    version=1,
    grain="one request of one batch",
    key=("batch_key", "custom_id"),
    payload=pa.schema(
        [
            _text("batch_key", "Key into `batches`."),
            _text("custom_id", "Its name within the batch."),
            _int("position", "Its line in the uploaded file, from 0."),
            _text("request_key", "Key into `ledger`, once it is answered."),
            _int("draw", "Which of the n samples of one request, from 0."),
            _text("request_json", "Canonical request, images as sha256."),
            _text("prompt_id", "sha256 of the prompt template."),
            _text("subject_id", "What is asked about."),
            _text(
                "result",
                "What came of it; null while the batch is open.",
                null=True,
                unit="answered, rejected, unanswered",
            ),
            _text("detail", "Why there is no answer.", null=True),
        ]
    ),
)

FAILURES: Final = Contract(
    name="failures",
    version=1,
    grain="one row that could not be used by one step",
    key=("step", "item_id", "run_id", "code"),
    payload=pa.schema(
        [
            _text("step", "Step that could not use the row."),
            _text("item_id", "Row key, image id, sample id or generation id."),
            _text("code", "Why; see the failure codes."),
            _text("detail", "Expected and found.", null=True, unit="at most 500 characters"),
        ]
    ),
)

RUNS: Final = Contract(
    name="runs",
    version=1,
    grain="one committed execution of a step on a part",
    key=("run_id",),
    payload=pa.schema(
        [
            _text("step", "Step name."),
            _int("step_version", "Step version."),
            _text("input_part", "Part the step worked on."),
            _text("recipe", "Recipe name."),
            _text("recipe_identity", "Fingerprint of the recipe."),
            _text("git_tree", "Git tree of the code, with + if changed.", null=True),
            _text("flow_run_id", "Prefect flow run.", null=True),
            _text("parameters_json", "The parameters that entered the fingerprint."),
            _col("started_at", pa.timestamp("us", tz="UTC"), "Start.", unit="UTC"),
            _col("finished_at", pa.timestamp("us", tz="UTC"), "Commit.", unit="UTC"),
            _int("rows_in", "Rows read."),
            _int("rows_out", "Rows written to the step's own tables."),
            _int("rows_failed", "Rows written to `failures`."),
            _int("calls_made", "Teacher calls made.", null=True),
            _int("calls_reused", "Teacher calls answered by the ledger.", null=True),
            _real("cost_usd", "Spent on calls made.", null=True, unit="USD"),
        ]
    ),
)

RELEASES: Final = Contract(
    name="releases",
    version=1,
    grain="one published file set",
    key=("release_id",),
    payload=pa.schema(
        [
            _text("release_id", "Content id of the files."),
            _text("name", "Name given to the release."),
            _text("format", "Export format."),
            _text("files_json", "Files with sha256, bytes and rows."),
            _int("n_rows", "Rows released."),
            _text("licence_verdict", "What the licences of its inputs allow."),
            _text("inputs_json", "Parts and fingerprints it was made from."),
        ]
    ),
)

CONTRACTS: Final[dict[str, Contract]] = {
    c.name: c
    for c in (
        IMAGES, SAMPLES, IMAGE_KEYS, TEXT_KEYS, EMBEDDINGS, THRESHOLDS, DUPLICATES, DEPTH_MAPS,
        DETECTIONS, SEGMENTS, OBJECTS, RELATIONS, DEPTH_SCORES, GENERATIONS, STEPS, VERDICTS, PAIRS,
        BENCHMARKS,
        CONTAMINATION, LEDGER, BATCHES, BATCH_REQUESTS, FAILURES, RUNS, RELEASES,
    )
}  # fmt: skip
"""Every table by name, in the order data flows."""
