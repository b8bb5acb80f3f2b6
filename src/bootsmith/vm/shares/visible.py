"""Whether the guest really shows what is shared: a place that it cannot make is only complained
about on its console."""

from __future__ import annotations

from collections.abc import Sequence

from bootsmith.errors import VMError
from bootsmith.vm.agent import Agent
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.place import share_path

_KIND = "fuse.sandboxfs"
_TIMEOUT_S = 30.0
_TABLE_MOST_BYTES = 1 << 20


def require_visible(agent: Agent, shares: Sequence[Share]) -> None:
    """Raises ``VMError`` naming the places at which the guest shows nothing."""
    table = agent.read_whole("/proc/mounts", most_bytes=_TABLE_MOST_BYTES, timeout_s=_TIMEOUT_S)
    rows = [row.split(" ") for row in table.decode("utf-8", "replace").splitlines()]
    places = [row[1] for row in rows if len(row) > 2 and row[2] == _KIND]
    # One mount holds all; each share is bound from it.  A place may be listed under another name,
    # where a link leads to it.
    if len(places) > len(shares):
        return
    wanted = ["/" + "/".join(share_path(share.guest_folder)) for share in shares]
    missing = [place for place in wanted if place not in places]
    raise VMError(
        f"the guest cannot show a shared folder at {', '.join(missing or wanted)}",
        hint="in a read-only root the place must be in the image already; else see the console",
    )
