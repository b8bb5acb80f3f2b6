"""apk's database of what is installed, written as apk itself writes it.

::

    lib/apk/db/installed     a paragraph a package: the index's, then its folders and files
    lib/apk/db/scripts.tar   the packages' scripts
    lib/apk/db/triggers      who watches which directories
    etc/apk/world            what the user asked for
    etc/apk/repositories     where packages come from
    etc/apk/arch, keys/      for which architecture, and whom to trust
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bootsmith.model.guest_path import guest_path
from bootsmith.sources.alpine.apk import SCRIPTS
from bootsmith.sources.alpine.dependency import Dependency
from bootsmith.sources.alpine.installed import Access, InstalledPackage
from bootsmith.sources.alpine.package import ApkPackage, show_identity
from bootsmith.tree import tar_format as tar
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import TreeBuilder

ADMIN_FOLDER = "lib/apk/db"
_FOLDER_ACCESS = (0o755, 0, 0)
_FILE_ACCESS = (0o644, 0, 0)
_NAME_MOST_BYTES = tar.NAME_BYTES - 1


def add_database(builder: TreeBuilder, packages: Sequence[InstalledPackage]) -> None:
    """Add the database of ``packages``, which come in the order they were installed."""
    by_name = sorted(packages, key=lambda one: one.package.name)
    _file(builder, f"{ADMIN_FOLDER}/installed", b"".join(map(_paragraph, by_name)))
    _file(builder, f"{ADMIN_FOLDER}/scripts.tar", b"".join(_scripts(packages)))
    triggers = "".join(
        f"{show_identity(one.package.identity)} {' '.join(one.control.triggers)}\n"
        for one in packages
        if one.control.triggers
    )
    _file(builder, f"{ADMIN_FOLDER}/triggers", triggers.encode())
    _file(builder, f"{ADMIN_FOLDER}/lock", b"", mode=0o600)


def add_settings(
    builder: TreeBuilder,
    *,
    arch: str,
    world: Iterable[Dependency],
    repositories: Iterable[str],
    keys: Mapping[str, bytes],
) -> None:
    """Add what apk in the guest goes by.

    ``repositories`` are lines of its list, ``keys`` public keys (PEM) by name, for those that no
    package brings.
    """
    _file(builder, "etc/apk/arch", f"{arch}\n".encode())
    asked = "\n".join(str(one) for one in _sorted_as_apk(world))
    _file(builder, "etc/apk/world", f"{asked}\n".encode())
    _file(builder, "etc/apk/repositories", "".join(f"{one}\n" for one in repositories).encode())
    for name, key in sorted(keys.items()):
        place = builder.place(guest_path(f"etc/apk/keys/{name}"))
        if place not in builder:
            builder.put(place, RegularFile(Metadata(0o644), InlineBytes(key)))


def _sorted_as_apk(world: Iterable[Dependency]) -> list[Dependency]:
    """By name, upper and lower case alike."""
    return sorted(world, key=lambda one: (one.name.lower(), one.name, str(one)))


def _file(builder: TreeBuilder, path: str, content: bytes, *, mode: int = 0o644) -> None:
    builder.put(builder.place(guest_path(path)), RegularFile(Metadata(mode), InlineBytes(content)))


def _paragraph(installed: InstalledPackage) -> bytes:
    lines = [line.encode("utf-8", "surrogateescape") for line in _header(installed)]
    for folder in installed.folders:
        lines.append(b"F:" + folder.path)
        lines += _access(b"M", folder.access, _FOLDER_ACCESS)
        for file in folder.files:
            lines.append(b"R:" + file.name)
            lines += _access(b"a", file.access, _FILE_ACCESS)
            if file.checksum is not None:
                lines.append(b"Z:" + show_identity(file.checksum).encode())
    return b"\n".join(lines) + b"\n\n"


def _header(installed: InstalledPackage) -> Iterator[str]:
    """What the index says, in the order of apk's own writing, and what only ``.PKGINFO`` does."""
    package, control = installed.package, installed.control
    yield from _described(package)
    for letter, listed in (
        ("D", package.depends),
        ("p", package.provides),
        ("i", package.install_if),
        ("r", control.replaces),
    ):
        if listed:
            yield f"{letter}:{' '.join(map(str, listed))}"
    if control.replaces_priority:
        yield f"q:{control.replaces_priority}"
    if installed.tag:
        yield f"s:{installed.tag}"


def _described(package: ApkPackage) -> Iterator[str]:
    fields = package.fields
    yield f"C:{show_identity(package.identity)}"
    yield f"P:{package.name}"
    yield f"V:{package.version}"
    yield f"A:{package.arch}"
    yield f"S:{package.size_bytes}"
    yield f"I:{package.installed_size}"
    for letter in "TUL":
        yield f"{letter}:{fields.get(letter, '')}"
    for letter in "om":
        if letter in fields:
            yield f"{letter}:{fields[letter]}"
    if package.build_time:
        yield f"t:{package.build_time}"
    if "c" in fields:
        yield f"c:{fields['c']}"
    if package.provider_priority:
        yield f"k:{package.provider_priority}"


def _access(letter: bytes, access: Access, usual: tuple[int, int, int]) -> Iterator[bytes]:
    mode, uid, gid, _, xattrs = access
    if (mode, uid, gid) != usual or xattrs is not None:
        line = b"%s:%d:%d:%o" % (letter, uid, gid, mode)
        yield line if xattrs is None else line + b":" + show_identity(xattrs).encode()


def _scripts(packages: Iterable[InstalledPackage]) -> Iterator[bytes]:
    """A tar archive as apk's own writer makes it, which is neither quite ustar nor GNU's."""
    for one in packages:
        package = one.package
        for kind in SCRIPTS:
            script = one.control.scripts.get(kind)
            if script is not None:
                name = f"{package.full_name}.{show_identity(package.identity)}.{kind}"
                yield _tar_header(name, size_bytes=len(script), mtime=package.build_time)
                yield script + bytes(-len(script) % tar.BLOCK_BYTES)
    yield bytes(2 * tar.BLOCK_BYTES)


def _tar_header(name: str, *, size_bytes: int, mtime: int) -> bytes:
    block = tar.HEADER.pack(
        name.encode()[:_NAME_MOST_BYTES],
        b"0000755",
        b"0000000",
        b"0000000",
        b"%012o" % size_bytes,
        b"%012o" % mtime,
        b" " * 8,
        tar.REGULAR,
        b"",
        b"ustar ",
        b" ",
        b"root",
        b"root",
        *(b"", b"", b""),
    )
    total = b"%06o\0 " % sum(block)
    return block[: tar.CHECKSUM_START] + total + block[tar.CHECKSUM_END :]
