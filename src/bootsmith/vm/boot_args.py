"""The kernel's command line; docs/decisions/0006 says why these words and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bootsmith.errors import VMError
from bootsmith.model.arch import Arch
from bootsmith.vm.machine import Accelerator, MachineSpec, Network, Share
from bootsmith.vm.shares.place import share_path

# Addresses of QEMU's user-mode network.
GUEST_ADDRESS = "10.0.2.15"
GATEWAY_ADDRESS = "10.0.2.2"
NAMESERVER_ADDRESS = "10.0.2.3"

SHARES_FOLDER = "/run/bootsmith/shares"

# QEMU 7.2 keeps the code it has translated by its virtual address: programs whose libraries lie
# elsewhere each time are translated anew each time they start (docs/decisions/0006).
_EMULATION_WORDS = ("norandmaps",)

_MOST_BYTES = 2047  # COMMAND_LINE_SIZE of x86 and arm64, without its final zero


def kernel_command_line(
    arch: Arch,
    *,
    network: Network = Network.NONE,
    writable_root: bool = True,
    shares: Sequence[Share] = (),
    base: Sequence[str] | None = None,
    extra: Sequence[str] = (),
) -> str:
    """The words for a machine of ours whose root file system is on ``/dev/vda``.

    ``base`` stands in for the words about console, panics and the root file system.  ``extra``
    comes last, and so wins.  Raises ``VMError`` for a share at a place that the
    guest's command line has no form for, and for more words than a kernel takes.
    """
    return checked_command_line(
        (
            *(_base(arch, writable_root=writable_root) if base is None else _for_pci(base)),
            *((_address(),) if network is Network.USER and not _says_address(base) else ()),
            *_shares(shares),
            *extra,
        )
    )


def for_accelerator(spec: MachineSpec, accelerator: Accelerator) -> MachineSpec:
    """``spec`` under ``accelerator``, its kernel told what that makes dear.

    Raises ``VMError`` when there is no room left on the command line.
    """
    emulates_x86 = accelerator is Accelerator.TCG and spec.arch is Arch.X86_64
    words = (*_EMULATION_WORDS, spec.cmdline) if emulates_x86 else (spec.cmdline,)
    return replace(spec, accelerator=accelerator, cmdline=checked_command_line(words))


def checked_command_line(words: Sequence[str]) -> str:
    """``words`` as one line.

    A kernel cuts off what is too long and says nothing; here that raises ``VMError``, as do
    characters that would end the line early.
    """
    line = " ".join(words)
    if "\0" in line or "\n" in line:
        raise VMError(f"kernel arguments with a line break or a NUL: {line!r}")
    size_bytes = len(line.encode("utf-8", "surrogateescape"))
    if size_bytes > _MOST_BYTES:
        raise VMError(
            f"the kernel's command line has {size_bytes} bytes, it takes {_MOST_BYTES}",
            hint="use fewer or shorter kernel arguments and mounts",
        )
    return line


def _base(arch: Arch, *, writable_root: bool) -> tuple[str, ...]:
    return (
        f"console={arch.console}",
        # The first notice is the kernel's banner, a sign of life within a second; twenty more
        # tell how far it came.  All of its messages take a tenth longer under emulation.
        "loglevel=6",
        # A panic ends the machine at once (-no-reboot), so that it is noticed.
        "panic=-1",
        # The test of an emulated timer fails on a busy host, and the kernel gives up.
        *(("reboot=k", "no_timer_check") if arch is Arch.X86_64 else ()),
        "root=/dev/vda",
        "rw" if writable_root else "ro",
    )


def _for_pci(words: Sequence[str]) -> tuple[str, ...]:
    # Meant for Firecracker (CONTRACTS §4), which has no PCI; on our boards the disk sits on it.
    return tuple(word for word in words if word != "pci=off")


def _says_address(words: Sequence[str] | None) -> bool:
    return any(word.startswith("ip=") for word in words or ())


def _address() -> str:
    # client:server:gateway:netmask:hostname:device:autoconf:dns0, as in the kernel's nfsroot.rst.
    return f"ip={GUEST_ADDRESS}::{GATEWAY_ADDRESS}:255.255.255.0::eth0:off:{NAMESERVER_ADDRESS}"


def _shares(shares: Sequence[Share]) -> tuple[str, ...]:
    """Where the guest mounts the one file system that has all shares in it, and binds each."""
    if not shares:
        return ()
    places = ",".join("/" + "/".join(share_path(share.guest_folder)) for share in shares)
    return (f"sandboxfs.mount={SHARES_FOLDER}", f"sandboxfs.bind={places}")
