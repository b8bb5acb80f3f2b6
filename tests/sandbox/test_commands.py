"""How commands run, what they print, and how they fail."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from bootsmith.errors import HostError, StepFailed
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.model.guest_command import GuestCommand, GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import TreeBuilder
from tests.sandbox.conftest import ENVIRONMENT, Sandbox, job
from tests.support.host_programs import host_programs_tree, with_files
from tests.support.layer_summary import summary


def test_commands_run_in_order_in_one_tree(any_sandbox: Sandbox) -> None:
    any_sandbox.run(job("echo one; echo 1 > /root/x", "echo two; cat /root/x >&2"))
    assert any_sandbox.printed == [("script 1", "one"), ("script 2", "two"), ("script 2", "1")]


def test_no_command_changes_nothing(any_sandbox: Sandbox) -> None:
    assert any_sandbox.run(SandboxJob(commands=())).members == ()


def test_the_folder_is_the_commands(any_sandbox: Sandbox) -> None:
    command = GuestCommand(argv=("sh", "-c", "echo $PWD"), label="x", env=ENVIRONMENT, cwd="/etc")
    any_sandbox.run(SandboxJob(commands=(command,)))
    assert any_sandbox.lines == ["/etc"]


def test_the_umask_and_signals_are_as_a_login_has_them(any_sandbox: Sandbox) -> None:
    before = os.umask(0o077)
    try:
        any_sandbox.script(
            "umask; (seq 1 100000; echo $? >&2) | head -1 >/dev/null; "
            "sh -c 'kill -INT $$; echo survived'; echo $?"
        )
    finally:
        os.umask(before)
    assert any_sandbox.lines in (["0022", "130"], ["0022", "141", "130"])


def test_standard_input_is_empty(any_sandbox: Sandbox) -> None:
    any_sandbox.script("cat; echo end")
    assert any_sandbox.lines == ["end"]


def test_output_is_streamed_while_the_command_runs(any_sandbox: Sandbox) -> None:
    seen: list[float] = []
    any_sandbox.executor.run(
        host_programs_tree(),
        job("echo first; sleep 0.5; echo last"),
        blobs=any_sandbox.blobs,
        on_output=lambda *_: seen.append(time.monotonic()),
    )
    assert len(seen) == 2
    assert seen[1] - seen[0] > 0.25


def test_megabytes_of_output(any_sandbox: Sandbox) -> None:
    any_sandbox.script("seq 1 200000; seq 1 100000 >&2")
    assert len(any_sandbox.lines) == 300_000
    assert any_sandbox.lines[199_999] == "200000"
    assert any_sandbox.lines[-1] == "100000"


def test_megabytes_without_a_line_end(any_sandbox: Sandbox) -> None:
    any_sandbox.script("head -c 3000000 /dev/zero")
    assert sum(map(len, any_sandbox.lines)) == 3_000_000
    assert max(map(len, any_sandbox.lines)) <= 200_000


def test_a_command_that_fails_ends_the_job(any_sandbox: Sandbox) -> None:
    with pytest.raises(StepFailed) as caught:
        any_sandbox.run(job("echo fine", "echo broken >&2; exit 7", "echo never"))
    assert caught.value.step == "script 2"
    assert caught.value.exit_code == 7
    assert caught.value.output_tail == "broken"
    assert "script 2 failed with status 7" in str(caught.value)
    assert any_sandbox.lines == ["fine", "broken"]


def test_the_tail_is_the_end_of_the_output(any_sandbox: Sandbox) -> None:
    with pytest.raises(StepFailed) as caught:
        any_sandbox.script("seq 1 100000; exit 1")
    assert caught.value.output_tail.endswith("99999\n100000")
    assert len(caught.value.output_tail) <= 8192


def test_a_command_that_a_signal_ends(any_sandbox: Sandbox) -> None:
    with pytest.raises(StepFailed) as caught:
        any_sandbox.script("kill -SEGV $$")
    assert caught.value.exit_code == 128 + 11


def test_a_program_that_is_not_there(any_sandbox: Sandbox) -> None:
    command = GuestCommand(argv=("no-such-program",), label="x", env=ENVIRONMENT)
    with pytest.raises(StepFailed, match="x cannot be started: no-such-program: No such file"):
        any_sandbox.run(SandboxJob(commands=(command,)))


def test_a_folder_that_is_not_there(any_sandbox: Sandbox) -> None:
    command = GuestCommand(argv=("id",), label="x", env=ENVIRONMENT, cwd="/nowhere")
    with pytest.raises(StepFailed, match="cannot be started"):
        any_sandbox.run(SandboxJob(commands=(command,)))


def test_a_program_of_another_machine(any_sandbox: Sandbox) -> None:
    """A header of an ELF file for an architecture that no kernel has an emulator for."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x02\0" + b"\xf7\x7f" + bytes(44)
    builder = TreeBuilder(host_programs_tree())
    builder.put(guest_path("usr/bin/alien"), RegularFile(Metadata(0o755), InlineBytes(header)))
    command = GuestCommand(argv=("alien",), label="x", env=ENVIRONMENT)
    with pytest.raises(HostError, match="another architecture") as caught:
        any_sandbox.run(SandboxJob(commands=(command,)), builder.build())
    assert "qemu-user-static" in (caught.value.hint or "")


