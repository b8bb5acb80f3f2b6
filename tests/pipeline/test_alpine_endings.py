"""However a build ends, nothing of it goes on: no thread, no process, no file half written."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.host.namespaces import namespace_support
from tests.support.alpine_mirrors import AlpineMirror, generated_mirror, linux_virt
from tests.support.alpine_repository import File, apk
from tests.support.judges import unavailable

pytestmark = pytest.mark.network  # where Debian's kernel is not cached yet

_BUILD = """
import sys, threading
from pathlib import Path
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.image import Image

config, output, store, function = sys.argv[1:]

def interrupt(frame, event, _):
    # As Ctrl-C does it: between two instructions of the main thread.
    code = frame.f_code
    if event == "call" and code.co_name == function and "bootsmith" in code.co_filename:
        sys.setprofile(None)
        raise KeyboardInterrupt

if function:
    sys.setprofile(interrupt)
try:
    Image.build(config, output=output, options=BuildOptions(cache_dir=Path(store), krun="off"))
except BaseException as error:
    # Who holds the error holds all that the build had in its hands.
    print(repr(error), [thread.name for thread in threading.enumerate() if not thread.daemon])
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlpineMirror]:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    noise = zlib.compress(os.urandom(1 << 20))
    packages = [
        linux_virt(),
        apk(name="no-kernel", files={"boot/readme": File(b"none\n")}),
        apk(name="fails", scripts={"post-install": b"#!/bin/sh\nexit 3\n"}),
        apk(name="damaged", data=b"\x1f\x8b" + noise),
        apk(name="large", files={"opt/zeros": File(bytes(8 << 20))}),
    ]
    with generated_mirror(tmp_path_factory.mktemp("mirror"), community=packages) as offered:
        yield offered


def end_of_build(config: Path, folder: Path, function: str = "") -> str:
    """How a build ends, and what threads there are then; it is interrupted in ``function``."""
    done = subprocess.run(
        [
            sys.executable, "-c", _BUILD, config, folder / "images" / "one", folder / "store",
            function,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )  # fmt: skip
    for name in ("images", "store/blobs/staging", "store/partial", "store/work"):
        assert not (folder / name).exists() or list((folder / name).iterdir()) == [], name
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (["linux-virt", "large", "fails"], "failed with status 3"),
        (["linux-virt", "large", "damaged"], "damaged gzip data"),
        (["no-kernel", "large"], "there are no modules"),
    ],
)
def test_a_build_that_fails(
    mirror: AlpineMirror, tmp_path: Path, packages: list[str], said: str
) -> None:
    config = mirror.config(*packages, alpine={"kernelPackage": packages[0]})
    ended = end_of_build(config, tmp_path)
    assert said in ended
    assert ended.endswith(" ['MainThread']")


@pytest.mark.parametrize("function", ["make_plan", "_installed", "_after_steps", "write_rootfs"])
def test_a_build_that_is_interrupted(mirror: AlpineMirror, tmp_path: Path, function: str) -> None:
    config = mirror.config("linux-virt", "large")
    assert end_of_build(config, tmp_path, function) == "KeyboardInterrupt() ['MainThread']"
