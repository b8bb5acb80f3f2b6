"""A package tells of itself what its index tells."""

from __future__ import annotations

from pathlib import Path

from bootsmith.host.files import FileSource
from bootsmith.model.streams import BytesSource
from bootsmith.sources.alpine.apk import open_apk
from bootsmith.sources.alpine.description import described
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.store.blobs import Store
from tests.support.alpine_repository import apk
from tests.support.real_alpine import real_repository, real_universe


def fields(package: ApkPackage) -> dict[str, str]:
    return dict(sorted(package.fields.items()))


def test_a_generated_package() -> None:
    made = apk(
        name="a",
        depends="b c>=2 !d so:libz.so.1",
        provides="cmd:a=1.0-r0 virtual",
        install_if="x y",
        priority=5,
        files={"usr/bin/a": b"#!/bin/sh\n"},
    )
    listed = "\n".join(f"{letter}:{value}" for letter, value in made.fields.items())
    opened = open_apk(BytesSource(made.data))
    told = described(opened, arch="x86_64", size_bytes=len(made.data), where="a")
    assert fields(told) == fields(ApkPackage.from_paragraph(listed, where="here"))


def test_every_real_package(tmp_path: Path) -> None:
    universe = real_universe(Store(tmp_path))
    (repository,) = universe.repositories
    for name in repository.index.names():
        (listed,) = universe.versions(name)
        with FileSource(real_repository() / listed.filename) as source:
            told = described(
                open_apk(source), arch=listed.arch, size_bytes=source.size_bytes, where=name
            )
        assert fields(told) == fields(listed)
