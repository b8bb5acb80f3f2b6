"""A random key that never leaves this machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bootsmith.host.files import host_error

_KEY_BYTES = 32


def secret_key(path: Path) -> bytes:
    """The key at ``path``, made at the first call; only its owner may read it.

    Raises ``HostError``.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            if len(found := path.read_bytes()) == _KEY_BYTES:
                return found
            path.unlink()  # cut off by a power loss
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = path.with_name(f".{path.name}-{os.getpid()}")
        fd = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:  # noqa: PTH123  (a descriptor, not a path)
            file.write(os.urandom(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(staging)  # of two at once, the first one's key is the key
        staging.unlink()
        return path.read_bytes()
    except OSError as error:
        raise host_error(error, "make the key", path) from error
