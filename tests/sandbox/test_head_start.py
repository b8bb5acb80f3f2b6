"""A sandbox that was begun before there was work for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.namespaces import namespace_support
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.sandbox.namespace import NamespaceExecutor
from tests.sandbox.conftest import job
from tests.support.host_programs import host_programs_tree
from tests.support.judges import unavailable
from tests.support.memory_blobs import MemoryBlobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if namespace_support().kind == "none":
        unavailable(namespace_support().reason)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_the_process_that_was_begun_runs_the_job(folder: Path) -> None:
    head_start = HeadStart(folder)
    head_start.begin()
    head_start.begin()
    kind = namespace_support().kind
    assert kind != "none"
    executor = NamespaceExecutor(start=head_start.take, kind=kind)
    printed: list[bytes] = []
    for text in ("one", "two"):  # the second has to start its own
        executor.run(
            host_programs_tree(),
            job(f"echo {text}"),
            blobs=MemoryBlobs(),
            on_output=lambda _, line: printed.append(line),
        )
    assert printed == [b"one", b"two"]
    head_start.close()
    assert list(folder.iterdir()) == []


def test_what_nobody_took_is_ended(folder: Path) -> None:
    head_start = HeadStart(folder)
    head_start.begin()
    head_start.close()
    assert list(folder.iterdir()) == []
    head_start.close()


def test_no_folder_is_left_that_was_not_there(folder: Path) -> None:
    folder.rmdir()
    head_start = HeadStart(folder / "cache" / "work")
    head_start.begin()
    head_start.close()
    assert not folder.exists()


def test_a_folder_that_is_used_meanwhile_stays(folder: Path) -> None:
    head_start = HeadStart(folder / "cache" / "work")
    head_start.begin()
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache" / "blob").write_bytes(b"")
    head_start.close()
    assert list(folder.rglob("*")) == [folder / "cache", folder / "cache" / "blob"]


def test_only_one_gets_it(folder: Path) -> None:
    head_start = HeadStart(folder)
    head_start.begin()
    with ThreadPoolExecutor(4) as workers:
        processes = [one.result() for one in [workers.submit(head_start.take) for _ in range(4)]]
    assert len({process.folder for process in processes}) == 4
    for process in processes:
        process.close()
    assert list(folder.iterdir()) == []


def test_a_place_that_may_not_be_used_is_told_to_who_takes_it(folder: Path) -> None:
    folder.rmdir()
    folder.write_bytes(b"")
    head_start = HeadStart(folder)
    head_start.begin()
    with pytest.raises(HostError):
        head_start.take()
    head_start.close()
