"""YAML, with JSON's idea of what a plain word is.

``no``, ``on``, ``0755``, ``12:30`` and ``2024-01-01`` are text: only ``true``, ``false``,
``null`` and numbers as JSON writes them are anything else.  So a config means the same in
either language, and no value turns into another behind its author's back.  Tags and aliases
are refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from bootsmith.config.objects import as_object, refuse

_JSON_WORD = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NULLS = ("", "~")
_PLAIN_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


def parse_yaml(text: str, *, origin: str) -> object:
    """The value of ``text``.  Raises ``ConfigError`` with line and column of a mistake."""
    try:
        # The base loader knows no tag but those of text, lists and mappings.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        return None if node is None else _value(node, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        refuse(origin, "YAML", f"{place}{error.problem or error.context}", error)
    except RecursionError as error:
        refuse(origin, "YAML", "it is nested too deep", error)
    except (yaml.YAMLError, ValueError) as error:
        refuse(origin, "YAML", " ".join(str(error).split()), error)


def _value(node: yaml.Node, seen: set[int]) -> Any:  # noqa: ANN401  (whatever JSON can say)
    if id(node) in seen:
        raise _wrong("an alias (*name) cannot be used in a config", node)
    if node.tag not in _PLAIN_TAGS:
        raise _wrong(f"the tag {node.tag} cannot be used in a config", node)
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return as_object([(_key(key), _value(value, seen)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, seen) for item in node.value]
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return node.value  # quoted, or a block
    if node.value in _NULLS:
        return None
    return json.loads(node.value) if _JSON_WORD.fullmatch(node.value) else node.value


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong("a key must be text", node)
    return str(node.value)


def _wrong(message: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)
