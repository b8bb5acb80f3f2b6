"""The JSON Schema of a build config, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from bootsmith.config.build_config import BuildConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """The schema of the file, in which unknown keys are mistakes, so that editors mark them."""
    schema = BuildConfig.model_json_schema(by_alias=True, mode="validation")
    for part in (schema, *schema["$defs"].values()):
        _tidy(part)
    properties = {"$schema": {"type": "string"}, **schema.pop("properties")}
    return {
        "$schema": DIALECT,
        **schema,
        "title": "bootsmith build config",
        "properties": properties,
    }


def _tidy(part: dict[str, Any]) -> None:
    if "properties" not in part:
        return
    part["additionalProperties"] = False
    for field in part["properties"].values():
        field.pop("title", None)
        if "description" in field:
            field["description"] = " ".join(field["description"].split())
        if field.get("default", ...) is None:
            del field["default"]
