"""Every example loads without a word, and is planned or built and started."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.idle_parts import idle_part_problems
from bootsmith.config.parse import parse_config
from bootsmith.config.text import parse_text
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.plan.alpine import BASE, ApkChoice, resolve_alpine
from bootsmith.plan.lock import Lock
from bootsmith.sources.alpine.mirror import ALPINE
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import SigningKey, apk, index, signed_index
from tests.support.debian_images import CHECKOUT, bootsmith, build
from tests.support.judges import require
from tests.support.pip_access import pip_access

EXAMPLES = CHECKOUT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
UPSTREAM = Path(
    os.environ.get("BOOTSMITH_GONDOLIN_CONFIGS", CHECKOUT.parent / "shared/data/gondolin-configs")
)
UPSTREAM_NAMES = (
    "alpine-base", "chromium", "docker", "gondolin-in-gondolin", "llm", "minimal", "oci-debian",
    "oci-distroless-nodejs24",
)  # fmt: skip


def fields_of(path: Path) -> dict[str, Any]:
    return parse_text(path.read_text("utf-8"), origin=path.name)


def loaded(path: Path) -> BuildConfig:
    fields = fields_of(path)
    config = parse_config(fields, origin=path.name, strict=True)
    assert not list(idle_part_problems(fields, config))
    return config


def planned(config: BuildConfig, folder: Path) -> Lock:
    """The lock from a repository with empty packages of just the names that are asked for."""
    arch = config.arch or Arch.X86_64
    alpine = config.alpine
    names = {*BASE, *alpine.rootfs_packages, *alpine.initramfs_packages, alpine.kernel_package}
    key = SigningKey.generate()
    branch = f"v{alpine.version.rpartition('.')[0]}"
    indexes = {
        f"{branch}/main/{arch.apk}/APKINDEX.tar.gz": [
            apk(name=name, arch=arch.apk) for name in sorted(names)
        ],
        f"{branch}/community/{arch.apk}/APKINDEX.tar.gz": [],
    }

    class Mirror:
        def fresh(self, path: str) -> bytes:
            return signed_index(index(indexes[path]), key=key)

    def take_in(chosen: Sequence[ApkChoice]) -> list[Descriptor]:
        return [Descriptor(digest=Digest.of(one.path.encode()), size_bytes=1) for one in chosen]

    return resolve_alpine(
        config,
        arch,
        fetchers={ALPINE: Mirror()},
        store=Store(folder),
        keyring=Keyring({key.name: key.public}),
        take_in=take_in,
        allow_unsigned=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_without_a_word(name: str) -> None:
    loaded(EXAMPLES / f"{name}.json")


@pytest.mark.parametrize("name", ["minimal", "llm", "node", "oci-debian"])
def test_an_alpine_example_is_planned(name: str, tmp_path: Path) -> None:
    config = loaded(EXAMPLES / f"{name}.json")
    lock = planned(config, tmp_path)
    assert {package.name for package in lock.packages} == {*BASE, *config.alpine.rootfs_packages}
    assert lock.kernel.name == "linux-virt"


@pytest.mark.parametrize("name", UPSTREAM_NAMES)
def test_gondolins_own_examples_load_and_are_planned(name: str, tmp_path: Path) -> None:
    path = UPSTREAM / f"upstream-{name}.json"
    if not path.exists():
        pytest.skip("Gondolin's own configs (shared/data/gondolin-configs) are not here")
    config = loaded(path)
    lock = planned(config, tmp_path)
    assert {package.name for package in lock.packages} == {*BASE, *config.alpine.rootfs_packages}
    assert lock.arch is (config.arch or Arch.X86_64)


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
