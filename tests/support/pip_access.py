"""What pip needs on this machine to reach an index, as ``build`` of a config lends it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import Any

_VARIABLES = (
    "PIP_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY",    "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def pip_access() -> dict[str, Any]:
    """This machine's index, proxy and certificate authorities; nothing where it has none."""
    env = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    if index := _configured("global.index-url"):
        env.setdefault("PIP_INDEX_URL", index)
    certificates = os.environ.get("SSL_CERT_FILE") or _configured("global.cert")
    if not certificates:
        return {"env": env}
    return {
        "env": {**env, "PIP_CERT": _CERTIFICATES},
        "files": [{"src": certificates, "dest": _CERTIFICATES}],
    }


def _configured(name: str) -> str:
    """What pip's own files say of ``name``; nothing where they do not mention it.

    ``pip config get`` does not find what only the machine's own file says, ``list`` does.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        if key == name:
            return str(ast.literal_eval(value))
    return ""
