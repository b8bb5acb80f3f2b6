"""Canonical JSON: one text for one value, so that an id can be a digest of it.

Keys sorted, no white space, UTF-8, no NaN.  Only ``None``, ``bool``, ``int``, ``str``,
lists, tuples and string-keyed mappings are taken; floats are refused, because their text
differs between programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bootsmith.model.digest import Digest

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"


def canonical_json(value: Json) -> bytes:
    """The canonical bytes of ``value``.  Raises ``TypeError`` for anything not in ``Json``."""
    _check(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", "surrogatepass")


def digest_of(value: Json) -> Digest:
    """The SHA-256 digest of the canonical bytes of ``value``."""
    return Digest.of(canonical_json(value))


def _check(value: object) -> None:
    if value is None or isinstance(value, (bool, int, str)):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key of canonical JSON must be text, not {key!r}")
            _check(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item)
    else:
        raise TypeError(f"canonical JSON cannot hold {type(value).__name__}")
