"""What commands need to reach out is there while they run, and nowhere afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.errors import ConfigError, ImageError, StepFailed
from bootsmith.host.namespaces import namespace_support
from bootsmith.host.sandbox.process import SandboxProcess
from bootsmith.model.digest import Digest
from bootsmith.model.guest_command import GuestCommand
from bootsmith.model.guest_path import guest_path
from bootsmith.pipeline.build_access import BuildAccess, GuardedExecutor, build_access
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sandbox.namespace import NamespaceExecutor
from bootsmith.store.blobs import Store
from bootsmith.tree.layer import Layer
from tests.support.host_programs import host_programs_tree
from tests.support.judges import unavailable

SECRET = "t0p-s3cret-t0ken"
STEP = Digest.of(b"a step")


class Guarded:
    def __init__(self, folder: Path, **build: Any) -> None:
        support = namespace_support()
        if support.kind == "none":
            unavailable(f"no sandbox with namespaces: {support.reason}")
        self.folder = folder
        self.store = Store(folder / "store")
        config = parse_config({"build": build}, origin="x")
        self.access = build_access(config, store=self.store, base=folder)
        self.printed: list[bytes] = []
        self.executor = GuardedExecutor(
            executor=NamespaceExecutor(
                start=partial(SandboxProcess, folder / "store/work"), kind=support.kind
            ),
            access=self.access,
        )

    def run(self, script: str) -> Layer:
        command = GuestCommand(
            argv=("/bin/sh", "-c", script), label=script, env={"PATH": "/usr/bin:/bin"}
        )
        return self.executor.run(
            host_programs_tree(),
            SandboxJob(commands=(command,)),
            blobs=self.store,
            on_output=lambda _, line: self.printed.append(line),
        ).layer

    def places_with(self, text: bytes) -> list[Path]:
        return [
            path for path in files_below(self.folder / "store") if path.read_bytes().count(text)
        ]


def files_below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where) / name for name in names)


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    (tmp_path / "netrc").write_text(f"machine x password {SECRET}\n")
    return Guarded(
        tmp_path,
        env={
            "TOKEN": SECRET,
            "INDEX": f"https://me:{SECRET}@index.example/simple",
            "CERT": "/etc/ca",
        },
        files=[{"src": "netrc", "dest": "/root/.netrc"}],
    )


def test_commands_have_it_and_nothing_keeps_it(guarded: Guarded) -> None:
    layer = guarded.run('echo "$TOKEN" "$INDEX" "$CERT"; cat /root/.netrc; echo "$CERT" >/etc/note')
    assert guarded.printed == [b"*** https://***index.example/simple /etc/ca", b"***"]
    paths = [member.path for member in layer.members]
    assert guest_path("etc/note") in paths
    assert guest_path("root/.netrc") not in paths
    assert guarded.places_with(SECRET.encode()) == []
    assert guarded.places_with(b"/etc/ca")  # the search itself finds what is there


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "field"),
    [
        ('echo "token=$TOKEN" >/etc/rc', "build.env.TOKEN"),
        ("dd if=/dev/zero of=/etc/x bs=1000000 count=3; echo $TOKEN >>/etc/x", "build.env.TOKEN"),
        ('ln -s "$TOKEN" /etc/link', "build.env.TOKEN"),
        ('echo "$INDEX" >/etc/pip.conf', "build.env"),
        ("cp /root/.netrc /root/copy", "build.env.TOKEN"),
    ],
)
def test_a_layer_with_a_secret_is_refused_and_not_kept(
    guarded: Guarded, script: str, field: str
) -> None:
    with pytest.raises(ImageError, match="a command left the value of") as caught:
        guarded.run(script)
    assert field in str(caught.value)
    assert guarded.places_with(SECRET.encode()) == []


def test_a_command_that_fails_tells_no_secret(guarded: Guarded) -> None:
    with pytest.raises(StepFailed) as caught:
        guarded.run('echo "cannot reach $INDEX"; exit 3')
    assert "cannot reach https://***index" in caught.value.output_tail
    assert SECRET not in f"{caught.value}{caught.value.output_tail}"
    assert caught.value.exit_code == 3


def test_a_layer_s_name_depends_on_it_and_tells_nothing(tmp_path: Path) -> None:
    one = Guarded(tmp_path, env={"TOKEN": "1"}).access
    two = Guarded(tmp_path, env={"TOKEN": "2"}).access
    elsewhere = Guarded(tmp_path / "elsewhere", env={"TOKEN": "1"}).access
    names = {access.layer_id(STEP) for access in (one, two, elsewhere, BuildAccess())}
    assert len(names) == 4
    assert BuildAccess().layer_id(STEP) == STEP
    assert Guarded(tmp_path, env={"TOKEN": "1"}).access.layer_id(STEP) == one.layer_id(STEP)
    assert (tmp_path / "store/secret.key").stat().st_mode & 0o777 == 0o600
    assert one.key.hex() not in repr(one)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Guarded(tmp_path, files=[{"src": "nothing", "dest": "/x"}])
    assert [problem.pointer for problem in caught.value.problems] == ["build.files[0].src"]
