"""As much of ELF as kernels and their modules need: 64-bit, little-endian, by sections.

Specified in the System V ABI, "Object Files"; the structures are ``Elf64_Ehdr``,
``Elf64_Shdr`` and ``Elf64_Sym`` of <elf.h>.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError

MAGIC = b"\x7fELF"

_FILE_HEADER = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
assert _FILE_HEADER.size == 64
assert _SECTION_HEADER.size == 64
assert _SYMBOL.size == 24

_CLASS_64, _LITTLE_ENDIAN = 2, 1
_SECTION_WITHOUT_DATA = 8  # SHT_NOBITS


class Symbol(NamedTuple):
    name: bytes
    is_undefined: bool


class ElfFile:
    """An ELF file in memory.  Raises ``ArchiveError`` when it is another file or damaged."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC) or len(data) < _FILE_HEADER.size:
            raise ArchiveError("not an ELF file")
        header = _FILE_HEADER.unpack_from(data)
        if header[1:3] != (_CLASS_64, _LITTLE_ENDIAN):
            raise ArchiveError("not a 64-bit little-endian ELF file")
        self.machine: int = header[4]
        self._data = data
        table, count, names_index = header[8], header[14], header[15]
        end = table + count * _SECTION_HEADER.size
        if end > len(data):
            raise ArchiveError("the ELF file is cut off before its section headers", offset=end)
        self._headers = [
            _SECTION_HEADER.unpack_from(data, table + index * _SECTION_HEADER.size)
            for index in range(count)
        ]
        self._by_name: dict[bytes, int] = {}
        if count:
            if names_index >= count:
                raise ArchiveError("the ELF file has no section names")
            names = self._content(names_index)
            for index, fields in enumerate(self._headers):
                self._by_name.setdefault(_string(names, fields[0]), index)

    def section(self, name: bytes) -> bytes:
        """The content of a section; empty when there is none of that name."""
        index = self._by_name.get(name)
        return b"" if index is None else self._content(index)

    def symbols(self) -> Iterator[Symbol]:
        """The named symbols of ``.symtab``, in its order."""
        index = self._by_name.get(b".symtab")
        if index is None:
            return
        table, strings_index = self._content(index), self._headers[index][6]
        if strings_index >= len(self._headers) or len(table) % _SYMBOL.size:
            raise ArchiveError("the ELF file's symbol table is damaged")
        strings = self._content(strings_index)
        for name, _, _, section, _, _ in _SYMBOL.iter_unpack(table):
            if name:
                yield Symbol(_string(strings, name), is_undefined=section == 0)

    def _content(self, index: int) -> bytes:
        _, kind, _, _, offset, size = self._headers[index][:6]
        if kind == _SECTION_WITHOUT_DATA:
            return b""
        if offset + size > len(self._data):
            raise ArchiveError("the ELF file is cut off inside a section", offset=offset)
        return self._data[offset : offset + size]


def _string(strings: bytes, offset: int) -> bytes:
    return strings[offset : strings.find(b"\0", offset)]
