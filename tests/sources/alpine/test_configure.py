"""What is to be run in a tree of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.sources.alpine.configure import ENVIRONMENT, configuration
from bootsmith.sources.alpine.install import install
from bootsmith.sources.configuration import Configuration
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import Apk, Dir, apk
from tests.support.minirootfs import unpacked

HELLO = b"#!/bin/sh\necho hello\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def work(store: Store, *apks: Apk) -> Configuration:
    return configuration(install(unpacked(store, *apks), blobs=store).packages)


def test_scripts_run_package_by_package(store: Store) -> None:
    found = work(
        store,
        apk(name="a", scripts={"post-install": HELLO, "pre-install": HELLO, "pre-upgrade": HELLO}),
        apk(name="b"),
        apk(name="c", version="2-r1", scripts={"post-install": HELLO}),
    )
    assert [command.argv for command in found.commands] == [
        ("/lib/apk/exec/a-1.0-r0.pre-install", "1.0-r0"),
        ("/lib/apk/exec/a-1.0-r0.post-install", "1.0-r0"),
        ("/lib/apk/exec/c-2-r1.post-install", "2-r1"),
    ]
    assert all(command.env == ENVIRONMENT for command in found.commands)
    assert {file.path: file.mode for file in found.files} == {
        b"lib/apk/exec/a-1.0-r0.pre-install": 0o755,
        b"lib/apk/exec/a-1.0-r0.post-install": 0o755,
        b"lib/apk/exec/c-2-r1.post-install": 0o755,
    }


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        ("/usr/bin", ["/usr/bin"]),
        ("/usr/*", ["/usr/bin", "/usr/lib"]),
        ("/usr/* /usr/bin", ["/usr/bin", "/usr/lib"]),
        ("/*", ["/", "/usr"]),
        ("/usr/*/x", ["/usr/lib/x"]),
        ("/usr/l[hi]b", ["/usr/lib"]),
        ("/nowhere usr/bin", None),
    ],
)
def test_triggers(patterns: str, told: list[str] | None, store: Store) -> None:
    found = work(
        store,
        apk(name="t", scripts={"trigger": HELLO}, info={"triggers": [patterns]}),
        apk(name="a", files={"usr/lib/x": Dir(), "usr/bin/f": b""}),
    )
    expected = [] if told is None else [("/lib/apk/exec/t-1.0-r0.trigger", *told)]
    assert [command.argv for command in found.commands] == expected


def test_a_trigger_without_a_script(store: Store) -> None:
    assert work(store, apk(name="t", info={"triggers": ["/*"]})).commands == ()


def test_no_initramfs_is_made_that_nobody_boots(store: Store) -> None:
    """The trigger of whatever makes one is left out, and no other script."""
    found = work(
        store,
        apk(
            name="mkinitfs",
            provides="initramfs-generator",
            files={"boot": Dir()},
            info={"triggers": ["/boot"]},
            scripts={"trigger": HELLO, "post-install": HELLO},
        ),
    )
    assert [command.label for command in found.commands] == ["mkinitfs-1.0-r0.post-install"]


KERNEL = apk(name="linux", files={"lib/modules/6.1/modules.dep": b"", "lib/modules/6.1/a.ko": b""})
DRIVER = apk(name="driver", files={"lib/modules/6.1/extra/b.ko": b""})
BARE = apk(name="bare", files={"lib/modules/5.9/a.ko": b""})


@pytest.mark.parametrize(
    ("script", "packages", "told"),
    [
        (b"#!/bin/sh\ndepmod\n", [KERNEL], ["/bin"]),
        (b"#!/bin/sh\ndepmod\n", [KERNEL, BARE], ["/bin", "/lib/modules/5.9"]),
        (b"#!/bin/sh\ndepmod\n", [KERNEL, DRIVER], ["/bin", "/lib/modules/6.1"]),
        (HELLO, [KERNEL], ["/bin", "/lib/modules/6.1"]),
    ],
    ids=["indexed", "without-index", "two-packages", "not-depmod"],
)
def test_what_depmod_would_write_is_not_made_where_it_came_along(
    script: bytes, packages: list[Apk], told: list[str], store: Store
) -> None:
    busybox = apk(
        name="busybox",
        files={"bin/busybox": b""},
        info={"triggers": ["/bin /lib/modules/*"]},
        scripts={"trigger": script},
    )
    (command,) = work(store, busybox, *packages).commands
    assert command.argv == ("/lib/apk/exec/busybox-1.0-r0.trigger", *told)
