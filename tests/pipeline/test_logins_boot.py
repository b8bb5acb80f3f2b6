"""Images in which somebody logs in, and images with an init of their own, started for real."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bootsmith import VM, Image
from tests.support.debian_images import build
from tests.support.judges import require

pytestmark = [pytest.mark.network, pytest.mark.boot]

OWN_INIT = """#!/bin/sh
/usr/lib/bootsmith/bootsmith-guest setup
echo started >/run/own-init
exec /usr/lib/bootsmith/bootsmith-guest supervise /usr/bin/sandboxd
"""


def image(folder: Path, **fields: Any) -> Image:
    require("qemu-system-x86_64")
    (folder / "config.json").write_text(json.dumps({"arch": "x86_64", **fields}))
    build(folder / "image", "--config", folder / "config.json", "--strict")
    return Image.open(folder / "image")


def test_a_user_logs_in_with_the_key_on_the_port_that_is_asked_for(tmp_path: Path) -> None:
    ssh = require("ssh")
    key = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", key],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    made = image(
        tmp_path,
        debian={"packages": ["openssh-server"]},
        users=[{"name": "dev", "uid": 1234, "groups": ["adm"], "keys": ["key.pub"]}],
        ssh={"port": 2222},
        files=[{"path": "/home/dev/note", "content": "mine\n", "owner": "dev", "mode": "0600"}],
    )
    with VM(made) as vm, vm.forward(2222) as forward:
        listening = vm.exec(
            "for i in $(seq 60); do grep -q ':08AE .* 0A ' /proc/net/tcp && exit; sleep 1; done; "
            "exit 1"
        )
        assert listening.exit_code == 0, vm.exec("cat /proc/net/tcp; ps ax").stdout
        done = subprocess.run(
            [
                ssh, "-i", key, "-p", str(forward.host_port), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-F", "/dev/null",
                "dev@127.0.0.1", "id; cat note",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "uid=1234(dev) gid=1234(dev) groups=1234(dev),4(adm)\nmine\n"


def test_environment_and_extra_script_hold_with_an_init_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "init.sh").write_text(OWN_INIT)
    (tmp_path / "extra.sh").write_text('export EXTRA="after $GREETING"\n')
    made = image(
        tmp_path,
        env=["GREETING=it's me"],
        init={"rootfsInit": "init.sh", "rootfsInitExtra": "extra.sh"},
    )
    with VM(made) as vm:
        result = vm.exec('echo "$GREETING, $EXTRA"; cat /run/own-init')
    assert result.stdout == "it's me, after it's me\nstarted\n"
