"""A machine that runs on by itself, used from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith import VM, AttachedVM, VMOptions
from bootsmith.errors import HostError, VMError

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def detached(debian_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachedVM]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTSMITH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        vm = VM(debian_image).detach(name="worker")
        try:
            yield vm
        finally:
            vm.kill()


def test_it_is_a_guest_like_any_other(detached: AttachedVM) -> None:
    detached.write_file("/root/note", "kept\n")
    with VM.attach("worker") as again:
        assert again.id == detached.id
        assert again.exec("cat /root/note").stdout == "kept\n"
        assert "Linux version" in again.console
    assert detached.exec("cat /root/note").stdout == "kept\n"


def test_a_forward_ends_with_its_block_or_its_guest(detached: AttachedVM) -> None:
    with VM.attach("worker") as again, detached.forward(7) as first:
        second = again.forward(7)
        assert first.host_port != second.host_port
        with pytest.raises(HostError, match=f"{second.host_port} of this machine cannot be used"):
            detached.forward(7, host_port=second.host_port)
    for port in (first.host_port, second.host_port):
        _forward_as_soon_as_free(detached, port)


def test_a_word_for_no_machine(detached: AttachedVM) -> None:
    assert detached.name == "worker"
    with pytest.raises(VMError, match="there is no machine 'somebody'"):
        VM.attach("somebody")


def test_it_is_kept_in_a_file_and_goes_on_from_there(
    debian_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTSMITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    vm = VM(debian_image).detach(name="kept")
    with vm:
        vm.exec("echo kept > /root/note")
        vm.checkpoint("saved.qcow2")
        with pytest.raises(VMError):
            vm.exec("true")
    with pytest.raises(VMError, match="there is no machine 'kept'"):
        VM.attach("kept")
    with VM.resume("saved.qcow2", debian_image).detach(name="kept") as again:
        assert again.exec("cat /root/note").stdout == "kept\n"
        again.kill()


def test_a_root_that_keeps_nothing_runs_on(
    debian_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTSMITH_CACHE_DIR", str(tmp_path / "cache"))
    with VM(debian_image, options=VMOptions(rootfs_mode="memory")).detach() as vm:
        with pytest.raises(VMError, match="no checkpoint can be made"):
            vm.checkpoint(tmp_path / "saved")
        assert vm.exec("echo on").stdout == "on\n"
        vm.kill()


def _forward_as_soon_as_free(vm: AttachedVM, port: int) -> None:
    """The keeper learns of the end of a connection a moment after it."""
    for _ in range(100):
        try:
            vm.forward(7, host_port=port).close()
        except HostError:
            vm.exec("sleep 0.1")
        else:
            return
    raise AssertionError(f"{port} is not free again")
