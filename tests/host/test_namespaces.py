"""What this machine lets us isolate, and what it says when it does not."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootsmith.host import namespaces
from bootsmith.host.namespaces import namespace_support
from bootsmith.host.sandbox.messages import SetUpFailed
from tests.support.judges import require

_TELL = "from bootsmith.host.namespaces import *; print(*namespace_support(), sep='|')"


def test_this_machine_has_an_answer() -> None:
    support = namespace_support()
    assert support.kind in ("root", "subuid", "chroot", "none")
    assert bool(support.reason) == (support.kind in ("chroot", "none"))
    assert bool(support.fix) == bool(support.reason)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")
@pytest.mark.parametrize(
    ("dropped", "kind", "reason"),
    [
        ("", "root", ""),
        ("cap_sys_admin", "chroot", "root has no CAP_SYS_ADMIN here"),
        ("cap_sys_admin,cap_mknod", "none", "devices may not be made here: dev/null"),
    ],
)
def test_root_in_containers(dropped: str, kind: str, reason: str) -> None:
    if namespace_support().kind != "root":
        pytest.skip("this is such a container already")
    require("capsh")
    drop = [f"--drop={dropped}"] if dropped else []
    code = f'exec {sys.executable} -c "$1"'
    done = subprocess.run(
        ["capsh", *drop, "--", "-c", code, "x", _TELL],
        capture_output=True,
        text=True,
        check=True,
    )
    found_kind, found_reason, fix = done.stdout.strip().split("|")
    assert found_kind == kind
    assert reason in found_reason
    assert bool(fix) == bool(reason)


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({"kernel/apparmor_restrict_unprivileged_userns": "1"}, "kernel.apparmor_restrict"),
        ({"kernel/unprivileged_userns_clone": "0"}, "kernel.unprivileged_userns_clone=1"),
        ({"user/max_user_namespaces": "0"}, "user.max_user_namespaces"),
        ({"kernel/unprivileged_userns_clone": "1"}, "seccomp=unconfined"),
        ({}, "seccomp=unconfined"),
    ],
)
def test_why_the_kernel_may_have_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], fix: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    monkeypatch.setattr(namespaces, "_SETTINGS", tmp_path)
    refused = SetUpFailed("mounts", errno.EPERM, "Operation not permitted")
    found = namespaces._explain(refused)
    assert "mounts: Operation not permitted" in found.reason
    assert fix in found.fix


def test_a_trial_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    kind = namespace_support().kind
    assert kind == "none" or namespaces.try_kind(kind) is None
    assert list(tmp_path.iterdir()) == []


def test_without_newuidmap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root needs no newuidmap")
    assert shutil.which("python3")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("bootsmith.host.tools._SYSTEM_FOLDERS", ())
    problem = namespaces.try_kind("subuid")
    assert problem is not None
    assert "newuidmap is not installed" in problem.reason
