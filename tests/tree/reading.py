"""What the tests of this room share: archives read into members, trees into plain tables."""

from __future__ import annotations

from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.model.streams import BytesSource
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Member, RegularFile
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer, overlay
from bootsmith.tree.tar_reader import read_tar
from tests.support.memory_blobs import MemoryBlobs


def members_of(data: bytes) -> list[Member]:
    return list(read_tar(BytesSource(data), blob=Digest.of(data)))


def only_member(data: bytes) -> Member:
    (member,) = members_of(data)
    return member


def content_of(data: bytes, member: Member) -> bytes:
    """What the file ``member`` of the archive ``data`` holds."""
    assert isinstance(member.entry, RegularFile)
    blobs = MemoryBlobs()
    blobs.add(data)
    return read_content(member.entry.content, blobs=blobs)


def tree_of(*archives: bytes) -> FileTree:
    """The archives as layers, one over the other."""
    tree = FileTree()
    for data in archives:
        tree = overlay(tree, Layer(tuple(members_of(data))))
    return tree


def text_at(tree: FileTree, path: bytes, *archives: bytes) -> bytes:
    """The content of a file in the tree of ``archives``."""
    blobs = MemoryBlobs()
    for data in archives:
        blobs.add(data)
    inode = tree.inode(GuestPath(path))
    assert isinstance(inode, RegularFile)
    return read_content(inode.content, blobs=blobs)
