"""A real guest: boots, runs commands, and leaves the image as it was."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootsmith.errors import AgentError, ConfigError, HostError, VMError
from bootsmith.host.files import sha256_of_file
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions
from tests.support.debian_images import bootsmith
from tests.support.judges import require

pytestmark = [pytest.mark.boot, pytest.mark.network]


@pytest.fixture(scope="module")
def vm(debian_image: Path) -> Iterator[VM]:
    require("qemu-system-x86_64")
    with VM(Image.open(debian_image)) as running:
        yield running


def test_a_text_is_run_by_a_login_shell(vm: VM) -> None:
    result = vm.exec("echo $((6 * 7)); echo oops >&2; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "42\n", "oops\n")


def test_a_list_is_the_argument_vector(vm: VM) -> None:
    assert vm.exec(["printf", "%s|", "a b", "$HOME", "*"]).stdout == "a b|$HOME|*|"


def test_a_signal_is_told(vm: VM) -> None:
    result = vm.exec("kill -TERM $$")
    assert (result.exit_code, result.signal) == (128 + 15, 15)


def test_a_command_that_is_not_there(vm: VM) -> None:
    assert vm.exec(["/no/such/program"]).exit_code == 127


@pytest.mark.parametrize(
    ("words", "env", "cwd"),
    [
        ([], {}, None),
        (["echo", "a\0b"], {}, None),
        (["env"], {"A=B": "c"}, None),
        (["env"], {"": "c"}, None),
        (["env"], {"A": "b\0"}, None),
        (["env"], {}, "/\0"),
    ],
)
def test_what_no_program_can_be_given(
    vm: VM, words: list[str], env: dict[str, str], cwd: str | None
) -> None:
    with pytest.raises(AgentError, match=r"no command|no name|no NUL") as refused:
        vm.exec(words, env=env, cwd=cwd)
    assert refused.value.code == "invalid_request"


def test_ports_that_are_none(vm: VM) -> None:
    with pytest.raises(ConfigError, match="guest_port: must be between 1 and 65535, found 70000"):
        vm.forward(70_000)


def test_input_may_be_text(vm: VM) -> None:
    assert vm.exec(["cat"], stdin="zażółć").stdout == "zażółć"


def test_input_environment_and_folder_arrive(vm: VM) -> None:
    result = vm.exec('cat; echo "$GREETING"; pwd', stdin=b"in ", env={"GREETING": "hi"}, cwd="/etc")
    assert result.stdout == "in hi\n/etc\n"


def test_megabytes_come_through_unchanged(vm: VM) -> None:
    data = bytes(range(256)) * (32 << 10)
    assert vm.exec(["cat"], stdin=data).stdout_bytes == data


def test_commands_run_side_by_side(vm: VM) -> None:
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda n: vm.exec(f"sleep 0.2; echo {n}").stdout, range(16)))
    assert results == [f"{n}\n" for n in range(16)]


def test_the_distribution_is_whole(vm: VM) -> None:
    result = vm.exec("dpkg --audit; dpkg -V; grep ^ID= /etc/os-release; apt-get --version")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("ID=debian\n"), result.stdout


def test_the_kernel_has_found_nothing_wrong(vm: VM) -> None:
    found = vm.exec("dmesg -l emerg,alert,crit,err")
    assert found.stdout == "", found.stdout


def test_the_network_has_an_address_and_a_name_server(vm: VM) -> None:
    assert "0A00020F" in vm.exec("cat /proc/net/tcp /proc/net/fib_trie").stdout or (
        "10.0.2.15" in vm.exec("cat /proc/net/fib_trie").stdout
    )
    assert "nameserver 10.0.2.3" in vm.exec("cat /etc/resolv.conf").stdout


def test_files_there_and_back(vm: VM) -> None:
    vm.write_file("/root/note", "zażółć\n")
    assert vm.exec("cat /root/note").stdout == "zażółć\n"
    vm.write_file("/root/note", (bytes([number]) * 100_000 for number in range(10)))
    assert vm.read_file("/root/note") == b"".join(bytes([n]) * 100_000 for n in range(10))
    vm.delete_file("/root/note")
    vm.delete_file("/root/note", missing_ok=True)
    with pytest.raises(AgentError):
        vm.read_file("/root/note")


def test_trees_there_and_back(vm: VM, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "hello").write_text("#!/bin/sh\necho hello from $0\n")
    (source / "bin" / "hello").chmod(0o755)
    (source / "link").symlink_to("bin/hello")
    vm.upload(source, "/opt/new/tree")
    assert vm.exec("/opt/new/tree/link").stdout == "hello from /opt/new/tree/link\n"
    assert vm.exec("stat -c %u:%g:%a /opt/new/tree/bin/hello").stdout == "0:0:755\n"
    vm.exec("ln -s nowhere /opt/new/tree/more")
    vm.download("/opt/new/tree", tmp_path / "back")
    assert (tmp_path / "back" / "bin" / "hello").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "back" / "more").readlink() == Path("nowhere")


def test_a_full_disk_is_an_error_and_the_machine_goes_on(vm: VM, tmp_path: Path) -> None:
    vm.exec("mkdir -p /mnt/small && mount -t tmpfs -o size=1m none /mnt/small")
    with pytest.raises(AgentError, match="no space left") as caught:
        vm.write_file("/mnt/small/file", bytes(2 << 20))
    assert caught.value.code == "file_write_failed"
    (tmp_path / "large").write_bytes(bytes(range(256)) * (8 << 10))
    with pytest.raises(AgentError, match=r"[Nn]o space"):
        vm.upload(tmp_path / "large", "/mnt/small/other")
    full = vm.exec("head -c 3000000 /dev/zero > /mnt/small/third")
    assert full.exit_code != 0
    assert "No space" in full.stderr
    assert vm.exec("umount /mnt/small && echo on").stdout == "on\n"


def test_a_port_of_the_guest(vm: VM) -> None:
    with vm.forward(7) as first, vm.forward(7) as second:
        assert first.host_port != second.host_port
        with pytest.raises(HostError, match=r"taken|in use"):
            vm.forward(7, host_port=first.host_port)


def test_starting_twice_is_starting_once(vm: VM) -> None:
    assert vm.start() is vm
    assert vm.exec("true").exit_code == 0


def test_a_guest_writes_to_itself_and_never_to_the_image(debian_image: Path) -> None:
    before = sha256_of_file(debian_image / "rootfs.ext4")
    with VM(debian_image) as first, VM(debian_image) as second:
        first.exec("echo mine > /root/file && sync")
        assert second.exec("cat /root/file").exit_code == 1
        assert first.exec("cat /root/file").stdout == "mine\n"
    assert sha256_of_file(debian_image / "rootfs.ext4") == before


def test_a_machine_that_was_stopped_says_so(debian_image: Path) -> None:
    vm = VM(debian_image)
    with pytest.raises(VMError, match="does not run"):
        vm.exec("true")
    with vm:
        assert vm.exec("true").exit_code == 0
    vm.stop()
    for use in (lambda: vm.exec("true"), lambda: vm.forward(22), lambda: vm.read_file("/x")):
        with pytest.raises(VMError, match="does not run"):
            use()


def test_a_read_only_root(debian_image: Path) -> None:
    with VM(debian_image, options=VMOptions(rootfs_mode="readonly")) as vm:
        assert vm.exec("echo x > /etc/file").exit_code != 0
        assert vm.exec("echo x > /tmp/file && cat /tmp/file").stdout == "x\n"


def test_the_command_line_passes_everything_through(debian_image: Path) -> None:
    done = bootsmith(
        "exec", debian_image, "--env", "A=b c", "--", "sh", "-c", 'cat; echo "$A"; exit 5',
        stdin=b"\0binary\xff\n",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, b"\0binary\xff\nb c\n"), done.stderr
