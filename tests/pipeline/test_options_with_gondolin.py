"""Gondolin's own builder on lists of variables and on copied links, and what we make of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.host.files import FileSource
from bootsmith.image.ext4 import Ext4Reader
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import guest_path
from bootsmith.pipeline.copy_in import copy_in, take_in
from bootsmith.store.blobs import Store
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Directory, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree
from tests.support.gondolin_build import gondolin_build, mirror
from tests.support.gondolin_host import gondolin_host
from tests.support.http_server import serve
from tests.support.judges import require

pytestmark = [pytest.mark.judge, pytest.mark.slow]

VARIABLES = ["B=2", "A=first", "EMPTY", "A=x=y z'", "B", "C="]
LINKS = {"relative": "file", "absolute": "/etc/hostname", "folder-link": "folder"}


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[FileTree, FileSource, Path]]:
    """The tree of its image, where that lies, and the folder of the config."""
    for tool in ("cpio", "lz4", "mke2fs"):
        require(tool)
    with gondolin_host() as host, serve(mirror()) as server:
        (host.home / "folder").mkdir()
        (host.home / "file").write_text("x")
        for name, target in LINKS.items():
            (host.home / name).symlink_to(target)
        done = gondolin_build(
            host, "--output", host.home / "assets", mirror_url=server.url, env=VARIABLES,
            postBuild={"copy": [{"src": name, "dest": "/opt/"} for name in LINKS]},
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        with FileSource(host.home / "assets/rootfs.ext4") as image:
            yield Ext4Reader(image).read_tree(Digest.of(b"image")), image, host.home


def test_a_list_of_variables_is_the_same_to_both(
    built: tuple[FileTree, FileSource, Path],
) -> None:
    tree, image, _ = built
    script = tree.inode(guest_path("etc/profile.d/gondolin-image-env.sh"))
    assert isinstance(script, RegularFile)
    text = read_content(script.content, blobs=_Image(image)).decode()
    theirs = dict(
        word.split("=", maxsplit=1) for word in shlex.split(text, comments=True) if "=" in word
    )
    ours = parse_config({"env": VARIABLES}, origin="x").env
    assert ours == theirs == {"A": "x=y z'", "B": "", "C": "", "EMPTY": ""}


@pytest.mark.parametrize("name", LINKS)
def test_a_copied_link_is_the_same_to_both(
    name: str, built: tuple[FileTree, FileSource, Path], tmp_path: Path
) -> None:
    tree, _, home = built
    store = Store(tmp_path)
    base = FileTree({guest_path("opt"): Directory(Metadata(0o755))})
    ours = copy_in(base, take_in(home / name, store), "/opt/", store, epoch_s=0)
    for found in (tree, ours):
        entry = found[guest_path(f"opt/{name}")]
        assert isinstance(entry, Symlink)
        assert entry.target == LINKS[name].encode()


class _Image:
    def __init__(self, source: FileSource) -> None:
        self._source = source

    def open_blob(self, blob: Digest) -> FileSource:
        return self._source
