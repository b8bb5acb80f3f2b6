"""The JSON Schema of a build config, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from bootsmith.config.attribute_docs import attribute_docs
from bootsmith.config.build_config import BuildConfig
from bootsmith.config.shape import every_part

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """The schema of the file, in which unknown keys are mistakes, so that editors mark them."""
    for part in every_part():
        part.model_rebuild()  # no part has a checker until one is asked for (``fields.Part``)
    schema = BuildConfig.model_json_schema(by_alias=True, mode="validation")
    parts = {BuildConfig.__name__: schema, **schema["$defs"]}
    for part in every_part():
        if part.__name__ in parts:  # one that may be written as text, too, has a schema by hand
            _tidy(parts[part.__name__], part)
    properties = {"$schema": {"type": "string"}, **schema.pop("properties")}
    return {
        "$schema": DIALECT,
        **schema,
        "title": "bootsmith build config",
        "properties": properties,
    }


def _tidy(schema: dict[str, Any], part: type[BaseModel]) -> None:
    schema["additionalProperties"] = False
    told = attribute_docs(part)
    for name, field in part.model_fields.items():
        key = field.alias or name
        found = schema["properties"][key]
        found.pop("title", None)
        if name in told:
            found["description"] = told[name]
        if found.get("default", ...) is None:
            del found["default"]
        schema["properties"][key] = dict(sorted(found.items()))
