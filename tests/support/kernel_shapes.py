"""Kernels and modules small enough to be made here, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from bootsmith.model.guest_path import ancestors, guest_path
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree

RELEASE = "6.1.0-test"
_EHDR = struct.Struct("<4sBBBB8xHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")


def elf(sections: Mapping[str, tuple[int, bytes, int]], *, machine: int = 62) -> bytes:
    """An ELF file of ``sections``: type, content, and index of the linked section."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    bodies = [(0, b"", 0), *sections.values(), (3, names, 0)]
    starts = ["", *sections, ".shstrtab"]
    data, headers = bytearray(_EHDR.size), b""
    for name, (kind, body, link) in zip(starts, bodies, strict=True):
        offset = names.index(b"\0" + name.encode() + b"\0") + 1 if name else 0
        headers += _SHDR.pack(offset, kind, 0, 0, len(data), len(body), link, 0, 1, 0)
        data += body + bytes(-len(body) % 8)
    _EHDR.pack_into(
        data, 0, *(b"\x7fELF", 2, 1, 1, 0), *(1, machine, 1, 0, 0, len(data), 0),
        *(64, 0, 0, 64, len(bodies), len(bodies) - 1),
    )  # fmt: skip
    return bytes(data) + headers


def module(
    name: str,
    *,
    depends: Iterable[str] = (),
    imports: Iterable[str] = (),
    exports: Iterable[str] = (),
    machine: int = 62,
    **info: str | Iterable[str],
) -> bytes:
    """A kernel module that says of itself what is given here; ``info`` adds to .modinfo."""
    pairs = [("name", name), ("depends", ",".join(depends)), ("vermagic", f"{RELEASE} SMP")]
    for key, values in info.items():
        pairs += [(key, value) for value in ([values] if isinstance(values, str) else values)]
    modinfo = b"".join(f"{key}={value}\0".encode() for key, value in pairs)
    strings, symbols = b"\0", _SYM.pack(0, 0, 0, 0, 0, 0)
    wanted = [(symbol, 0) for symbol in imports]
    for symbol in exports:
        wanted += [(symbol, 1), (f"__ksymtab_{symbol}", 1)]
    for symbol, section in wanted:
        symbols += _SYM.pack(len(strings), 0x10, 0, section, 0, 0)
        strings += symbol.encode() + b"\0"
    exported = b"".join(f"{symbol}\0".encode() for symbol in exports)
    return elf(
        {
            ".modinfo": (1, modinfo, 0),
            "__ksymtab_strings": (1, exported, 0),
            ".symtab": (2, symbols, 4),
            ".strtab": (3, strings, 0),
        },
        machine=machine,
    )


def package(files: Mapping[str, bytes], *, release: str = RELEASE, folder: str = "lib") -> FileTree:
    """A kernel's package: ``files`` below its folder of modules."""
    plain, outer = Metadata(0o644), Directory(Metadata(0o755))
    entries = {
        guest_path(f"{folder}/modules/{release}/{name}"): RegularFile(plain, InlineBytes(data))
        for name, data in files.items()
    }
    above = {step: outer for path in entries for step in ancestors(path)}
    return FileTree({**above, **entries})


VIRTIO = {
    "kernel/drivers/virtio/virtio.ko": module("virtio", exports=["register_virtio_driver"]),
    "kernel/drivers/virtio/virtio_ring.ko": module("virtio_ring", exports=["vring_interrupt"]),
    **{
        f"kernel/drivers/{folder}/{name}.ko": module(
            name.replace("-", "_"),
            depends=["virtio_ring", "virtio"],
            imports=["vring_interrupt", "printk", "register_virtio_driver"],
            alias=[f"virtio:d0000000{number}v*", f"test-{name}[a-z]"],
        )
        for number, (folder, name) in enumerate(
            [
                ("virtio", "virtio_pci"),
                ("virtio", "virtio_mmio"),
                ("block", "virtio_blk"),
                ("char", "virtio_console"),
                ("net", "virtio_net"),
                ("char/hw_random", "virtio-rng"),
            ]
        )
    },
    "kernel/fs/fuse/fuse.ko": module("fuse", alias=["devname:fuse", "char-major-10-229"]),
    "kernel/drivers/hid/hid.ko": module("hid", exports=["hid_connect"], softdep="pre: usbcore"),
    "modules.builtin": b"kernel/fs/ext4/ext4.ko\nkernel/lib/crc32.ko\n",
    "modules.builtin.modinfo": b"ext4.alias=fs-ext4\0crc32.license=GPL\0",
}
VIRTIO["modules.order"] = "".join(f"{path}\n" for path in VIRTIO if path.endswith(".ko")).encode()
"""The modules of a kernel that can drive a virtual machine."""


def bzimage(payload: bytes, *, release: str = RELEASE, flags: int = 1) -> bytes:
    """An x86 kernel with the two sectors of a setup program that does nothing."""
    setup = bytearray(3 * 512)
    setup[0x1F1] = 2
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x020F)
    struct.pack_into("<H", setup, 0x20E, 0x400 - 0x200)
    struct.pack_into("<H", setup, 0x236, flags)
    struct.pack_into("<II", setup, 0x248, 64, len(payload))
    text = f"{release} (me) \0".encode()
    setup[0x400 : 0x400 + len(text)] = text
    return bytes(setup) + bytes(64) + payload


def vmlinux(*, release: str = RELEASE, machine: int = 62) -> bytes:
    banner = f"Linux version {release} (me@here) #1\n\0".encode()
    return elf({".rodata": (1, banner, 0)}, machine=machine)


def arm64_image(*, release: str = RELEASE) -> bytes:
    head = bytearray(64)
    head[56:60] = b"ARM\x64"
    return bytes(head) + f"Linux version {release} (me@here)\0".encode()


def zboot(payload: bytes) -> bytes:
    head = bytearray(512)
    head[:8] = b"MZ\0\0zimg"
    struct.pack_into("<II", head, 8, 512, len(payload))
    head[24:28] = b"gzip"
    return bytes(head) + payload
