"""Every mistake about this machine's files is told at once, and before a server is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.debian_images import bootsmith
from tests.support.http_server import serve

pytestmark = pytest.mark.slow

WRONG: dict[str, dict[str, Any]] = {
    "alpine.keys[0]": {"alpine": {"keys": ["nowhere.rsa.pub"]}},
    "alpine.minirootfs": {"alpine": {"minirootfs": "nowhere.tar.gz"}},
    "init.rootfsInit": {"init": {"rootfsInit": "nowhere"}},
    "sandboxfsPath": {"sandboxfsPath": "a-script"},
    "users[0].keys[0]": {"users": [{"name": "ann", "keys": ["./nowhere.pub"]}]},
    "postBuild.copy[1].src": {
        "postBuild": {
            "copy": [{"src": "a-script", "dest": "/opt/"}, {"src": "nowhere", "dest": "/opt/"}]
        }
    },
    "build.files[0].src": {"build": {"files": [{"src": "nowhere", "dest": "/run/x"}]}},
}


def said_of(fields: dict[str, Any], folder: Path) -> str:
    """What a build says of a config with ``fields``, which it refuses; nobody is asked."""
    (folder / "a-script").write_text("#!/bin/sh\n")
    with serve({}) as server:
        alpine = {"mirror": server.url.rstrip("/"), **fields.get("alpine", {})}
        config = folder / "config.json"
        config.write_text(json.dumps({"distro": "alpine", **fields, "alpine": alpine}))
        done = bootsmith(
            "build", "--config", config, "--output", folder / "image",
            env={"BOOTSMITH_CACHE_DIR": str(folder / "store"),
                 "BOOTSMITH_KRUNFW_MIRROR": server.url},
        )  # fmt: skip
        assert server.requests == []
    assert done.returncode == 2
    assert not (folder / "image").exists()
    return done.stderr.decode()


def test_all_of_them_stand_in_one_report(tmp_path: Path) -> None:
    fields = {key: value for wrong in WRONG.values() for key, value in wrong.items()}
    fields["alpine"] = {key: value for wrong in WRONG.values() for key, value in
                        wrong.get("alpine", {}).items()}  # fmt: skip
    lines = said_of(fields, tmp_path).splitlines()
    assert lines[0] == "error: the config names what cannot be used"
    assert [line.partition(": ")[0].strip() for line in lines[1:]] == list(WRONG)


@pytest.mark.parametrize("pointer", WRONG)
def test_each_is_told_alone(pointer: str, tmp_path: Path) -> None:
    head, line = said_of(WRONG[pointer], tmp_path).splitlines()[:2]
    assert head != "error: the config names what cannot be used"
    assert line.startswith(f"  {pointer}: ")
