"""How installed packages are configured: what must run inside the tree, as data.

The steps are apk's own, in its order, except that all packages are laid out before the first
script runs: a ``pre-install`` makes users, and does not care.  Then each package's ``pre-install``
and ``post-install``, and at the end the triggers, each told which directories it watches.  Left out
are the trigger that would make an initramfs, and depmod for modules that came with its files.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.guest_path import GuestPath, display, guest_path, parent
from bootsmith.sources.alpine.install import EXEC_FOLDER, all_folders
from bootsmith.sources.alpine.installed import Folder, InstalledPackage
from bootsmith.sources.configuration import Configuration

ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""The environment in which apk runs scripts."""

_BEFORE_AND_AFTER = ("pre-install", "post-install")
_TRIGGER = "trigger"
# Whatever provides this name makes an initramfs when a kernel comes.  The image has one of its
# own, and theirs would take most of the time and differ from build to build.
_INITRAMFS_GENERATOR = "initramfs-generator"
# A kernel's package brings what depmod writes, and that is what the image gets.  busybox's depmod
# would take a second to write it anew, in the order in which a file system lists the modules.
_DEPMOD = b"depmod"
_MODULES = (guest_path("lib/modules"), guest_path("usr/lib/modules"))
_MODULES_INDEX = b"modules.dep"


def configuration(packages: Sequence[InstalledPackage]) -> Configuration:
    """What configures ``packages``, which come in the order they were installed."""
    commands, files = [], []
    for one, kind, arguments in _runs(packages):
        label = f"{one.package.full_name}.{kind}"
        path = guest_path(f"{EXEC_FOLDER}/{label}")
        files.append(GuestFile(path=path, content=one.control.scripts[kind], mode=0o755))
        argv = (f"/{display(path)}", *arguments)
        commands.append(GuestCommand(argv=argv, label=label, env=ENVIRONMENT))
    return Configuration(commands=tuple(commands), files=tuple(files))


def _runs(
    packages: Sequence[InstalledPackage],
) -> Iterator[tuple[InstalledPackage, str, tuple[str, ...]]]:
    for one in packages:
        for kind in _BEFORE_AND_AFTER:
            if kind in one.control.scripts:
                yield one, kind, (str(one.package.version),)
    folders = [f"/{display(path)}" for path in all_folders(packages)]
    indexed = _indexed_modules(packages)
    for one in packages:
        if any(name.name == _INITRAMFS_GENERATOR for name in one.package.provides):
            continue
        script = one.control.scripts.get(_TRIGGER)
        if script is None:
            continue
        known = indexed if _DEPMOD in script else ()
        watched = tuple(
            folder for folder in _watched(one.control.triggers, folders) if folder not in known
        )
        if watched:
            yield one, _TRIGGER, watched


def _indexed_modules(packages: Iterable[InstalledPackage]) -> set[str]:
    """The folders of kernels' modules that one package alone has, and depmod's files in them."""
    owners: dict[GuestPath, list[Folder]] = {}
    for package in packages:
        for folder in package.folders:
            if parent(folder.path) in _MODULES:
                owners.setdefault(folder.path, []).append(folder)
    return {
        f"/{display(path)}"
        for path, (folder, *others) in owners.items()
        if not others and any(file.name == _MODULES_INDEX for file in folder.files)
    }


def _watched(patterns: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """The folders that a pattern matches, segment by segment (fnmatch(3), FNM_PATHNAME)."""
    split = [pattern.split("/") for pattern in patterns if pattern.startswith("/")]
    for folder in folders:
        segments = folder.split("/")
        if any(
            len(pattern) == len(segments) and all(map(fnmatch.fnmatchcase, segments, pattern))
            for pattern in split
        ):
            yield folder
