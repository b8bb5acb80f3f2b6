"""The published JSON Schema, as a file: nobody who prints it waits for the config's classes."""

from __future__ import annotations

from importlib.resources import files

SCHEMA_NAME = "schema.json"


def schema_text() -> str:
    """The schema of a build config, made by ``config.schema`` and kept equal to it by a test."""
    return (files("bootsmith.config") / SCHEMA_NAME).read_text("utf-8")
