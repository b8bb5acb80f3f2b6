"""The host's gpgv as a verifier of OpenPGP signatures, for machines without pysequoia."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bootsmith.host.process import run

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class GpgvAnswer:
    """What gpgv found.

    ``text`` is what was signed; ``status`` the lines of its status output without their
    ``[GNUPG:]`` (DETAILS in GnuPG's documentation): ``VALIDSIG …``, ``BADSIG …``.
    """

    text: bytes
    status: tuple[str, ...]


def gpgv(data: bytes, *, keyring: bytes, signature: bytes | None = None) -> GpgvAnswer:
    """Check a clear-signed message, or ``data`` against a detached ``signature``.

    ``keyring`` is binary key material.  Raises ``ToolMissing`` when there is no gpgv; what a
    failed check means is the caller's to read from the status.
    """
    with tempfile.TemporaryDirectory(prefix="bootsmith-gpgv-") as name:
        folder = Path(name)
        (folder / "keys.gpg").write_bytes(keyring)
        (folder / "data").write_bytes(data)
        argv: list[str | Path] = ["gpgv", "--homedir", folder, "--status-fd", "1"]
        argv += ["--weak-digest", "SHA1"]
        argv += ["--keyring", folder / "keys.gpg"]
        if signature is None:
            done = run(
                [*argv, "--output", folder / "text", folder / "data"],
                check=False,
                timeout_s=_TIMEOUT_S,
            )
            text = (folder / "text").read_bytes() if (folder / "text").exists() else b""
        else:
            (folder / "signature").write_bytes(signature)
            done = run(
                [*argv, folder / "signature", folder / "data"], check=False, timeout_s=_TIMEOUT_S
            )
            text = data
    prefix = "[GNUPG:] "
    said = done.stdout.decode("utf-8", "replace").split("\n")
    status = tuple(line.removeprefix(prefix) for line in said if line.startswith(prefix))
    return GpgvAnswer(text=text, status=status)
