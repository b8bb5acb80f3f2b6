"""On-disk records as typed tables.

A record is a ``NamedTuple`` whose annotations carry, beside the type, the ``struct`` format
code of the field; its order is the order on disk.  ``compile_record`` turns it into a
little-endian ``Struct`` and insists on the size the format documents.
"""

from __future__ import annotations

from struct import Struct
from typing import Annotated, Any, get_type_hints

U8 = Annotated[int, "B"]
U16 = Annotated[int, "H"]
U32 = Annotated[int, "I"]
U64 = Annotated[int, "Q"]
Raw4 = Annotated[bytes, "4s"]
Raw8 = Annotated[bytes, "8s"]
Raw16 = Annotated[bytes, "16s"]
Raw60 = Annotated[bytes, "60s"]
Raw64 = Annotated[bytes, "64s"]
Raw68 = Annotated[bytes, "68s"]


def compile_record(kind: type[Any], *, size: int, byte_order: str = "<") -> Struct:
    """The ``Struct`` for the fields of ``kind``; asserts that it has ``size`` bytes."""
    hints = get_type_hints(kind, include_extras=True)
    struct = Struct(byte_order + "".join(hint.__metadata__[0] for hint in hints.values()))
    assert struct.size == size, f"{kind.__name__} has {struct.size} bytes, not {size}"
    return struct
