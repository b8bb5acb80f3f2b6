"""``exec``, ``run``, ``bash`` and ``snapshot``: what is refused before anything boots."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bootsmith.cli.exec import command as exec_command
from bootsmith.cli.machine_options import machine_options
from bootsmith.cli.run import command as run_command
from bootsmith.cli.snapshot import command as snapshot_command
from bootsmith.errors import ConfigError
from bootsmith.sdk.vm_options import VMOptions
from bootsmith.vm.machine import Share


def refused(*words: str) -> str:
    result = CliRunner().invoke(exec_command, words, prog_name="bootsmith exec")
    assert result.exit_code == 2, result.output
    return result.output


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ((), "bootsmith exec -- uname -a"),
        (("--",), "bootsmith exec -- uname -a"),
        (("uname", "-a"), "bootsmith exec -- uname -a"),
        (("./image",), "bootsmith exec ./image -- uname -a"),
        (("./image", "ls", "-l", "a b"), "bootsmith exec ./image -- ls -l 'a b'"),
        (("--cpus", "2", "ls"), "bootsmith exec --cpus 2 -- ls"),
        (("-v", "ls"), "bootsmith exec -v -- ls"),
    ],
)
def test_a_command_in_the_wrong_place(words: tuple[str, ...], advice: str) -> None:
    assert f"as in: {advice}\n" in refused(*words)


def test_a_mistyped_option_is_told_before_the_command_that_seems_to_be_missing() -> None:
    assert "did you mean '--memory'" in refused("--memroy", "512", "uname").lower()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--boot-timeout", "nan"),
        ("--boot-timeout", "inf"),
        ("--boot-timeout", "0"),
        ("--boot-timeout", "soon"),
        ("--rootfs-size", "4"),
        ("--rootfs-size", "-1G"),
        ("--rootfs-size", "1.5G"),
        ("--mount", "folder"),
        ("--mount", ":/work"),
        ("--mount", "./a:b"),
        ("--mount", "./a:/b:or"),
        ("--mount", "./a:/b:RO"),
        ("--mount", "./a:/b:"),
        ("--mount", "./a:/b:ro:ro"),
        ("--memory", "63"),
        ("--memory", "63M"),
        ("--memory", "2 G"),
        ("--cpus", "0"),
        ("--cpus", "256"),
        ("--cpus", "two"),
        ("--env", "=x"),
        ("--env", "x"),
    ],
)
def test_bad_values(option: str, value: str) -> None:
    said = refused("/nowhere", option, value, "--", "true")
    assert option in said
    assert value in said


def options_of(*words: str) -> VMOptions:
    seen: list[VMOptions] = []

    @click.command()
    @machine_options
    def show(options: VMOptions) -> int:
        seen.append(options)
        return 0

    result = CliRunner().invoke(show, words)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_the_defaults_are_those_of_the_library() -> None:
    assert options_of() == VMOptions()


@pytest.mark.parametrize(("word", "mib"), [("64", 64), ("512M", 512), ("2g", 2048)])
def test_memory(word: str, mib: int) -> None:
    assert options_of("--memory", word).memory_mib == mib


def test_values() -> None:
    options = options_of(
        *("--mount", "./a:b:/guest/x", "--mount", "/src:/work:ro", "--mount", "/src:/own:rw"),
        *("--rootfs-size", "4g", "--boot-timeout", "2.5", "--append", "quiet", "--no-network"),
    )
    assert options.mounts == (
        Share(host_folder=Path("./a:b"), guest_folder="/guest/x"),
        Share(host_folder=Path("/src"), guest_folder="/work", readonly=True),
        Share(host_folder=Path("/src"), guest_folder="/own"),
    )
    assert (options.rootfs_size_bytes, options.boot_timeout_s) == (4 << 30, 2.5)
    assert (options.boot_args, options.network) == (("quiet",), False)


def test_a_snapshot_replaces_no_file_of_another_kind(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for output, says in ((precious, "no checkpoint"), (tmp_path / "no" / "where", "exist")):
        result = CliRunner().invoke(snapshot_command, ["-o", str(output), "--", "true"])
        assert isinstance(result.exception, ConfigError)
        assert says in str(result.exception)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("command", [exec_command, run_command], ids=["exec", "run"])
def test_a_terminal_is_needed_for_tty(command: click.Command) -> None:
    result = CliRunner().invoke(command, ["--tty", "--", "true"])
    assert isinstance(result.exception, ConfigError)
    assert "terminal" in str(result.exception)
