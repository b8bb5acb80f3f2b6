"""Which modules a virtual machine needs, and where they load.

The initramfs carries what every boot uses, which is a dozen modules: reading them from memory
costs no more than from the disk, and an image without modules of its own still has a network.
The root file system carries those and what a virtual machine may come to use; its init loads a
few of them that the agent needs, the rest waits for modprobe.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from bootsmith.errors import ImageError
from bootsmith.image.depmod import depmod
from bootsmith.image.kernel_modules import KernelModules, LoadedModule
from bootsmith.model.guest_path import GuestPath, ancestors, guest_path
from bootsmith.tree.entry import (
    Content,
    Directory,
    Entry,
    InlineBytes,
    Member,
    Metadata,
    RegularFile,
)
from bootsmith.tree.layer import Layer

LOAD_LIST = "modules.load"
"""The file that names what init loads: an absolute path a line, in order; parameters for the
module may follow after a space.  It lies at the root of an initramfs, and in a root file
system in the folder of the kernel's release."""

ModuleSelection = Literal["default", "all"]


class Driver(NamedTuple):
    """Something the kernel must (or, if not ``needed``, may) be able to do."""

    module: str
    purpose: str
    needed: bool = True


# Both transports, because a host chooses the machine: QEMU's q35 and virt have PCI, its
# microvm and Firecracker MMIO.
_BOOT_DRIVERS = (
    Driver("virtio_pci", "devices of QEMU's q35 machine"),
    Driver("virtio_mmio", "devices of QEMU's microvm and of Firecracker"),
    Driver("virtio_blk", "the root disk"),
    Driver("virtio_console", "the guest agent's port"),
    Driver("virtio_net", "the network"),
    Driver("virtio_rng", "the host's random numbers", needed=False),
)
_AGENT_DRIVERS = ("fuse", "vmw_vsock_virtio_transport", "virtiofs", "9pnet_virtio", "9p")

_DEPMOD_READS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")

_PLAIN_COPIES = "usr/lib/bootsmith/modules"

# What a virtual machine can use of a kernel's modules: virtual devices, the file systems of
# images and shares, and what container engines need of the network.  Folders mean all below.
_VM_MODULES = (
    "kernel/drivers/virtio/",
    "kernel/drivers/block/virtio_blk.ko",
    "kernel/drivers/block/loop.ko",
    "kernel/drivers/block/nbd.ko",
    "kernel/drivers/block/zram/",
    "kernel/drivers/char/virtio_console.ko",
    "kernel/drivers/char/hw_random/virtio-rng.ko",
    "kernel/drivers/gpu/drm/virtio/",
    "kernel/drivers/md/dm-crypt.ko",
    "kernel/drivers/md/dm-thin-pool.ko",
    "kernel/drivers/md/dm-verity.ko",
    "kernel/drivers/net/dummy.ko",
    "kernel/drivers/net/ifb.ko",
    "kernel/drivers/net/ipvlan/",
    "kernel/drivers/net/macvlan.ko",
    "kernel/drivers/net/macvtap.ko",
    "kernel/drivers/net/tap.ko",
    "kernel/drivers/net/tun.ko",
    "kernel/drivers/net/veth.ko",
    "kernel/drivers/net/virtio_net.ko",
    "kernel/drivers/net/vrf.ko",
    "kernel/drivers/net/vxlan/",
    "kernel/drivers/net/vxlan.ko",
    "kernel/drivers/net/wireguard/",
    "kernel/fs/9p/",
    "kernel/fs/autofs/",
    "kernel/fs/binfmt_misc.ko",
    "kernel/fs/erofs/",
    "kernel/fs/exfat/",
    "kernel/fs/ext4/",
    "kernel/fs/fat/",
    "kernel/fs/fuse/",
    "kernel/fs/isofs/",
    "kernel/fs/nls/nls_ascii.ko",
    "kernel/fs/nls/nls_cp437.ko",
    "kernel/fs/nls/nls_iso8859-1.ko",
    "kernel/fs/nls/nls_utf8.ko",
    "kernel/fs/overlayfs/",
    "kernel/fs/squashfs/",
    "kernel/net/8021q/",
    "kernel/net/9p/",
    "kernel/net/bridge/",
    "kernel/net/core/failover.ko",
    "kernel/net/ipv4/",
    "kernel/net/ipv6/",
    "kernel/net/llc/",
    "kernel/net/netfilter/nf*.ko",
    "kernel/net/netfilter/x_tables.ko",
    "kernel/net/netfilter/xt_[!i]*.ko",
    "kernel/net/packet/",
    "kernel/net/sched/act_mirred.ko",
    "kernel/net/sched/cls_bpf.ko",
    "kernel/net/sched/cls_u32.ko",
    "kernel/net/sched/sch_htb.ko",
    "kernel/net/sched/sch_ingress.ko",
    "kernel/net/sched/sch_netem.ko",
    "kernel/net/sched/sch_tbf.ko",
    "kernel/net/unix/",
    "kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko",
    "kernel/net/vmw_vsock/vsock*.ko",
)


