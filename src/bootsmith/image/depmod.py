"""What ``depmod`` writes: the files that tell modprobe and udev about a set of modules.

Dependencies come from the modules' symbols, and stand in depmod's own order, so that our files
are the same as its (kmod's ``tools/depmod.c``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootsmith.image.decompression import decompressed
from bootsmith.image.kernel_modules import LoadedModule
from bootsmith.image.module_index import module_index
from bootsmith.image.module_info import module_name, module_symbols
from bootsmith.model.streams import BlobSource
from bootsmith.tree.contents import read_content

_BRACKETS = re.compile(r"\[[^\]]*\]|-")
_DEVICE_NAME = re.compile(r"devname:(?P<name>.+)")
_DEVICE_NUMBER = re.compile(r"(?P<kind>char|block)-major-(?P<major>\d+)-(?P<minor>\d+)")


def depmod(
    modules: Sequence[LoadedModule],
    *,
    order: str,
    builtin: str,
    builtin_modinfo: str,
    blobs: BlobSource,
) -> dict[str, bytes]:
    """The index files of ``modules``, by file name.

    ``order``, ``builtin`` and ``builtin_modinfo`` are the texts of the kernel package's
    ``modules.order``, ``modules.builtin`` and ``modules.builtin.modinfo``; what the modules hold
    is in ``blobs``.  Raises ``ArchiveError`` for a module whose symbols are damaged.
    """
    linked = _linked(_in_order(modules, order), blobs)
    texts = {
        "modules.dep": _dependency_lines(linked),
        "modules.alias": _alias_lines(linked),
        "modules.softdep": _softdep_lines(linked),
        "modules.symbols": _symbol_lines(linked),
        "modules.devname": _device_lines(linked),
    }
    files = {name: "".join(f"{line}\n" for line in lines) for name, lines in texts.items()}
    indexes = {
        "modules.dep.bin": module_index(_dependency_entries(linked)),
        "modules.alias.bin": module_index(_alias_entries(linked)),
        "modules.symbols.bin": module_index(_symbol_entries(linked)),
        "modules.builtin.bin": module_index(_builtin_entries(builtin)),
        "modules.builtin.alias.bin": module_index(_builtin_aliases(builtin_modinfo)),
    }
    return {name: text.encode("utf-8", "surrogateescape") for name, text in files.items()} | indexes


class _Linked(NamedTuple):
    """A module with its place in depmod's order and all that it needs, in depmod's order."""

    module: LoadedModule
    place: int
    exports: tuple[bytes, ...]
    needs: tuple[LoadedModule, ...]


def _in_order(modules: Sequence[LoadedModule], order: str) -> list[LoadedModule]:
    """As in ``modules.order``; what that does not list comes after, by path."""
    places = {path.partition(".ko")[0]: place for place, path in enumerate(order.split())}
    last = len(places)
    return sorted(
        modules, key=lambda item: (places.get(item.path.partition(".ko")[0], last), item.path)
    )


def _linked(modules: list[LoadedModule], blobs: BlobSource) -> list[_Linked]:
    symbols = [
        module_symbols(decompressed(read_content(module.content, blobs=blobs)))
        for module in modules
    ]
    owners = {name: index for index, own in enumerate(symbols) for name in own.exports}
    direct = [
        _unique(owners[name] for name in own.imports if owners.get(name, index) != index)
        for index, own in enumerate(symbols)
    ]
    ranks = _ranks(direct)
    return [
        _Linked(
            module,
            index,
            symbols[index].exports,
            tuple(
                modules[needed]
                for needed in sorted(_reachable(index, direct), key=ranks.__getitem__)
            ),
        )
        for index, module in enumerate(modules)
    ]


def _ranks(direct: list[list[int]]) -> list[int]:
    """Each module's place in a topological sort, the modules nobody needs first.

    Depmod keeps what is ready on a stack, so the last one found goes next.
    """
    users = [0] * len(direct)
    for needed in direct:
        for index in needed:
            users[index] += 1
    ready = [index for index, count in enumerate(users) if not count]
    ranks = [len(direct)] * len(direct)  # what stands in a cycle comes last
    for rank in range(len(direct)):
        if not ready:
            break
        index = ready.pop()
        ranks[index] = rank
        for needed_index in direct[index]:
            users[needed_index] -= 1
            if not users[needed_index]:
                ready.append(needed_index)
    return ranks


def _reachable(start: int, direct: list[list[int]]) -> set[int]:
    found: set[int] = set()
    pending = [start]
    while pending:
        more = [index for index in direct[pending.pop()] if index not in found]
        found.update(more)
        pending.extend(more)
    return found - {start}


def _dependency_lines(linked: list[_Linked]) -> Iterator[str]:
    for item in linked:
        yield _dependency_line(item)


def _dependency_line(item: _Linked) -> str:
    return " ".join((f"{item.module.path}:", *(needed.path for needed in item.needs)))


def _dependency_entries(linked: list[_Linked]) -> Iterator[tuple[str, str, int]]:
    for item in linked:
        yield item.module.name, _dependency_line(item), item.place


def _alias_lines(linked: list[_Linked]) -> Iterator[str]:
    yield "# Aliases extracted from modules themselves."
    for item in linked:
        for alias in item.module.info.aliases:
            yield f"alias {alias} {item.module.name}"


def _alias_entries(linked: list[_Linked]) -> Iterator[tuple[str, str, int]]:
    for item in linked:
        for alias in item.module.info.aliases:
            yield _normalised(alias), item.module.name, item.place


def _softdep_lines(linked: list[_Linked]) -> Iterator[str]:
    yield "# Soft dependencies extracted from modules themselves."
    for item in linked:
        for softdep in item.module.info.softdeps:
            yield f"softdep {item.module.name} {softdep}"


def _symbol_lines(linked: list[_Linked]) -> Iterator[str]:
    yield "# Aliases for symbols, used by symbol_request()."
    for key, module, _ in sorted(_symbol_entries(linked)):
        yield f"alias {key} {module}"


def _symbol_entries(linked: list[_Linked]) -> Iterator[tuple[str, str, int]]:
    for item in linked:
        for symbol in item.exports:
            key = symbol.decode("utf-8", "surrogateescape")
            yield f"symbol:{key}", item.module.name, item.place


def _device_lines(linked: list[_Linked]) -> Iterator[str]:
    """The device nodes that exist before their module is loaded (kmod's static nodes)."""
    devices = [device for item in linked if (device := _device(item.module))]
    if devices:
        yield "# Device nodes to trigger on-demand module loading."
        yield from devices


def _device(module: LoadedModule) -> str | None:
    name = number = None
    for alias in module.info.aliases:
        name = _DEVICE_NAME.fullmatch(alias) or name
        number = _DEVICE_NUMBER.fullmatch(alias) or number
    if name and number:
        kind, major, minor = number["kind"][0], number["major"], number["minor"]
        return f"{module.name} {name['name']} {kind}{major}:{minor}"
    return None


def _builtin_entries(builtin: str) -> Iterator[tuple[str, str, int]]:
    for path in builtin.split():
        yield module_name(path), "", 0


def _builtin_aliases(modinfo: str) -> Iterator[tuple[str, str, int]]:
    """``modinfo`` holds ``module.key=value`` strings, each ended by NUL."""
    for item in modinfo.split("\0"):
        owner, _, value = item.partition("=")
        module, _, key = owner.partition(".")
        if key == "alias":
            yield _normalised(value), module, 0


def _normalised(alias: str) -> str:
    """``alias`` with ``-`` as ``_``, but not inside the brackets of a pattern."""
    return _BRACKETS.sub(lambda part: part[0] if part[0][0] == "[" else "_", alias)


def _unique(indexes: Iterator[int]) -> list[int]:
    return list(dict.fromkeys(indexes))
