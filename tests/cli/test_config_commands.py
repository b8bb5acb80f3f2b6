"""Starting a config, checking it in an editor, and lending variables to a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootsmith.config.preset_files import DEFAULT_PRESET, preset_names, preset_text
from bootsmith.config.schema_file import schema_text
from tests.support.debian_images import bootsmith


def test_the_schema_is_printed_as_it_is_published() -> None:
    assert bootsmith("schema").stdout.decode() == schema_text()


@pytest.mark.parametrize("name", preset_names())
def test_any_preset_is_printed_to_start_from(name: str) -> None:
    done = bootsmith("build", "--init-config", "--preset", name)
    assert done.stdout.decode() == preset_text(name)


def test_the_default_preset_is_printed_without_a_name() -> None:
    assert bootsmith("build", "--init-config").stdout.decode() == preset_text(DEFAULT_PRESET)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path, mark: bytes) -> None:
    config = tmp_path / "my.json"
    config.write_bytes(mark + b'{"distro": "debain", "rootfs": {"sizeMb": "1"}, "hostnmae": "x"}')
    done = bootsmith("build", "--config", config, "--output", tmp_path / "image")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        f"error: {config} has 3 mistakes",
        "  distro: must be alpine or debian, found the text 'debain' (did you mean debian?)",
        "  rootfs.sizeMb: must be a whole number, found the text '1' (write 1 without quotes)",
        "  hostnmae: is not a field of a build config (did you mean hostname?)",
    ]


def test_an_unknown_key_warns_and_fails_when_that_is_wanted(tmp_path: Path) -> None:
    config = tmp_path / "my.json"
    config.write_text(json.dumps({"hostnmae": "x", "oci": {"image": "debian:12"}}))
    words = ("build", "--config", config, "--output", tmp_path / "image")
    lenient, strict = bootsmith(*words), bootsmith(*words, "--strict")
    assert b"warning:" in lenient.stderr
    assert b"OCI images cannot be built from yet" in lenient.stderr
    assert b"hostnmae: is not a field" in strict.stderr
    assert b"OCI" not in strict.stderr


def test_a_doubtful_variable_warns_and_fails_when_that_is_wanted(tmp_path: Path) -> None:
    config = tmp_path / "my.json"
    config.write_text(json.dumps({"env": ["A", "B=1", "B=2"], "oci": {"image": "debian:12"}}))
    words = ("build", "--config", config, "--output", tmp_path / "image")
    lenient, strict = bootsmith(*words), bootsmith(*words, "--strict")
    for place in (b"env[0]: A has no value", b"env[2]: B is set twice"):
        assert b"warning: %s: %s" % (bytes(config), place) in lenient.stderr.replace(b"\n", b" ")
        assert place in strict.stderr
    assert b"OCI images cannot be built from yet" in lenient.stderr
    assert strict.returncode == 2
    assert b"OCI" not in strict.stderr


def test_a_variable_to_lend_must_be_there(tmp_path: Path) -> None:
    words = ("build", "--output", tmp_path / "image")
    done = bootsmith(*words, "--build-env", "NOT_SET_ANYWHERE", "--build-env", "TOKEN=secret1")
    assert done.returncode == 2
    assert b"NOT_SET_ANYWHERE is not set" in done.stderr
    assert b"takes the name of a variable" in done.stderr
    assert b"secret1" not in done.stderr