def initramfs_modules(
    modules: KernelModules, *, root_filesystem: str = "ext4"
) -> tuple[LoadedModule, ...]:
    """What the initramfs carries, in the order in which it loads.

    Raises ``ImageError`` when the kernel cannot drive a virtual machine's devices or read
    its root file system, neither by itself nor with a module: such a kernel would hang.
    """
    drivers = (*_BOOT_DRIVERS, Driver(root_filesystem, "the root file system"))
    missing = [driver for driver in drivers if driver.needed and not modules.offers(driver.module)]
    if missing:
        lacks = ", ".join(f"{driver.module} ({driver.purpose})" for driver in missing)
        raise ImageError(
            f"the kernel {modules.release} has neither built in nor as a module: {lacks}",
            hint="use a kernel made for virtual machines, such as Debian's linux-image-cloud",
        )
    return modules.closure(driver.module for driver in drivers)


def load_list(modules: Iterable[LoadedModule], *, release: str) -> bytes:
    """The content of ``LOAD_LIST``."""
    return b"".join(b"/%s\n" % _path(release, module.path) for module in modules)


def guest_modules(
    modules: KernelModules,
    *,
    selection: ModuleSelection = "default",
    root_filesystem: str = "ext4",
) -> Layer:
    """The layer that gives a root file system its modules, with depmod's files; it bears no time.

    Modules come uncompressed, which every loader takes.  Their folder is ``lib/modules``;
    ``overlay`` follows a merged ``/usr`` from there.
    """
    if selection == "all":
        wanted = [module.name for module in modules]
    else:
        early = initramfs_modules(modules, root_filesystem=root_filesystem)
        wanted = [*(module.name for module in early), *_AGENT_DRIVERS]
        wanted += [module.name for module in modules if _is_for_vms(module.path)]
    chosen = modules.closure(wanted)
    agent = modules.closure(_AGENT_DRIVERS)
    written = {
        LOAD_LIST: load_list(agent, release=modules.release),
        **{name: modules.text(name).encode() for name in _DEPMOD_READS},
        **_index(modules, chosen),
    }
    contents: dict[str, Content] = {module.path: module.content for module in chosen}
    contents |= {name: InlineBytes(data) for name, data in written.items()}
    return _layer({_path(modules.release, name): one for name, one in contents.items()})


def installed_modules(modules: KernelModules) -> Layer:
    """What a root file system still needs that holds the kernel's whole package already.

    That is what init loads, uncompressed where the package has it compressed; and the package's
    own index of its modules, which a trigger may have written anew in the order in which a file
    system happens to list them.
    """
    contents: dict[GuestPath, Content] = {
        _path(modules.release, name): content for name, content in modules.index().items()
    }
    lines = []
    for module in modules.closure(_AGENT_DRIVERS):
        path = _path(modules.release, module.path)
        if not modules.is_plain(module):
            path = guest_path(f"{_PLAIN_COPIES}/{module.name}.ko")
            contents[path] = module.content
        lines.append(b"/%s\n" % path)
    contents[_path(modules.release, LOAD_LIST)] = InlineBytes(b"".join(lines))
    return _layer(contents)


def module_index_layer(modules: KernelModules, indexed: Sequence[LoadedModule]) -> Layer:
    """What depmod would write about the modules ``indexed``; it bears no time."""
    written = _index(modules, indexed)
    return _layer({_path(modules.release, name): InlineBytes(one) for name, one in written.items()})


def _index(modules: KernelModules, indexed: Sequence[LoadedModule]) -> dict[str, bytes]:
    order, builtin, builtin_modinfo = map(modules.text, _DEPMOD_READS)
    return depmod(
        indexed,
        order=order,
        builtin=builtin,
        builtin_modinfo=builtin_modinfo,
        blobs=modules.blobs,
    )


def _is_for_vms(path: str) -> bool:
    plain = path[: path.rindex(".ko")] + ".ko"
    return any(
        plain.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(plain, pattern)
        for pattern in _VM_MODULES
    )


def _path(release: str, name: str) -> GuestPath:
    return guest_path(f"lib/modules/{release}/{name}")


def _layer(contents: dict[GuestPath, Content]) -> Layer:
    """The files and the folders above them, but ``lib``, which may be a link in the tree."""
    folder, plain = Directory(Metadata(0o755)), Metadata(0o644)
    members: dict[GuestPath, Entry] = {}
    for path, content in contents.items():
        members |= dict.fromkeys(ancestors(path)[1:], folder)
        members[path] = RegularFile(plain, content)
    return Layer(tuple(Member(path, members[path]) for path in sorted(members)))
