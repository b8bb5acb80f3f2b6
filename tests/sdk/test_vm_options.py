"""What a machine cannot be given is told before anything is started, from Python too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bootsmith import Share, VMOptions
from bootsmith.errors import ConfigError
from bootsmith.sdk.boot_files import files_of_folder
from bootsmith.sdk.option_checks import require_ports
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import machine_spec
from bootsmith.vm.machine import DiskMode
from tests.support.stored_images import change_manifest, write_small_image

GOOD: list[dict[str, Any]] = [
    {},
    {"cpus": 1, "memory_mib": 64},
    {"cpus": 255, "memory_mib": 1 << 20},
    {"rootfs_mode": "cow", "rootfs_size_bytes": 16 << 40},
    {"boot_timeout_s": 0.5, "console_log": "console.txt"},
    {"boot_timeout_s": 600, "console_log": Path("console.txt")},
    {"mounts": [Share(host_folder=Path(), guest_folder=place) for place in ("/a", "/a/b")]},
    {"boot_args": ["quiet", 'a="b c"']},
]  # fmt: skip

BAD: list[tuple[str, object, str]] = [
    ("cpus", 0, "between 1 and 255, found 0"),
    ("cpus", 256, "between 1 and 255, found 256"),
    ("cpus", 1.5, "a whole number, found 1.5"),
    ("cpus", True, "a whole number, found True"),
    ("cpus", "2", "write 2 without quotes"),
    ("memory_mib", 0, "between 64 and 1048576 (MiB), found 0"),
    ("memory_mib", -1024, "found -1024"),
    ("memory_mib", None, "a whole number (MiB), found None"),
    ("memory_mib", "2G", "a whole number (MiB), found '2G'"),
    ("memory_mib", 1 << 30, "found 1073741824"),
    ("network", "user", "True or False, found 'user'"),
    ("acceleration", "hvm", "auto, kvm, hvf or tcg, found 'hvm' (did you mean kvm?)"),
    ("acceleration", None, "found None"),
    ("rootfs_mode", "CoW", "readonly, memory or cow, found 'CoW' (did you mean cow?)"),
    ("rootfs_mode", "writable", "found 'writable'"),
    ("rootfs_size_bytes", 0, "found 0"),
    ("rootfs_size_bytes", 1000, "a multiple of 512, found 1000 (write 1024)"),
    ("rootfs_size_bytes", (16 << 40) + 512, "between 512 and 17592186044416"),
    ("rootfs_size_bytes", "4G", "found '4G'"),
    ("mounts", "./src:/work", "a tuple of Share, found './src:/work'"),
    ("mounts", Share(host_folder="a", guest_folder="/b"), "write (Share(…),)"),
    ("mounts", ("./src:/work",), "mounts[0]: must be a Share, found './src:/work'"),
    ("mounts", (Share(host_folder="a", guest_folder="work"),), "mounts[0].guest_folder: "),
    ("mounts", (Share(host_folder="a", guest_folder="/"),), "cannot be shared at '/'"),
    ("mounts", (Share(host_folder="a", guest_folder="/usr"),), "what the guest runs on"),
    ("mounts", (Share(host_folder="a", guest_folder="/a/../b"),), "absolute path"),
    ("mounts", (Share(host_folder="a", guest_folder="/a b"),), "without blanks"),
    ("mounts", (Share(host_folder="", guest_folder="/b"),), "mounts[0].host_folder: "),
    ("mounts", (Share(host_folder="a\0b", guest_folder="/b"),), "mounts[0].host_folder: "),
    (
        "mounts",
        [Share(host_folder="a", guest_folder=place) for place in ("/w", "/./w/")],
        "/w is the place of 2 folders",
    ),
    ("boot_args", "quiet", "a tuple of texts, found 'quiet' (write ('quiet',))"),
    ("boot_args", ("a", "b\nc"), "boot_args[1]: must be a text without line breaks"),
    ("boot_args", (1,), "boot_args[0]: "),
    ("boot_timeout_s", 0, "a number of seconds above 0, found 0"),
    ("boot_timeout_s", -1.0, "found -1.0"),
    ("boot_timeout_s", math.nan, "found nan"),
    ("boot_timeout_s", math.inf, "found inf"),
    ("boot_timeout_s", "30", "found '30'"),
    ("console_log", 1, "the path of a file, found 1"),
    ("console_log", "", "the path of a file"),
]


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_what_a_machine_can_have(values: dict[str, Any]) -> None:
    made = VMOptions(**values)
    assert all(getattr(made, name) == value for name, value in values.items())


@pytest.mark.parametrize(("name", "value", "says"), BAD)
def test_what_no_machine_can_have(name: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        VMOptions(**{name: value})  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert {problem.pointer.partition("[")[0] for problem in caught.value.problems} == {name}
    assert caught.value.hint


def test_all_mistakes_come_in_one_report() -> None:
    with pytest.raises(ConfigError) as caught:
        VMOptions(cpus=0, memory_mib=1, rootfs_mode="none")  # type: ignore[arg-type]
    assert [problem.pointer for problem in caught.value.problems] == [
        "cpus", "memory_mib", "rootfs_mode",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["readonly", "memory"])
def test_only_a_copy_on_write_root_grows_or_is_resumed(tmp_path: Path, mode: str) -> None:
    write_small_image(tmp_path / "image")
    change_manifest(tmp_path / "image", runtimeDefaults={"rootfsMode": mode})
    files = files_of_folder(tmp_path / "image")
    grown = VMOptions(rootfs_size_bytes=1 << 30)
    with pytest.raises(ConfigError, match="rootfs_size_bytes: goes with the root mode cow") as one:
        machine_spec(files, grown)
    assert mode in str(one.value)
    with pytest.raises(ConfigError, match="checkpoint: goes with"):
        machine_spec(files, VMOptions(), checkpoint=tmp_path / "saved")
    assert machine_spec(files, VMOptions()).drives[0].mode is DiskMode(mode)
    wanted = VMOptions(rootfs_size_bytes=1 << 30, rootfs_mode="cow")
    assert machine_spec(files, wanted).drives[0].size_bytes == 1 << 30


@pytest.mark.parametrize("image", [123, b"folder", ["a"], object()])
def test_what_is_no_image_at_all(image: Any) -> None:
    with pytest.raises(ConfigError, match="neither an image nor a config"):
        VM(image)


@pytest.mark.parametrize("port", [0, -1, 65_536, "22", None, True])
def test_ports_that_are_none(port: Any) -> None:
    with pytest.raises(ConfigError, match="guest_port: must be"):
        require_ports(port, 0)
    if port != 0 or port is False:
        with pytest.raises(ConfigError, match="host_port: must be"):
            require_ports(22, port)
    require_ports(65_535, 0)


def test_options_that_are_no_options(tmp_path: Path) -> None:
    write_small_image(tmp_path / "image")
    with pytest.raises(ConfigError, match=r"options.*VMOptions.*found \{'memory_mib': 512\}"):
        VM(tmp_path / "image", options={"memory_mib": 512})  # type: ignore[arg-type]
