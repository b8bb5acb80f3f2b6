"""Every example loads without a word, and is planned or built and started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.idle_parts import idle_part_problems
from bootsmith.config.parse import parse_config
from bootsmith.config.text import parse_text
from bootsmith.host.namespaces import namespace_support
from bootsmith.plan.alpine import BASE
from bootsmith.sdk.image import Image
from bootsmith.sdk.vm import VM
from tests.examples.planning import planned
from tests.support.alpine_mirrors import generated_mirror
from tests.support.debian_images import CHECKOUT, bootsmith, build
from tests.support.gondolin_configs import small_packages
from tests.support.judges import require, unavailable
from tests.support.pip_access import pip_access

EXAMPLES = CHECKOUT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def fields_of(path: Path) -> dict[str, Any]:
    return parse_text(path.read_text("utf-8"), origin=path.name)


def loaded(path: Path) -> BuildConfig:
    fields = fields_of(path)
    config = parse_config(fields, origin=path.name, strict=True)
    assert not list(idle_part_problems(fields, config))
    return config


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_without_a_word(name: str) -> None:
    loaded(EXAMPLES / f"{name}.json")


@pytest.mark.parametrize("name", ["minimal", "llm", "node", "oci-debian"])
def test_an_alpine_example_is_planned(name: str, tmp_path: Path) -> None:
    config = loaded(EXAMPLES / f"{name}.json")
    lock = planned(config, tmp_path)
    assert {package.name for package in lock.packages} == {*BASE, *config.alpine.rootfs_packages}
    assert lock.kernel.name == "linux-virt"


@pytest.mark.slow
def test_an_image_of_oci_is_refused_before_any_work(tmp_path: Path) -> None:
    done = bootsmith(
        "build", "--config", EXAMPLES / "oci-debian.json", "--output", tmp_path / "image",
        env={"BOOTSMITH_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 2
    assert b"oci: OCI images cannot be built from yet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def started(config: Path, output: Path, *command: str) -> str:
    """What ``command`` prints in a guest of the image that ``config`` describes."""
    require("qemu-system-x86_64")
    build(output, "--config", config, "--strict", "--arch", "x86_64")
    done = bootsmith("exec", output, "--", *command)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.network  # where Debian's kernel is not cached yet
@pytest.mark.boot
@pytest.mark.parametrize(
    ("name", "command", "says"),
    [
        ("minimal", "uname -s", "Linux\n"),
        ("llm", "llm --help; llm-anthropic", "llm --help\nllm-anthropic \n"),
        ("node", "cowsay hello", "cowsay hello\n"),
    ],
)
def test_an_alpine_example_is_built_and_started(
    name: str, command: str, says: str, tmp_path: Path
) -> None:
    """From a repository made on the spot, whose pip and npm leave a program for each name."""
    require("qemu-system-x86_64")
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    fields = fields_of(EXAMPLES / f"{name}.json")
    packages = small_packages(fields["alpine"]["rootfsPackages"])
    with generated_mirror(tmp_path / "mirror", community=packages) as mirror:
        env = {"BOOTSMITH_CACHE_DIR": str(tmp_path / "store")}
        config = mirror.adapted(fields)
        build(tmp_path / "image", "-c", config, "--strict", "--arch", "x86_64", env=env)
    with VM(Image.open(tmp_path / "image")) as vm:
        assert vm.exec(command).stdout == says


@pytest.mark.network
@pytest.mark.boot
def test_init_extra_is_read_before_the_agent(tmp_path: Path) -> None:
    said = started(
        EXAMPLES / "init-extra.json", tmp_path / "image", "sh", "-c",
        'echo "$STARTED_BY"; cat /run/started',
    )  # fmt: skip
    assert said == "bootsmith and init-extra.sh\nby bootsmith and init-extra.sh\n"


@pytest.mark.network
@pytest.mark.boot
def test_a_python_program_runs_as_its_user(tmp_path: Path) -> None:
    said = started(
        EXAMPLES / "python.json", tmp_path / "image", "su", "app", "-c",
        "$APP_PYTHON -m greeting; id -u",
    )  # fmt: skip
    assert said == "hello from app\n1500\n"


@pytest.mark.network
@pytest.mark.boot
def test_llm_is_installed_in_the_build_behind_this_machines_index(tmp_path: Path) -> None:
    secret = "t0p-s3cret-t0ken-of-this-test"
    access = pip_access()
    fields = fields_of(EXAMPLES / "llm-debian.json")
    fields["build"] = {**access, "env": {**access["env"], "TOKEN": secret}}
    config = tmp_path / "llm.json"
    config.write_text(json.dumps(fields))
    output = tmp_path / "image"
    said = started(config, output, "llm", "--help")
    assert "Access Large Language Models from the command-line" in said
    for path in output.iterdir():
        assert not path.read_bytes().count(secret.encode()), path
    assert "build" not in json.loads((output / "manifest.json").read_text())["config"]
