"""What a kernel module says of itself: its ``.modinfo`` section and its symbols.

The section holds ``key=value`` strings, each ended by NUL (include/linux/moduleparam.h,
``__MODULE_INFO``); ``depends`` is written by the kernel's modpost.
"""

from __future__ import annotations

from typing import NamedTuple

from bootsmith.errors import ArchiveError
from bootsmith.image.elf import ElfFile

_EXPORT = b"__ksymtab_"  # every EXPORT_SYMBOL makes a symbol of this prefix


class ModuleInfo(NamedTuple):
    """``depends`` and the names in ``softdeps`` are as written, not made canonical."""

    depends: tuple[str, ...]
    aliases: tuple[str, ...]
    softdeps: tuple[str, ...]
    release: str
    machine: int


class ModuleSymbols(NamedTuple):
    """What a module takes from others, in the order of its symbol table, and gives to them."""

    imports: tuple[bytes, ...]
    exports: tuple[bytes, ...]


def module_name(file_name: str) -> str:
    """The canonical name of a module's file: without folders and suffixes, ``-`` as ``_``."""
    return canonical(file_name.rpartition("/")[2].partition(".")[0])


def canonical(name: str) -> str:
    """A module's name as the kernel has it: ``virtio-rng`` is ``virtio_rng``."""
    return name.replace("-", "_")


def module_info(data: bytes) -> ModuleInfo:
    """Raises ``ArchiveError`` when ``data`` is no kernel module."""
    elf = ElfFile(data)
    section = elf.section(b".modinfo")
    if not section:
        raise ArchiveError("an ELF file without .modinfo is no kernel module")
    values: dict[str, list[str]] = {}
    for item in section.split(b"\0"):
        if item:
            key, _, value = item.decode("utf-8", "backslashreplace").partition("=")
            values.setdefault(key, []).append(value)
    depends = [name for text in values.get("depends", ()) for name in text.split(",") if name]
    return ModuleInfo(
        depends=tuple(depends),
        aliases=tuple(values.get("alias", ())),
        softdeps=tuple(values.get("softdep", ())),
        release=values.get("vermagic", [""])[0].partition(" ")[0],
        machine=elf.machine,
    )


def module_symbols(data: bytes) -> ModuleSymbols:
    """Raises ``ArchiveError`` when ``data`` is no kernel module."""
    symbols = list(ElfFile(data).symbols())
    # Not the section __ksymtab_strings: names of export namespaces stand there too.
    exports = [
        symbol.name.removeprefix(_EXPORT)
        for symbol in symbols
        if symbol.name.startswith(_EXPORT) and not symbol.is_undefined
    ]
    imports = [symbol.name for symbol in symbols if symbol.is_undefined]
    return ModuleSymbols(imports=tuple(imports), exports=tuple(exports))


def softdep_before(softdep: str) -> tuple[str, ...]:
    """The modules that ``softdep`` (modprobe.d(5)) wants loaded before its own.

    Names that stand after neither ``pre:`` nor ``post:`` count for nothing, as in kmod.
    """
    names: list[str] = []
    before = False
    for word in softdep.split():
        if word in ("pre:", "post:"):
            before = word == "pre:"
        elif before:
            names.append(word)
    return tuple(names)
