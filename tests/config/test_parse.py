"""Configs: good rows load, bad rows name every mistake."""

from __future__ import annotations

from typing import Any

import pytest

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.parse import parse_config
from bootsmith.config.preset_files import preset_names, preset_text
from bootsmith.config.text import parse_text
from bootsmith.config.unknown_keys import unknown_key_problems
from bootsmith.errors import ConfigError
from bootsmith.model.arch import Arch


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_without_a_word(name: str) -> None:
    fields = parse_text(preset_text(name), origin=name)
    parse_config(fields, origin=name, strict=True)


def test_an_unknown_preset_tells_which_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        preset_text("debain")
    assert caught.value.hint == "did you mean debian?"


def test_the_empty_config_is_the_default() -> None:
    assert parse_config({}, origin="nothing") == BuildConfig()


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


def test_toml_is_taken_too() -> None:
    assert parse_text('[debian]\nsuite = "trixie"', origin="a.toml") == {
        "debian": {"suite": "trixie"}
    }


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"arch": "mips"}, "arch", "x86_64, aarch64"),
    ({"distro": "slackware"}, "distro", "slackware"),
    ({"env": ["NOVALUE"]}, "env[0]", "NAME=value"),
    ({"env": {"1A": "x"}}, "env.1A", "1A"),
    ({"env": {"IFS": "/"}}, "env.IFS", "belongs to the shell"),
    ({"env": {"A": "\ud800"}}, "env.A", "no character"),
    ({"init": {"rootfsInit": ""}}, "init.rootfsInit", "not a path"),
    ({"debian": {"keys": ["a\0b"]}}, "debian.keys[0]", "not a path"),
    ({"rootfs": {"sizeMb": 0}}, "rootfs.sizeMb", "more than 0"),
    ({"rootfs": {"sizeMb": "big"}}, "rootfs.sizeMb", "big"),
    ({"rootfs": {"label": "x" * 17}}, "rootfs.label", "16 bytes"),
    ({"hostname": "-"}, "hostname", "host name"),
    ({"debian": {"suite": "../x y"}}, "debian.suite", "suite name"),
    ({"debian": {"packages": ["ok", "rm -rf"]}}, "debian.packages[1]", "rm -rf"),
    ({"debian": {"packages": ["libc6:i386"]}}, "debian.packages[0]", "libc6:i386"),
    ({"debian": {"mirror": "ftp.debian.org"}}, "debian.mirror", "address"),
    ({"debian": {"components": ["a b"]}}, "debian.components[0]", "component"),
    ({"kernel": {"package": "!!"}}, "kernel.package", "!!"),
    ({"files": [{"path": "/x", "content": "\ud800"}]}, "files[0].content", "no character"),
    ({"files": [{"path": "etc/x", "content": ""}]}, "files[0].path", "absolute"),
    ({"files": [{"path": "/a/../../x", "content": ""}]}, "files[0].path", ".."),
    ({"files": [{"path": "/a", "content": "", "mode": "0999"}]}, "files[0].mode", "octal"),
    ({"files": [{"path": "/a"}]}, "files[0].content", "must be given"),
    ({"postBuild": {"copy": [{"src": "a", "dest": "b"}]}}, "postBuild.copy[0].dest", "absolute"),
    ({"runtimeDefaults": {"rootfsMode": "x"}}, "runtimeDefaults.rootfsMode", "readonly"),
]


@pytest.mark.parametrize(("fields", "pointer", "says"), BAD, ids=[row[1] for row in BAD])
def test_a_mistake_is_named(fields: dict[str, Any], pointer: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(fields, origin="my.json")
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert says in str(caught.value)


def test_all_mistakes_come_in_one_report() -> None:
    fields: dict[str, Any] = {}
    for row in BAD:
        for key, value in row[0].items():
            if isinstance(value, dict) and isinstance(fields.get(key), dict):
                fields[key] = {**fields[key], **value}
            else:
                fields.setdefault(key, value)
    with pytest.raises(ConfigError) as caught:
        parse_config(fields, origin="my.json")
    assert len(caught.value.problems) >= len({row[1].partition(".")[0] for row in BAD}) - 1
    assert "mistakes" in str(caught.value)


def test_unknown_keys_are_told_with_the_nearest_known_one() -> None:
    problems = unknown_key_problems({"debian": {"pakages": []}, "$schema": "x"})
    assert [str(problem) for problem in problems] == [
        "debian.pakages: is not a field of a build config (did you mean packages?)"
    ]


@pytest.mark.parametrize(
    ("text", "origin", "says"),
    [
        ("[" * 100_000, "a.json", "cannot be read"),
        ("{,}", "a.json", "line 1, column 2"),
        ("a =", "a.toml", "Invalid value"),
        ("[]", "a.json", "a list"),
    ],
)
def test_a_text_that_is_no_config(text: str, origin: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_text(text, origin=origin)


def test_a_config_comes_back_from_its_json() -> None:
    config = parse_config(
        {"arch": "x86_64", "files": [{"path": "/a", "content": "x", "mode": "4755"}]}, origin="x"
    )
    assert config.as_json()["files"] == [{"path": "/a", "content": "x", "mode": "4755"}]
    assert parse_config(config.as_json(), origin="x") == config
