"""The build id: a name for an image that follows from its files alone.

It is the UUIDv5 that Gondolin's host computes, so that either program finds the other's
images.  A claimed id is never trusted; whoever reads one computes it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest

_NAMESPACE = uuid.UUID("7b6ed0c0-7e7f-4c2a-8b2d-0bf3d5be9d52")
_ALWAYS = ("kernel", "initramfs", "rootfs")
_IF_PRESENT = ("krunKernel", "krunInitrd")


def build_id(checksums: Mapping[str, Digest], arch: Arch) -> uuid.UUID:
    """The build id of the assets with these SHA-256 ``checksums``, by their manifest keys.

    Raises ``KeyError`` when kernel, initramfs or rootfs is not among them.
    """
    lines = ["gondolin-asset-build"]
    lines += [f"{key}={checksums[key].hex}" for key in _ALWAYS]
    lines += [f"{key}={checksums[key].hex}" for key in _IF_PRESENT if key in checksums]
    lines.append(f"arch={arch.value}")
    return uuid.uuid5(_NAMESPACE, "\n".join(lines))
