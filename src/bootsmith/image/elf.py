"""As much of ELF as kernels, their modules and libraries need: 64-bit, little-endian.

Specified in the System V ABI, "Object Files"; the structures are ``Elf64_Ehdr``,
``Elf64_Phdr``, ``Elf64_Shdr`` and ``Elf64_Sym`` of <elf.h>.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from bootsmith.errors import ArchiveError

MAGIC = b"\x7fELF"

_FILE_HEADER = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
assert _FILE_HEADER.size == 64
assert _PROGRAM_HEADER.size == 56
assert _SECTION_HEADER.size == 64
assert _SYMBOL.size == 24

_CLASS_64, _LITTLE_ENDIAN = 2, 1
_SECTION_WITHOUT_DATA = 8  # SHT_NOBITS
_LOADED = 1  # PT_LOAD


class Symbol(NamedTuple):
    """``address`` is where a loaded file has it, before relocation."""

    name: bytes
    is_undefined: bool
    address: int
    size_bytes: int


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
        self._segments_at, self._segments = header[7], header[12]
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
        return self._symbols(b".symtab")

    def exported_symbols(self) -> Iterator[Symbol]:
        """The named symbols of ``.dynsym``, which a stripped library keeps, in its order."""
        return self._symbols(b".dynsym")

    def loaded(self, address: int, size_bytes: int) -> bytes:
        """The bytes of the file that lie at ``address`` once it is loaded.

        Raises ``ArchiveError`` when no segment of the file holds all of them.
        """
        end = self._segments_at + self._segments * _PROGRAM_HEADER.size
        if end > len(self._data):
            raise ArchiveError("the ELF file is cut off before its program headers", offset=end)
        for index in range(self._segments):
            kind, _, offset, start, _, stored_bytes, _, _ = _PROGRAM_HEADER.unpack_from(
                self._data, self._segments_at + index * _PROGRAM_HEADER.size
            )
            if kind != _LOADED or not start <= address < start + stored_bytes:
                continue
            at = offset + address - start
            if address + size_bytes > start + stored_bytes or at + size_bytes > len(self._data):
                break
            return self._data[at : at + size_bytes]
        raise ArchiveError(f"the ELF file does not hold {size_bytes} bytes at {address:#x}")

    def _symbols(self, section_name: bytes) -> Iterator[Symbol]:
        index = self._by_name.get(section_name)
        if index is None:
            return
        table, strings_index = self._content(index), self._headers[index][6]
        if strings_index >= len(self._headers) or len(table) % _SYMBOL.size:
            raise ArchiveError("the ELF file's symbol table is damaged")
        strings = self._content(strings_index)
        for name, _, _, section, address, size_bytes in _SYMBOL.iter_unpack(table):
            if name:
                yield Symbol(_string(strings, name), section == 0, address, size_bytes)

    def _content(self, index: int) -> bytes:
        _, kind, _, _, offset, size = self._headers[index][:6]
        if kind == _SECTION_WITHOUT_DATA:
            return b""
        if offset + size > len(self._data):
            raise ArchiveError("the ELF file is cut off inside a section", offset=offset)
        return self._data[offset : offset + size]


def _string(strings: bytes, offset: int) -> bytes:
    return strings[offset : strings.find(b"\0", offset)]
