"""How unpacked packages are configured: what must run inside the tree, as data.

The steps are dpkg's own, in its order, except that all packages are unpacked before the first
``preinst`` runs: those scripts prepare an upgrade or make what later scripts need (base-passwd
makes ``/etc/passwd``), and do not care.  The one kind that does care diverts files of other
packages before its own are unpacked; such a package is left to dpkg from the beginning.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.sources.configuration import Configuration
from bootsmith.sources.debian.configure_order import configure_order
from bootsmith.sources.debian.deb import ControlArchive, ControlFile
from bootsmith.sources.debian.diversions import left_to_dpkg, not_among
from bootsmith.sources.debian.dpkg_database import ADMIN_FOLDER, info_name

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
}
"""The environment in which packages are configured."""

ARCHIVES = guest_path("var/cache/apt/archives")
"""Where the packages that dpkg itself must unpack are."""

_FOLDER = "run/bootsmith"
_SCRIPT = guest_path(f"{_FOLDER}/preinsts")
_FIRST = "base-passwd"
_REFUSE = b"#!/bin/sh\n# No service is started while an image is made.\nexit 101\n"
_DO_NOTHING = b"#!/bin/sh\n# No service is started while an image is made.\nexit 0\n"
_YES = b"#!/bin/sh\n# Nothing runs here that could be told to restart.\nexit 0\n"
_HOST_KEYS = tuple(
    f"etc/ssh/ssh_host_{kind}_key{half}"
    for kind in ("rsa", "dsa", "ecdsa", "ed25519")
    for half in ("", ".pub")
)
_DPKG = ("dpkg", "--force-unsafe-io")


def configuration(controls: Sequence[ControlArchive], *, dpkg_version: str) -> Configuration:
    """What configures packages that ``unpack`` laid out."""
    ordered = configure_order(controls)
    left = left_to_dpkg(ordered)
    unpacked = not_among(ordered, left)
    preparing = [control for control in _first_first(unpacked) if "preinst" in control.files]
    commands = []
    files = [*SERVICE_BLOCKERS, _IN_CHROOT, *_host_key_placeholders()]
    if preparing:
        files += _preinst_files(preparing, dpkg_version)
        commands.append(_command("preinst", f"/{_SCRIPT.decode()}"))
    if left:
        script = f'exec {shlex.join(_DPKG)} --force-depends --unpack "$0"/*.deb'
        argv = ("/bin/sh", "-c", script, f"/{ARCHIVES.decode()}")
        commands.append(_command("dpkg --unpack", *argv))
    names = [info_name(control) for control in ordered]
    commands.append(_command("dpkg --configure", *_DPKG, "--configure", *names))
    commands.append(AUDIT)
    return Configuration(commands=tuple(commands), files=tuple(files))


def _command(label: str, *argv: str) -> GuestCommand:
    return GuestCommand(argv=argv, label=label, env=ENVIRONMENT)


AUDIT = _command(
    "dpkg --audit",
    "/bin/sh",
    "-c",
    'found=$(dpkg --audit) && test -z "$found" || { echo "$found"; exit 1; }',
)
"""Fails when a package is not wholly installed."""

SERVICE_BLOCKERS = (
    # https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt: 101 is "forbidden"
    GuestFile(path=guest_path("usr/sbin/policy-rc.d"), content=_REFUSE, mode=0o755),
    GuestFile(path=guest_path("sbin/start-stop-daemon"), content=_DO_NOTHING, mode=0o755),
)
"""What keeps package scripts from starting services."""

# Scripts ask this program whether there is an init to restart, and wait for it if so (libc6's
# for a second).  It looks for a process 1 with another root, which the sandbox does not have.
_IN_CHROOT = GuestFile(path=guest_path("usr/bin/ischroot"), content=_YES, mode=0o755)


def _first_first(controls: Iterable[ControlArchive]) -> list[ControlArchive]:
    """base-passwd in front: the preinst scripts of others may already name users."""
    return sorted(controls, key=lambda control: control.name != _FIRST)


def _preinst_files(controls: Sequence[ControlArchive], dpkg_version: str) -> Iterator[GuestFile]:
    """One script that runs every preinst, and what those find beside them.

    dpkg runs a preinst out of a folder with the whole control archive, always of this name:
    debconf knows by it whose questions are asked.
    """
    calls = []
    for number, control in enumerate(controls):
        folder = f"{_FOLDER}/{number}"
        own = ControlFile(content=control.text, mode=0o644)
        for name, file in {"control": own, **control.files}.items():
            path = guest_path(f"{folder}/{name}")
            yield GuestFile(path=path, content=file.content, mode=file.mode)
        calls.append(f"run /{folder} {shlex.join((control.name, control.architecture))}")
    script = _PREINSTS.format(
        version=shlex.quote(dpkg_version), admin=ADMIN_FOLDER, calls="\n".join(calls)
    )
    yield GuestFile(path=_SCRIPT, content=script.encode(), mode=0o755)


# The variables are those of dpkg(1), "INTERNAL ENVIRONMENT".
_PREINSTS = """\
#!/bin/sh
set -e
export DPKG_ADMINDIR=/{admin} DPKG_ROOT='' DPKG_RUNNING_VERSION={version}
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 PERL_DL_NONLAZY=1
run() {{
  export DPKG_MAINTSCRIPT_PACKAGE="$2" DPKG_MAINTSCRIPT_ARCH="$3"
  ln -sfn "$1" /{admin}/tmp.ci
  /{admin}/tmp.ci/preinst install || {{
    echo "the preinst script of $2 failed with status $?" >&2
    exit 1
  }}
}}
{calls}
rm /{admin}/tmp.ci
"""


def _host_key_placeholders() -> Iterable[GuestFile]:
    """Files in the place of ssh's host keys, so that none are made: every machine makes its own."""
    for path in _HOST_KEYS:
        yield GuestFile(path=guest_path(path), content=b"", mode=0o600)
