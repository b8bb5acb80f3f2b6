"""dpkg's database (dpkg(1), "FILES"), for packages that are unpacked and not yet configured.

::

    var/lib/dpkg/status              one paragraph a package
    var/lib/dpkg/arch                the architectures, the native one first
    var/lib/dpkg/info/<package>.*    the control files, and .list: what the package installed
    var/lib/dpkg/info/format         the layout of info
    var/lib/dpkg/triggers/           who waits for which trigger; File: for which paths
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bootsmith.model.guest_path import GuestPath, guest_path
from bootsmith.sources.debian.deb import ControlArchive
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import TreeBuilder

ADMIN_FOLDER = "var/lib/dpkg"

_FOLDERS = ("alternatives", "info", "parts", "triggers", "updates")
# The order in which dpkg itself writes them (lib/dpkg/parse.c, fieldinfos); others come last.
_FIELD_ORDER = (
    b"Package",
    b"Essential",
    b"Protected",
    b"Status",
    b"Priority",
    b"Section",
    b"Installed-Size",
    b"Maintainer",
    b"Architecture",
    b"Multi-Arch",
    b"Source",
    b"Version",
    b"Config-Version",
    b"Replaces",
    b"Provides",
    b"Depends",
    b"Pre-Depends",
    b"Recommends",
    b"Suggests",
    b"Breaks",
    b"Conflicts",
    b"Enhances",
    b"Conffiles",
    b"Description",
)


def add_database(
    builder: TreeBuilder,
    packages: Sequence[tuple[ControlArchive, Iterable[GuestPath]]],
    *,
    arch: str,
) -> None:
    """Add the database of ``packages``, each with the names it installed, in their order."""
    database = _Database(builder)
    for folder in _FOLDERS:
        database.folder(folder)
    database.file("arch", f"{arch}\n".encode())
    database.file("info/format", b"1\n")
    by_name = sorted(packages, key=lambda package: (package[0].name, package[0].architecture))
    database.file("status", b"".join(_paragraph(control) + b"\n" for control, _ in by_name))
    for control, names in by_name:
        base = f"info/{info_name(control)}"
        database.file(f"{base}.list", b"".join(b"/%s\n" % (name or b".") for name in names))
        for name, file in control.files.items():
            database.file(f"{base}.{name}", file.content, mode=file.mode)
    for path, lines in _interests([control for control, _ in by_name]).items():
        database.file(f"triggers/{path}", "".join(lines).encode())


def info_name(control: ControlArchive) -> str:
    """What a package's files in ``info`` begin with."""
    if control.is_multi_arch_same:
        return f"{control.name}:{control.architecture}"
    return control.name


class _Database:
    def __init__(self, builder: TreeBuilder) -> None:
        self._builder = builder

    def folder(self, path: str) -> None:
        place = self._place(path)
        if place not in self._builder:
            self._builder.put(place, Directory(Metadata(0o755)))

    def file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        self._builder.put(self._place(path), RegularFile(Metadata(mode), InlineBytes(content)))

    def _place(self, path: str) -> GuestPath:
        return self._builder.place(guest_path(f"{ADMIN_FOLDER}/{path}"))


def _paragraph(control: ControlArchive) -> bytes:
    """The package's own words, to the byte (dpkg keeps a blank at a line's end), and the state."""
    fields = _raw_fields(control.text)
    fields[b"Status"] = b"Status: install ok unpacked\n"
    conffiles = b"".join(_conffile(line) for line in control.lines("conffiles"))
    if conffiles:
        fields[b"Conffiles"] = b"Conffiles:\n" + conffiles
    rank = {name.lower(): number for number, name in enumerate(_FIELD_ORDER)}
    ordered = sorted(fields, key=lambda name: rank.get(name.lower(), len(rank)))
    return b"".join(fields[name] for name in ordered)


def _conffile(line: str) -> bytes:
    """A line of deb-conffiles(5), which may have a flag before the path, in dpkg's own form."""
    *flags, path = line.split()
    words = " ".join((path, "newconffile", *flags))
    return f" {words}\n".encode("utf-8", "surrogateescape")


def _raw_fields(text: bytes) -> dict[bytes, bytes]:
    """The lines of each field, continuations included."""
    found: dict[bytes, bytes] = {}
    name = b""
    for line in text.splitlines():
        if not line.strip() or line.startswith(b"#"):
            continue
        if line[0] not in b" \t":
            name = line.partition(b":")[0]
        found[name] = found.get(name, b"") + line + b"\n"
    return found


def _interests(controls: Iterable[ControlArchive]) -> dict[str, list[str]]:
    """The lines of each file in ``triggers`` (deb-triggers(5)).

    A trigger named by a path is one line in ``File``; any other has a file of its own.
    """
    found: dict[str, list[str]] = {"File": []}
    for control in controls:
        for line in control.lines("triggers"):
            directive, _, trigger = line.strip().partition(" ")
            trigger = trigger.strip()
            if not directive.startswith("interest"):
                continue
            # dpkg writes the architecture where more than one may be installed.
            suffix = "/noawait" if directive == "interest-noawait" else ""
            waiting = f"{info_name(control)}{suffix}"
            if trigger.startswith("/"):
                found["File"].append(f"{trigger} {waiting}\n")
            else:
                found.setdefault(trigger, []).append(f"{waiting}\n")
    return found
