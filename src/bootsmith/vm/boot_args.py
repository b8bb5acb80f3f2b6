"""The kernel's command line; docs/decisions/0006 says why these words and no others."""

from __future__ import annotations

from collections.abc import Sequence

from bootsmith.model.arch import Arch
from bootsmith.vm.machine import Network, Share
from bootsmith.vm.shares.place import share_path

# Addresses of QEMU's user-mode network.
GUEST_ADDRESS = "10.0.2.15"
GATEWAY_ADDRESS = "10.0.2.2"
NAMESERVER_ADDRESS = "10.0.2.3"

SHARES_FOLDER = "/run/bootsmith/shares"


def kernel_command_line(
    arch: Arch,
    *,
    network: Network = Network.NONE,
    writable_root: bool = True,
    shares: Sequence[Share] = (),
    extra: Sequence[str] = (),
) -> str:
    """The words for a machine of ours whose root file system is on ``/dev/vda``.

    ``extra`` comes last, and so wins.  Raises ``VMError`` for a share at a place that the
    guest's command line has no form for.
    """
    return " ".join(
        (
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
            *((_address(),) if network is Network.USER else ()),
            *_shares(shares),
            *extra,
        )
    )


def _address() -> str:
    # client:server:gateway:netmask:hostname:device:autoconf:dns0, as in the kernel's nfsroot.rst.
    return f"ip={GUEST_ADDRESS}::{GATEWAY_ADDRESS}:255.255.255.0::eth0:off:{NAMESERVER_ADDRESS}"


def _shares(shares: Sequence[Share]) -> tuple[str, ...]:
    """Where the guest mounts the one file system that has all shares in it, and binds each."""
    if not shares:
        return ()
    places = ",".join("/" + "/".join(share_path(share.guest_folder)) for share in shares)
    return (f"sandboxfs.mount={SHARES_FOLDER}", f"sandboxfs.bind={places}")
