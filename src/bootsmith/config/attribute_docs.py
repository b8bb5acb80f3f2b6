"""The sentences that stand below the fields of a config's part, for its JSON Schema.

pydantic would read them itself, while the classes are made: from the source text, in every
process that builds anything.  Only the schema needs them.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise


def attribute_docs(part: type) -> dict[str, str]:
    """What is written below each field of ``part``, by the field's name, on one line."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(part)).body
               if isinstance(node, ast.ClassDef))  # fmt: skip
    found = {}
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found
