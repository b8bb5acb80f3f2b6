"""Configs: good rows load, bad rows name every mistake."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.idle_parts import idle_part_problems
from bootsmith.config.parse import doubtful_problems, parse_config
from bootsmith.config.preset_files import preset_names, preset_text
from bootsmith.config.text import parse_text
from bootsmith.config.unknown_keys import unknown_key_problems
from bootsmith.errors import ConfigError
from bootsmith.model.arch import Arch
from tests.support.ssh_keys import PUBLIC_KEYS


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_without_a_word(name: str) -> None:
    fields = parse_text(preset_text(name), origin=name)
    config = parse_config(fields, origin=name, strict=True)
    assert not list(idle_part_problems(fields, config))


def test_an_unknown_preset_tells_which_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        preset_text("debain")
    assert caught.value.hint == "did you mean debian?"


def test_the_empty_config_is_the_default() -> None:
    assert parse_config({}, origin="nothing") == BuildConfig()


@pytest.mark.parametrize(
    ("fields", "distro"),
    [
        ({}, "debian"),
        ({"alpine": {}}, "alpine"),
        ({"oci": {"image": "debian:12"}}, "alpine"),
        ({"alpine": {}, "debian": {}}, "debian"),
        ({"distro": "alpine", "debian": {}}, "alpine"),
    ],
)
def test_a_distribution_left_out_is_the_one_that_is_spoken_of(
    fields: dict[str, Any], distro: str
) -> None:
    assert parse_config(fields, origin="x").distro == distro


@pytest.mark.parametrize(
    ("name", "arch"),
    [("x86_64", Arch.X86_64), ("amd64", Arch.X86_64), ("arm64", Arch.AARCH64)],
)
def test_any_known_name_of_an_architecture_is_taken(name: str, arch: Arch) -> None:
    assert parse_config({"arch": name}, origin="x").arch is arch


def test_env_may_be_an_object_or_a_list() -> None:
    as_object = parse_config({"env": {"B": "2", "A": "1=1"}}, origin="x")
    as_list = parse_config({"env": ["B=2", "A=1=1"]}, origin="x")
    assert as_object == as_list
    assert list(as_object.env) == ["A", "B"]


NO_VALUE = '{}: A has no value, and is set to nothing (write "A=" if that is meant{})'
TWICE = "{}: A is set twice, and this value counts (remove {})"
LOOSE: list[tuple[dict[str, Any], dict[str, str], list[str]]] = [
    ({"env": ["A"]}, {"A": ""}, [NO_VALUE.format("env[0]", "")]),
    (
        {"env": ["A=1", "B=", "A=2"]},
        {"A": "2", "B": ""},
        [TWICE.format("env[2]", "env[0]")],
    ),
    (
        {"env": ["A=1", "A"]},
        {"A": ""},
        [NO_VALUE.format("env[1]", ""), TWICE.format("env[1]", "env[0]")],
    ),
    (
        {"build": {"env": ["A"]}},
        {},
        [NO_VALUE.format("build.env[0]", ", or pass yours on with --build-env")],
    ),
]


@pytest.mark.parametrize(("fields", "env", "told"), LOOSE)
def test_a_list_of_variables_is_read_as_gondolin_reads_it_and_what_is_doubtful_is_told(
    fields: dict[str, Any], env: dict[str, str], told: list[str]
) -> None:
    config = parse_config(fields, origin="x")
    assert config.env == env
    assert [str(problem) for problem in doubtful_problems(fields)] == told
    with pytest.raises(ConfigError) as caught:
        parse_config(fields, origin="x", strict=True)
    assert [str(problem) for problem in caught.value.problems] == told


def test_a_value_that_does_not_count_may_be_wrong_and_one_that_counts_may_not() -> None:
    assert parse_config({"env": ["A=\0", "A=1"]}, origin="x").env == {"A": "1"}
    with pytest.raises(ConfigError, match="NUL"):
        parse_config({"env": ["A=1", "A=\0"]}, origin="x")


def test_a_whole_number_may_have_a_point() -> None:
    assert parse_config({"rootfs": {"sizeMb": 40.0}}, origin="x").rootfs.size_mb == 40


def test_a_minirootfs_may_be_its_path_or_an_object() -> None:
    as_text = parse_config({"alpine": {"minirootfs": "a.tar"}}, origin="x")
    as_object = parse_config({"alpine": {"minirootfs": {"source": "a.tar"}}}, origin="x")
    assert as_text == as_object
    assert parse_config(as_text.as_json(), origin="x") == as_text


def test_an_output_may_be_a_name_or_an_object() -> None:
    assert parse_config({"outputs": ["ext4"]}, origin="x") == parse_config(
        {"outputs": [{"format": "ext4"}]}, origin="x"
    )


@pytest.mark.parametrize("key", PUBLIC_KEYS, ids=range(len(PUBLIC_KEYS)))
def test_keys_of_every_kind_are_taken(key: str) -> None:
    config = parse_config({"ssh": {"keys": [f"  {key}\n"]}}, origin="x")
    assert config.ssh is not None
    assert config.ssh.keys == (key,)


HALF_A_PAIR = "\ud800"
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"arch": "mips"}, "arch", "x86_64, aarch64"),
    ({"arch": 5}, "arch", "x86_64 or aarch64"),
    ({"distro": "debain"}, "distro", "did you mean debian?"),
    ({"env": ["A=1", 5]}, "env[1]", "NAME=value"),
    ({"env": ["=1"]}, "env[0]", "not a name"),
    ({"env": {"1A": "x"}}, "env.1A", "1A"),
    ({"env": {"A": 1}}, "env.A", "in quotes"),
    ({"env": {"IFS": "/"}}, "env.IFS", "belongs to the shell"),
    ({"env": {"A": HALF_A_PAIR}}, "env.A", "no character"),
    ({"env": "A=1"}, "env", "an object, or a list"),
    ({"hostname": "-"}, "hostname", "host name"),
    ({"alpine": {"version": 3.2}}, "alpine.version", 'write it in quotes: "3.2"'),
    ({"alpine": {"version": "three"}}, "alpine.version", "3.23.0, or edge"),
    ({"alpine": {"branch": "3.23"}}, "alpine.branch", "v3.23"),
    ({"alpine": {"rootfsPackages": ["a b"]}}, "alpine.rootfsPackages[0]", "nodejs~22"),
    ({"alpine": {"rootfsPackages": "bash"}}, "alpine.rootfsPackages", 'write ["bash"]'),
    ({"alpine": {"repositories": ["../x"]}}, "alpine.repositories[0]", "edge/testing"),
    ({"alpine": {"kernelImage": "../vmlinuz"}}, "alpine.kernelImage", "in /boot"),
    (
        {"alpine": {"minirootfs": "https://example.org/a.tar.gz"}},
        "alpine.minirootfs.sha256",
        "nobody signs",
    ),
    (
        {"alpine": {"minirootfs": {"source": "file:///a.tar"}}},
        "alpine.minirootfs.sha256",
        "must be given with an address",
    ),
    (
        {"alpine": {"minirootfs": {"source": "https://a:b@c.org/x", "sha256": "0" * 64}}},
        "alpine.minirootfs.source",
        "password",
    ),
    (
        {"alpine": {"minirootfs": "ftp://example.org/a.tar"}},
        "alpine.minirootfs.source",
        "neither a path nor",
    ),
    ({"alpine": {"minirootfs": ""}}, "alpine.minirootfs.source", "not a path"),
    ({"alpine": {"minirootfs": {"sha256": "0" * 64}}}, "alpine.minirootfs.source", "must be given"),
    (
        {"alpine": {"minirootfs": {"source": "a.tar", "sha256": "A" * 64}}},
        "alpine.minirootfs.sha256",
        "64 hexadecimal digits",
    ),
    ({"alpine": {"minirootfs": 5}}, "alpine.minirootfs", "a path, or an object"),
    ({"alpine": {"krunfwVersion": "5"}}, "alpine.krunfwVersion", "v5.2.1"),
    ({"debian": {"suite": "../x y"}}, "debian.suite", "suite name"),
    ({"debian": {"updates": "yes"}}, "debian.updates", "write true without quotes"),
    ({"debian": {"packages": ["ok", "rm -rf"]}}, "debian.packages[1]", "rm -rf"),
    ({"debian": {"packages": ["libc6:i386"]}}, "debian.packages[0]", "libc6:i386"),
    ({"debian": {"mirror": "ftp.debian.org"}}, "debian.mirror", "address"),
    ({"debian": {"mirror": "http://me:secret@ftp.debian.org/debian"}}, "debian.mirror", "password"),
    ({"alpine": {"mirror": "https://me@example.org"}}, "alpine.mirror", "password"),
    ({"alpine": {"repositories": ["@t http://a:b@c.org/x"]}}, "alpine.repositories[0]", "password"),
    ({"debian": {"components": ["a b"]}}, "debian.components[0]", "component"),
    ({"debian": {"keys": ["a\0b"]}}, "debian.keys[0]", "not a path"),
    ({"oci": {}}, "oci.image", "must be given"),
    ({"oci": {"image": "x", "pullPolicy": "allways"}}, "oci.pullPolicy", "did you mean always?"),
    ({"kernel": {"package": "!!"}}, "kernel.package", "!!"),
    ({"rootfs": {"sizeMb": 0}}, "rootfs.sizeMb", "at least 1"),
    ({"rootfs": {"sizeMb": True}}, "rootfs.sizeMb", "found true"),
    ({"rootfs": {"sizeMb": "10"}}, "rootfs.sizeMb", "write 10 without quotes"),
    ({"rootfs": {"sizeMb": 1.5}}, "rootfs.sizeMb", "whole number, found the number 1.5"),
    ({"rootfs": {"label": "x" * 17}}, "rootfs.label", "16 bytes"),
    ({"rootfs": None}, "rootfs", "an object, found null"),
    ({"init": {"rootfsInit": ""}}, "init.rootfsInit", "not a path"),
    ({"runtimeDefaults": {"rootfsMode": "x"}}, "runtimeDefaults.rootfsMode", "readonly"),
    ({"postBuild": {"copy": [{"src": "a", "dest": "b"}]}}, "postBuild.copy[0].dest", "absolute"),
    ({"postBuild": {"commands": "ls"}}, "postBuild.commands", 'write ["ls"]'),
    ({"container": {"force": 1}}, "container.force", "true or false, found the number 1"),
    (
        {"container": {"force": True}, "oci": {"image": "x"}},
        "container.force",
        "not possible together with oci",
    ),
    ({"sandboxdPath": ""}, "sandboxdPath", "not a path"),
    ({"files": [{"path": "/x", "content": HALF_A_PAIR}]}, "files[0].content", "no character"),
    ({"files": [{"path": "etc/x", "content": ""}]}, "files[0].path", "absolute"),
    ({"files": [{"path": "/a/../../x", "content": ""}]}, "files[0].path", ".."),
    ({"files": [{"path": "/a", "content": "", "mode": "0999"}]}, "files[0].mode", "octal"),
    ({"files": [{"path": "/a", "content": "", "mode": 755}]}, "files[0].mode", 'write "0755"'),
    ({"files": [{"path": "/a", "content": "", "mode": 420}]}, "files[0].mode", 'or "0644"'),
    ({"files": [{"path": "/a", "content": "", "owner": "a b"}]}, "files[0].owner", "colon"),
    ({"files": [{"path": "/a"}]}, "files[0].content", "must be given"),
    ({"files": [{"path": "/a", "content": ""}] * 2}, "files[1].path", "twice"),
    ({"users": [{"name": "A b"}]}, "users[0].name", "name of a user"),
    ({"users": [{"name": "a"}, {"name": "a"}]}, "users[1].name", "twice"),
    ({"users": [{"name": "a", "uid": 5}, {"name": "b", "uid": 5}]}, "users[1].uid", "twice"),
    ({"users": [{"name": "a", "keys": ["ssh-rsa AAAA"]}]}, "users[0].keys[0]", "cut off"),
    ({"ssh": {"keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}}, "ssh.keys[0]", "private key"),
    ({"ssh": {"keys": ["ssh-dss AAAAB3NzaC1kc3M="]}}, "ssh.keys[0]", "the types are"),
    ({"ssh": {"port": 70000}}, "ssh.port", "at most 65535"),
    ({"build": {"env": {"A": 1}}}, "build.env.A", "in quotes"),
    ({"build": {"files": [{"src": "x", "dest": "y"}]}}, "build.files[0].dest", "absolute"),
    ({"outputs": ["ext5"]}, "outputs[0].format", "did you mean ext4?"),
]


@pytest.mark.parametrize(("fields", "pointer", "says"), BAD, ids=[row[1] for row in BAD])
def test_a_mistake_is_named(fields: dict[str, Any], pointer: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(fields, origin="my.json")
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert says in str(caught.value)
    assert not re.search("tuple|Field required|Input should|valid ", str(caught.value))


def test_a_password_in_place_of_a_hash_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="openssl passwd") as caught:
        parse_config({"ssh": {"passwordHash": "hunter2secret"}}, origin="my.json")
    assert "hunter2" not in str(caught.value)


def test_all_mistakes_come_in_one_report_and_unknown_keys_beside_them() -> None:
    fields = {
        "distro": "slackware",
        "rootfs": {"sizeMb": "x", "lable": "y"},
        "env": ["A", "B"],
        "files": [{"path": "x", "content": 1}],
    }
    with pytest.raises(ConfigError, match="7 mistakes") as caught:
        parse_config(fields, origin="my.json")
    assert sorted(problem.pointer for problem in caught.value.problems) == [
        "distro", "env[0]", "env[1]", "files[0].content", "files[0].path", "rootfs.lable",
        "rootfs.sizeMb",
    ]  # fmt: skip


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"debian": {"pakages": []}}, "debian.pakages: … (did you mean packages?)"),
    ({"alpine": {"kernel_package": "x"}},
     "alpine.kernel_package: … (did you mean kernelPackage?)"),
    ({"rootfsPackages": []}, "rootfsPackages: … (did you mean alpine.rootfsPackages?)"),
    ({"alpine": {"minirootfs": {"source": "a.tar", "sha265": "0"}}},
     "alpine.minirootfs.sha265: … (did you mean sha256?)"),
    ({"alpine": {"minirotfs": "a.tar"}}, "alpine.minirotfs: … (did you mean minirootfs?)"),
    ({"init": {"zzz": 1}},
     "init.zzz: … (the fields of init are rootfsInit, initramfsInit, rootfsInitExtra)"),
    ({"files": [{"path": "/a", "content": "", "$schema": ""}]},
     "files[0].$schema: … (the fields of files[0] are path, content, mode, owner)"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "told"), UNKNOWN)
def test_an_unknown_key_is_told_with_what_was_meant(fields: dict[str, Any], told: str) -> None:
    (problem,) = unknown_key_problems({**fields, "$schema": "x"})
    assert str(problem) == told.replace("…", "is not a field of a build config")
    parse_config(fields, origin="x")
    with pytest.raises(ConfigError):
        parse_config(fields, origin="x", strict=True)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"distro": "debian", "alpine": {}}, "alpine"),
        ({"distro": "alpine", "debian": {}}, "debian"),
        ({"distro": "alpine", "kernel": {"package": "linux-lts"}}, "kernel.package"),
        ({"container": {"force": True}}, "container.force"),
    ],
)
def test_what_has_no_effect_is_told(fields: dict[str, Any], pointer: str) -> None:
    problems = list(idle_part_problems(fields, parse_config(fields, origin="x")))
    assert [problem.pointer for problem in problems] == [pointer]


def test_a_config_comes_back_from_its_json() -> None:
    config = parse_config(
        {"arch": "x86_64", "files": [{"path": "/a", "content": "x", "mode": "4755"}]}, origin="x"
    )
    assert config.as_json()["files"] == [{"path": "/a", "content": "x", "mode": "4755"}]
    assert parse_config(config.as_json(), origin="x") == config


def test_what_is_secret_is_not_in_the_json() -> None:
    hashed = "$6$abcdefgh$" + "x" * 86
    config = parse_config(
        {
            "build": {"env": {"TOKEN": "s3cret"}, "files": [{"src": "netrc", "dest": "/n"}]},
            "ssh": {"passwordHash": hashed},
            "users": [{"name": "dev", "passwordHash": hashed}],
        },
        origin="x",
    )
    assert config.as_json() == {
        "arch": None, "distro": "debian", "ssh": {}, "users": [{"name": "dev"}],
    }  # fmt: skip
