"""The host keys of a guest whose plug was pulled at any moment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.judges import require

SCRIPT = Path(__file__).parents[2] / "guest" / "init" / "sshd.sh"

LEFT: dict[str, dict[str, bytes]] = {
    "nothing": {},
    "empty keys": {"ssh_host_ed25519_key": b"", "ssh_host_ed25519_key.pub": b""},
    "an empty secret": {"ssh_host_ed25519_key": b"", "ssh_host_ed25519_key.pub": b"old"},
    "a public key alone": {"ssh_host_ed25519_key.pub": b"old"},
    "half-made keys": {"new_ed25519": b"", "new_ed25519.pub": b"x"},
}


def make_host_key(keys: Path) -> None:
    """What the script does to have a key, with ``keys`` in place of its folder."""
    definitions, start, _ = SCRIPT.read_text("utf-8").partition("\n[ -x $sshd ]")
    assert start, "the script begins its work elsewhere"
    work = f"{definitions}\nkeys=$1\nmake_host_key ed25519\n"
    subprocess.run(["sh", "-eu", "-c", work, "sh", str(keys)], check=True)


@pytest.mark.parametrize("name", LEFT)
def test_a_key_is_whole_whatever_a_power_loss_left(name: str, tmp_path: Path) -> None:
    require("ssh-keygen")
    for file, content in LEFT[name].items():
        (tmp_path / file).write_bytes(content)
    make_host_key(tmp_path)
    secret, public = (tmp_path / f"ssh_host_ed25519_key{suffix}" for suffix in ("", ".pub"))
    assert sorted(tmp_path.iterdir()) == [secret, public]
    said = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(secret)], check=True, capture_output=True, text=True
    ).stdout
    assert said.split()[:2] == public.read_text().split()[:2]
    before = secret.read_bytes()
    make_host_key(tmp_path)
    assert secret.read_bytes() == before, "a good key stays"
