"""The places in a guest that bootsmith itself fills, and what to use to have a say in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, Problem
from bootsmith.host.guest_files import AGENT_NAMES, GUEST_PROGRAM
from bootsmith.model.guest_path import ROOT, GuestPath, display, guest_path
from bootsmith.tree.file_tree import FileTree

INIT = "init"
ENVIRONMENT = "etc/bootsmith/env"
EXTRA_INIT = "etc/bootsmith/init-extra.sh"
SSHD_OPTIONS = "etc/bootsmith/sshd"

_USE = {
    INIT: "use init.rootfsInit, or init.rootfsInitExtra to add to ours",
    "etc/hostname": "use hostname",
    ENVIRONMENT: "use env",
    EXTRA_INIT: "use init.rootfsInitExtra",
    SSHD_OPTIONS: "use ssh",
    GUEST_PROGRAM: "use sandboxdPath and its like",
    **{f"usr/bin/{name}": f"use {name}Path" for name in AGENT_NAMES},
}
# Files that every distribution's packages or scripts may bring, and nobody means to keep.
_COMMON = ("etc/hostname",)


def require_free_places(
    config: BuildConfig, copied: Iterable[tuple[str, Iterable[GuestPath]]]
) -> None:
    """Raises ``ConfigError`` when a file of the config would be replaced by one of ours.

    ``copied`` are, for each of ``postBuild.copy``, its ``dest`` and what is copied there.
    """
    problems = [
        Problem(
            pointer=f"files[{index}].path",
            message=f"{file.path} is written by bootsmith itself",
            suggestion=advice,
        )
        for index, file in enumerate(config.files)
        if (advice := _advice(guest_path(file.path)))
    ]
    problems += [
        Problem(
            pointer=f"postBuild.copy[{index}]",
            message=f"/{display(place)} is written by bootsmith itself",
            suggestion=advice,
        )
        for index, (dest, paths) in enumerate(copied)
        for place in _places(guest_path(dest), tuple(paths))
        if (advice := _advice(place))
    ]
    if problems:
        raise ConfigError("the config writes where bootsmith does", problems=tuple(problems))


def replaced(tree: FileTree) -> Iterator[tuple[str, str]]:
    """Files of an image that one of ours takes the place of, each with what to use instead."""
    for path, advice in _USE.items():
        if path not in _COMMON and guest_path(path) in tree:
            yield f"/{path}", advice


def _places(dest: GuestPath, paths: tuple[GuestPath, ...]) -> Iterator[GuestPath]:
    """Where ``paths`` may come to lie: a file copied alone is ``dest``, or in it."""
    if ROOT not in paths:
        yield dest
    for path in paths:
        yield guest_path(dest + b"/" + path)


def _advice(path: GuestPath) -> str | None:
    text = path.decode("utf-8", "replace")
    merged = f"usr/{text}" if text.startswith("bin/") else text
    return _USE.get(merged)
