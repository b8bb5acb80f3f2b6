"""The kernel as the judge: it unpacks our initramfs and starts what is in there."""

from __future__ import annotations

import platform
import struct
import subprocess
from pathlib import Path

import pytest

from bootsmith.image.boot_modules import initramfs_modules
from bootsmith.image.compression import Compression
from bootsmith.image.initramfs import initramfs_tree, write_initramfs
from bootsmith.image.kernel_modules import KernelModules
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BytesSink
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import HardLink, InlineBytes, RegularFile
from bootsmith.tree.file_tree import TreeBuilder
from tests.support.debian_kernel import kernel_package
from tests.support.judges import require

MESSAGE = b"the initramfs of bootsmith is running\n"


def init_program() -> bytes:
    """An ELF program for x86_64 that says ``MESSAGE`` and powers the machine off."""
    base, head = 0x400000, 64 + 56
    code = (
        b"\xb8\x01\0\0\0\xbf\x01\0\0\0"  # write(1,
        b"\x48\x8d\x35" + struct.pack("<i", 39) +  # MESSAGE,
        b"\xba" + struct.pack("<I", len(MESSAGE)) + b"\x0f\x05"  # length)
        b"\xb8\xa9\0\0\0\xbf\xad\xde\xe1\xfe"  # reboot(LINUX_REBOOT_MAGIC1,
        b"\xbe\x69\x19\x12\x28\xba\xdc\xfe\x21\x43"  # MAGIC2, POWER_OFF)
        b"\x45\x31\xd2\x0f\x05\x90\x90\x90\x90\x90\xeb\xfe"  # and wait
    )  # fmt: skip
    size = head + len(code) + len(MESSAGE)
    return b"".join(
        (
            struct.pack("<4s5B7x", b"\x7fELF", 2, 1, 1, 0, 0),
            struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0),
            struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096),
            code,
            MESSAGE,
        )
    )


@pytest.mark.boot
@pytest.mark.network
@pytest.mark.parametrize("compression", [Compression.LZ4, Compression.ZSTD])
def test_a_kernel_starts_what_we_pack(tmp_path: Path, compression: Compression) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the little init program is for x86_64")
    qemu = require("qemu-system-x86_64")
    package = kernel_package()
    modules = KernelModules(package.tree, blobs=package)
    kernel = package.tree.inode(guest_path(f"boot/vmlinuz-{modules.release}"))
    assert isinstance(kernel, RegularFile)
    (tmp_path / "vmlinuz").write_bytes(read_content(kernel.content, blobs=package))

    builder = TreeBuilder(
        initramfs_tree(
            init=InlineBytes(init_program()),
            modules=initramfs_modules(modules),
            release=modules.release,
        )
    )
    # Its first name comes without content, which the kernel must find with the second.
    builder.put(guest_path("sbin"), builder.get(guest_path("dev")) or pytest.fail("no /dev"))
    builder.put(guest_path("sbin/init"), HardLink(guest_path("init")))
    sink = BytesSink()
    write_initramfs(builder.build(), blobs=package, sink=sink, compression=compression)
    (tmp_path / "initramfs").write_bytes(sink.data)

    booted = subprocess.run(
        [
            qemu, "-machine", "pc", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-reboot",
            "-display", "none", "-serial", "stdio", "-kernel", tmp_path / "vmlinuz",
            "-initrd", tmp_path / "initramfs", "-append", "console=ttyS0 quiet panic=-1",
        ],
        capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    assert MESSAGE.strip() in booted.stdout, booted.stdout[-2000:].decode(errors="replace")
