"""A guest as Gondolin makes it, on our kernel: its own init scripts and its own agent.

Its images come from servers that not every machine reaches, so this one is put together from what
its npm package carries: the scripts, and the sources of its agent, compiled with the compiler
it asks for.  Kernel, modules and user land are Debian's on both sides; busybox plays Alpine's part.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.gondolin_host import INSTALLED

from bench.measure import bootsmith, run

_COMPILER = "ziglang==0.16.0"
_PACKAGE = INSTALLED / "node_modules/@earendil-works/gondolin/dist"
_PROGRAMS = ("sandboxd", "sandboxfs", "sandboxssh", "sandboxingress")
# Without ca-certificates: its init would run update-ca-certificates, which takes Alpine no time
# and Debian, under emulation, half a minute.
_PACKAGES = ("busybox-static", "udhcpc", "kmod", "iproute2")

# Alpine's kernel has the buses built in; Debian's has them as modules.
_BUSES = "modprobe virtio_pci\nmodprobe virtio_mmio\nmodprobe virtio_blk"


def stock_image(scratch: Path, node: Path) -> Path:
    """The folder of such an image, made in ``scratch``."""
    scripts = _init_scripts(scratch, node)
    programs = _compile_agent(scratch)
    config = {
        "distro": "debian",
        "debian": {"packages": list(_PACKAGES)},
        "init": {"rootfsInit": str(scripts / "ROOTFS_INIT_SCRIPT")},
        **{f"{name}Path": str(programs / name) for name in _PROGRAMS},
    }
    (scratch / "stock.json").write_text(json.dumps(config))
    image = scratch / "stock"
    bootsmith("build", "--config", scratch / "stock.json", "--output", image)
    tree = _initramfs_tree(scratch, image, scripts / "INITRAMFS_INIT_SCRIPT")
    packed = "find . | LC_ALL=C sort | cpio --quiet -o -H newc | lz4 -l -q -f - "
    run("sh", "-c", f'cd "$0" && {packed} "$1"', tree, image / "initramfs.cpio.lz4")
    # The manifest is of the initramfs that was there; without one the names are enough.
    (image / "manifest.json").unlink()
    return image


def _init_scripts(scratch: Path, node: Path) -> Path:
    scripts = scratch / "scripts"
    scripts.mkdir()
    names = ("ROOTFS_INIT_SCRIPT", "INITRAMFS_INIT_SCRIPT")
    for name in names:
        code = (
            f"import {{ {name} }} from {json.dumps(str(_PACKAGE / 'src/alpine/init-scripts.js'))};"
            f"process.stdout.write({name});"
        )
        (scripts / name).write_text(run(node, "--input-type=module", "--eval", code))
    return scripts


def _compile_agent(scratch: Path) -> Path:
    """The programs, kept beside the package: they take minutes to make."""
    made = INSTALLED / "agent"
    if not made.exists():
        compiler = scratch / "compiler"
        run(sys.executable, "-m", "pip", "install", "-q", "--target", compiler, _COMPILER)
        sources = scratch / "sources"
        shutil.copytree(_PACKAGE / "guest", sources)
        subprocess.run(
            [
                *(compiler / "ziglang/zig", "build", "-Doptimize=ReleaseSmall"),
                *("-Dtarget=x86_64-linux-musl", "--prefix", scratch / "out"),
            ],
            cwd=sources,
            check=True,
            capture_output=True,
        )
        shutil.copytree(scratch / "out/bin", made)
    return made


def _initramfs_tree(scratch: Path, image: Path, init: Path) -> Path:
    """Busybox with all its names, the modules of the root file system, and the script."""
    tree = scratch / "initramfs"
    (tree / "bin").mkdir(parents=True)
    (tree / "etc/udhcpc").mkdir(parents=True)
    (tree / "lib").mkdir()
    for folder in ("proc", "sys", "dev", "run"):
        (tree / folder).mkdir()
    disk = image / "rootfs.ext4"
    busybox = tree / "bin/busybox"
    dhcp = tree / "etc/udhcpc/default.script"
    for command in (
        f"rdump /usr/lib/modules {tree}/lib",
        f"dump /usr/bin/busybox {busybox}",
        f"dump /bin/busybox {busybox}",
        f"dump /etc/udhcpc/default.script {dhcp}",
    ):
        run("debugfs", "-R", command, disk)
    for program in (busybox, dhcp):
        program.chmod(0o755)
    for name in run(busybox, "--list").split():
        if name != "busybox":
            (tree / "bin" / name).symlink_to("/bin/busybox")
    (tree / "init").write_text(init.read_text().replace("modprobe virtio_blk", _BUSES, 1))
    (tree / "init").chmod(0o755)
    return tree
