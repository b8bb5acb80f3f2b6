"""The published JSON Schema, and the tables of docs/config.md, made from the config's classes.

``python -m tests.support.config_page`` writes both anew; nothing else does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bootsmith.config.schema import config_schema
from bootsmith.config.schema_file import SCHEMA_NAME

_CHECKOUT = Path(__file__).parents[2]
PAGE = _CHECKOUT / "docs" / "config.md"
SCHEMA = _CHECKOUT / "src" / "bootsmith" / "config" / SCHEMA_NAME
_BEGIN = "<!-- reference: written by `python -m tests.support.config_page` -->\n"
_END = "<!-- end of reference -->\n"
_SECTIONS = {
    "alpine": "Alpine", "debian": "Debian", "oci": "OCI image", "kernel": "Kernel",
    "krun": "libkrun",
    "rootfs": "Root file system", "init": "Init", "runtimeDefaults": "Runtime defaults",
    "postBuild": "After the packages", "container": "Container", "files": "Files",
    "users": "Users", "ssh": "SSH", "build": "Only during the build",
}  # fmt: skip


def schema_text() -> str:
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """The page as it should be: its prose as it is, its tables made anew."""
    before, _, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    return before + _BEGIN + reference() + _END + after


def reference() -> str:
    """A table of the fields at the top, then one for each part."""
    schema = config_schema()
    parts = {key: _part(schema, schema["properties"][key]) for key in _SECTIONS}
    top = {key: field for key, field in schema["properties"].items() if key not in _SECTIONS}
    top.pop("$schema")
    sections = [_table(schema, "", top)]
    for key, title in _SECTIONS.items():
        is_list = schema["properties"][key].get("type") == "array"
        told = " ".join(parts[key]["description"].split())
        said = schema["properties"][key].get("description", told)
        prefix = f"{key}[]." if is_list else f"{key}."
        sections.append(
            f"### {title} (`{key}`{', a list' if is_list else ''})\n\n{said}\n\n"
            + _table(schema, prefix, parts[key]["properties"], parts[key].get("required", ()))
        )
    return "\n" + "\n".join(sections) + "\n"


def _table(
    schema: dict[str, Any],
    prefix: str,
    fields: dict[str, dict[str, Any]],
    required: tuple[str, ...] = (),
) -> str:
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for key, field in fields.items():
        lines += _rows(schema, f"{prefix}{key}", field, is_required=key in required)
    return "\n".join(lines) + "\n"


def _rows(
    schema: dict[str, Any], path: str, field: dict[str, Any], *, is_required: bool
) -> list[str]:
    default = "required" if is_required else _default(field)
    told = field.get("description") or ""
    rows = [f"| `{path}` | {_type(field)} | {default} | {told} |".replace("|  |", "| |")]
    items = field.get("items", {})
    if "$ref" in items:
        part = _part(schema, items)
        for key, inner in part["properties"].items():
            rows += _rows(
                schema, f"{path}[].{key}", inner, is_required=key in part.get("required", ())
            )
    return rows


def _part(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    """The part that ``field`` holds, or the parts of its list."""
    found = re.search(r'"#/\$defs/(\w+)"', json.dumps(field))
    assert found, field
    part: dict[str, Any] = schema["$defs"][found[1]]
    return part


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None:
        return "{}" if field.get("anyOf", [{}])[0].get("type") == "object" else ""
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "object"
    if "enum" in field:
        return r" \| ".join(f"`{choice}`" for choice in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        kinds = [_type(one) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if field["type"] == "array":
        return "list"
    kind = str(field["type"])
    names = {"string": "text", "integer": "number", "boolean": "`true` \\| `false`"}
    return names.get(kind, kind)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    SCHEMA.write_text(schema_text(), "utf-8")
