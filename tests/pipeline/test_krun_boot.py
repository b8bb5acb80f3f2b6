"""An image boots as libkrun boots it: libkrunfw's own kernel, no initramfs, ``/init`` first.

libkrun itself wants hardware acceleration; QEMU emulates a machine of the same devices.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from bootsmith.image.libkrunfw import kernel_of_library
from bootsmith.model.arch import Arch
from tests.support.judges import require
from tests.support.microsandbox import real_library
from tests.support.pvh import pvh_kernel

_CMDLINE = "console=hvc0 root=/dev/vda rootfstype=ext4 rw init=/init"
_PATIENCE_S = 180


@pytest.mark.network
@pytest.mark.boot
def test_the_agent_answers_under_the_real_kernel(debian_image: Path, tmp_path: Path) -> None:
    if json.loads((debian_image / "manifest.json").read_text())["config"]["arch"] != "x86_64":
        pytest.skip("the shared image is not for x86_64")
    kernel, console, port = tmp_path / "kernel", tmp_path / "console", tmp_path / "port"
    kernel.write_bytes(pvh_kernel(kernel_of_library(real_library(Arch.X86_64), Arch.X86_64)))
    root = f"file={debian_image / 'rootfs.ext4'},format=raw,if=none,id=root,snapshot=on"
    argv = [
        *(require("qemu-system-x86_64"), "-accel", "tcg", "-cpu", "max", "-m", "512"),
        *("-M", "microvm,pit=on,pic=on,rtc=on,auto-kernel-cmdline=on,acpi=off"),
        *("-nodefaults", "-no-reboot", "-display", "none", "-kernel", kernel),
        *("-append", _CMDLINE, "-drive", root, "-device", "virtio-blk-device,drive=root"),
        *("-device", "virtio-serial-device"),
        *("-chardev", f"file,path={console},id=console", "-device", "virtconsole,chardev=console"),
        *("-chardev", f"file,path={port},id=port"),
        *("-device", "virtserialport,chardev=port,name=virtio-port"),
    ]
    with subprocess.Popen(list(map(str, argv))) as machine:
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not (port.exists() and b"vfs_ready" in port.read_bytes()):
                assert machine.poll() is None, console.read_bytes()[-2000:]
                assert time.monotonic() < deadline, console.read_bytes()[-2000:]
                time.sleep(0.2)
        finally:
            machine.kill()
    assert b"Run /init as init process" in console.read_bytes()
