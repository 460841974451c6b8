"""Structured output: what a reply says, put into the form that `response_format` asks for.

Covers what such forms use (objects, arrays, enums, unions, references, bounds of length), not all
of JSON Schema; what a reply does not know is filled with the least value the form allows.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 32
"""A form may refer to itself."""

KINDS: Final = frozenset({"text", "json_object", "json_schema"})
_LEAST: Final[Mapping[str, Any]] = {
    "string": "",
    "number": 0.0,
    "integer": 0,
    "boolean": False,
    "null": None,
}
_PYTHON: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def is_usable(response_format: Any) -> bool:
    """Return whether a `response_format` means something; null is none."""
    if response_format is None:
        return True
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    is_complete = kind != "json_schema" or schema_of(response_format) is not None
    return kind in KINDS and is_complete


def schema_of(response_format: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the schema that a `response_format` binds a reply to, null if it binds it to none."""
    if response_format is None or response_format.get("type") != "json_schema":
        return None
    form = response_format.get("json_schema")
    schema = form.get("schema") if isinstance(form, dict) else None
    return schema if isinstance(schema, dict) else None


def wants_json(response_format: Mapping[str, Any] | None) -> bool:
    """Return whether the reply must be JSON."""
    return (response_format or {}).get("type") in {"json_object", "json_schema"}


def conform(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return `value` in the form of `schema`."""
    return _conform(value, schema, schema, MAX_DEPTH)


def _conform(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return value if value in options else options[0]
    kind = _kind(value, schema)
    if kind == "object" and depth:
        known = value if isinstance(value, dict) else {}
        properties = schema.get("properties", {})
        return {k: _conform(known.get(k), part, root, depth - 1) for k, part in properties.items()}
    if kind == "array" and depth:
        listed = value if isinstance(value, list) else []
        missing = [None] * (schema.get("minItems", 0) - len(listed))
        entries = [*listed, *missing][: schema.get("maxItems")]
        return [_conform(entry, schema.get("items", {}), root, depth - 1) for entry in entries]
    return _plain(value, kind)


def _plain(value: Any, kind: str | None) -> Any:
    if kind is None or _is(value, kind):
        return value
    if kind == "string" and value is not None:
        return json.dumps(value)
    return _LEAST.get(kind)


def _kind(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return the type to give: of several the one the value has, else the first."""
    named = schema.get("type")
    kinds = [named] if isinstance(named, str) else list(named or [])
    return next((kind for kind in kinds if _is(value, kind)), kinds[0] if kinds else None)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references into `$defs`, and take the first of several forms."""
    for _ in range(MAX_DEPTH):
        if isinstance(reference := schema.get("$ref"), str):
            schema = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
        elif forms := schema.get("anyOf") or schema.get("oneOf"):
            schema = forms[0]
        else:
            break
    return schema


def _is(value: Any, kind: str) -> bool:
    is_number = kind in {"number", "integer"}
    return isinstance(value, _PYTHON.get(kind, ())) and not (is_number and isinstance(value, bool))
