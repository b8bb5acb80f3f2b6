"""A root file system that becomes as large as its disk, while it is in use."""

from __future__ import annotations

from bootsmith.errors import VMError
from bootsmith.vm.agent import Agent

_TIMEOUT_S = 120.0

# Our own program first, which needs nothing of the distribution; then what every other image
# would use.  The root's device is whatever is mounted there: /dev/root in some kernels' lists.
_GROW = """\
guest=/usr/lib/bootsmith/bootsmith-guest
[ -x $guest ] && $guest grow / && exit
command -v resize2fs >/dev/null || {
    echo "the guest has neither bootsmith's 'grow' nor resize2fs" >&2
    exit 127
}
exec resize2fs /dev/vda
"""


def grow_root(agent: Agent) -> None:
    """Let the root file system take all of its disk.  Raises ``VMError`` when it cannot."""
    result = agent.exec(("/bin/sh", "-c", _GROW), most_bytes=1 << 16, timeout_s=_TIMEOUT_S)
    if result.exit_code != 0:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise VMError(
            f"the root file system cannot grow: {said or f'status {result.exit_code}'}",
            hint="only ext4 grows while it is mounted, and only in a writable root",
        )
