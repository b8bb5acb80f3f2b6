"""Gondolin's own host, as its npm package has it: a program no one here wrote, driving our images.

``./dev setup`` installs the package and the Node.js that it needs into ``.cache/tests/gondolin``,
exactly the versions and hashes of ``tests/support/gondolin/package-lock.json``.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.judges import require, unavailable

CHECKOUT = Path(__file__).parents[2]
INSTALLED = CHECKOUT / ".cache" / "tests" / "gondolin"
PROGRAMS = CHECKOUT / "tests" / "support" / "gondolin"

# It takes /dev/kvm for usable when it can be opened, and there is no way to tell it otherwise; a
# device that hangs every guest is common, so it gets to see none: a file that is not writable.
# Processes of its own end with it.
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_HIDE_KVM = """
if [ -e /dev/kvm ]; then
    mount --bind "$0" /dev/kvm && mount -o remount,bind,ro /dev/kvm || exit 125
fi
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GondolinHost:
    """Runs ``gondolin`` and programs made with its library; ``home`` is all it may write to."""

    node: Path
    home: Path

    def command(self, *words: str | Path) -> list[str]:
        """The argument vector for ``gondolin WORDS…``."""
        return self._isolated(INSTALLED / "node_modules/.bin/gondolin", *words)

    def program(self, name: str, *words: str | Path) -> list[str]:
        """The argument vector for the program ``name`` of ``tests/support/gondolin``.

        It is handed over as text, so that its imports are looked up in the current folder.
        """
        code = (PROGRAMS / name).read_text()
        return self._isolated("--input-type=module", "--eval", code, "--", *words)

    def environment(self, image: Path | None = None) -> dict[str, str]:
        """Its environment; ``image`` is the folder it finds in ``GONDOLIN_GUEST_DIR``."""
        chosen = {} if image is None else {"GONDOLIN_GUEST_DIR": str(image)}
        return {
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            **chosen,
        }

    def run(
        self, argv: list[str], *, image: Path | None = None, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one of those argument vectors to its end."""
        return subprocess.run(
            argv,
            env=self.environment(image),
            cwd=INSTALLED,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def _isolated(self, *words: str | Path) -> list[str]:
        user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        no_device = self.home / "no-device"
        no_device.touch()
        return [
            *_ISOLATED, *user, "--", "sh", "-c", _HIDE_KVM, str(no_device),
            str(self.node), *map(str, words),
        ]  # fmt: skip


@contextmanager
def gondolin_host() -> Iterator[GondolinHost]:
    """Its host with a home of its own.  Skips by name where it is not installed; fails in CI."""
    require("unshare")
    require("qemu-system-x86_64")
    require("qemu-img")
    nodes = sorted(INSTALLED.glob("node_modules/node-linux-*/bin/node"))
    if not nodes:
        unavailable("Gondolin's host is not installed (./dev setup does it, with npm)")
    # Its sockets must fit into the 108 bytes of a Unix address: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="gondolin-") as home:
        yield GondolinHost(node=nodes[0], home=Path(home))