def test_a_command_that_takes_too_long(any_sandbox: Sandbox) -> None:
    with pytest.raises(StepFailed, match="did not finish within 1 s") as caught:
        any_sandbox.run(job("echo begun; sleep 1000", timeout_s=1))
    assert caught.value.exit_code == 124
    assert caught.value.output_tail == "begun"
    assert list(any_sandbox.folder.iterdir()) == []


def test_an_error_in_the_callback_ends_everything(any_sandbox: Sandbox) -> None:
    def stop(label: str, line: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        any_sandbox.executor.run(
            host_programs_tree(),
            job("echo x; sleep 1000"),
            blobs=any_sandbox.blobs,
            on_output=stop,
        )
    assert list(any_sandbox.folder.iterdir()) == []


FILES = (
    GuestFile(
        path=guest_path("usr/sbin/policy-rc.d"), content=b"#!/bin/sh\nexit 101\n", mode=0o755
    ),
    GuestFile(path=guest_path("run/deep/script"), content=b"#!/bin/sh\necho ran\n", mode=0o755),
    GuestFile(path=guest_path("etc/new"), content=b"new\n"),
)


def test_temporary_files_are_there_for_the_run_only(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.run(
        job("/usr/sbin/policy-rc.d || echo $?; /run/deep/script; cat /etc/new", files=FILES)
    )
    assert any_sandbox.lines == ["101", "ran", "new"]
    assert layer.members == ()


def test_a_temporary_file_covers_one_that_is_there(sandbox: Sandbox) -> None:
    tree = with_files(host_programs_tree(), {"etc/new": b"old\n"})
    layer = sandbox.run(job("cat /etc/new; echo x > /etc/new; cat /etc/new", files=FILES), tree)
    assert sandbox.lines == ["new", "x"]
    assert layer.members == ()


def test_a_temporary_file_that_is_changed_or_removed_is_not_kept(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.run(
        job("echo more >> /etc/new; chmod 600 /etc/new; rm /usr/sbin/policy-rc.d", files=FILES)
    )
    assert summary(layer, any_sandbox.blobs).keys() <= {"usr/sbin"}


def test_a_file_that_takes_the_place_of_a_temporary_one_is_kept(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.run(job("echo real > /etc/other; mv /etc/other /etc/new", files=FILES))
    found = summary(layer, any_sandbox.blobs)
    assert found["etc/new"] == "file 644 0:0 b'real\\n'"


def test_a_temporary_file_through_links_goes_where_they_lead(sandbox: Sandbox) -> None:
    builder = TreeBuilder(host_programs_tree())
    builder.put(guest_path("etc/new"), Symlink(Metadata(0o777), b"../run/made/up"))
    builder.put(guest_path("sbin"), Symlink(Metadata(0o777), b"/usr/../usr/bin"))
    files = (
        *FILES,
        GuestFile(path=guest_path("sbin/tool"), content=b"#!/bin/sh\necho tool\n", mode=0o755),
    )
    layer = sandbox.run(job("cat /run/made/up; tool", files=files), builder.build())
    assert sandbox.lines == ["new", "tool"]
    assert layer.members == ()


def test_what_killed_processes_left_is_removed(any_sandbox: Sandbox) -> None:
    any_sandbox.folder.mkdir()
    left = any_sandbox.folder / "bootsmith-sandbox-left"
    (left / "tree").mkdir(parents=True)
    (left / "tree" / "x").write_text("x")
    other = any_sandbox.folder / "something-else"
    other.mkdir()
    with SandboxProcess(any_sandbox.folder) as busy:
        any_sandbox.script("true")
        assert busy.folder.exists()
    assert list(any_sandbox.folder.iterdir()) == [other]


def test_the_disk_serves_where_memory_does_not(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootsmith.sandbox.namespace.spare_memory_bytes", lambda: 0)
    layer = sandbox.script("touch /root/x; chown 7:8 /root/x; mkdir -m 000 /root/closed")
    found = summary(layer, sandbox.blobs)
    assert found["root/x"] == "file 644 7:8 b''"
    assert list(sandbox.folder.iterdir()) == []


def test_one_blob_holds_all_that_was_captured(any_sandbox: Sandbox) -> None:
    layer = any_sandbox.script("echo a > /root/a; echo b > /root/b")
    contents = [entry.content for _, entry in layer.members if isinstance(entry, RegularFile)]
    assert len({getattr(content, "blob", None) for content in contents}) == 1


def test_output_arrives_in_the_thread_that_asked(any_sandbox: Sandbox) -> None:
    threads: set[int] = set()
    any_sandbox.executor.run(
        host_programs_tree(),
        job("echo x"),
        blobs=any_sandbox.blobs,
        on_output=lambda *_: threads.add(threading.get_ident()),
    )
    assert threads == {threading.get_ident()}


def test_a_work_folder_that_cannot_be(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    with pytest.raises(HostError):
        sandbox.script("true")
    assert stat.S_ISREG((tmp_path / "work").stat().st_mode)
