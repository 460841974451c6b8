"""Structured output: the request parameter that makes an endpoint write one form of JSON.

It constrains every token of a reply, so it may hurt models that think before they answer; that is
why recipes switch it on (`structured: true`) and nothing here assumes it.  A reply is parsed like
any other: endpoints that ignore the parameter exist, and a cut reply is half an object.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
NUMBERS: Schema = {"type": "array", "items": NUMBER}
TEXTS: Schema = {"type": "array", "items": TEXT}


def response_format(name: str, properties: Mapping[str, Schema]) -> dict[str, Any]:
    """Return request parameters for an object with exactly these properties, in their order."""
    schema = {
        "type": "object",
        "properties": {key: dict(kind) for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    form = {"name": name, "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": form}}
