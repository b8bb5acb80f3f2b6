"""What pip needs on this machine to reach an index, as ``build`` of a config lends it."""

from __future__ import annotations

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
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0:
        env.setdefault("PIP_INDEX_URL", asked.stdout.strip())
    certificates = os.environ.get("SSL_CERT_FILE")
    if not certificates:
        return {"env": env}
    return {
        "env": {**env, "PIP_CERT": _CERTIFICATES},
        "files": [{"src": certificates, "dest": _CERTIFICATES}],
    }
