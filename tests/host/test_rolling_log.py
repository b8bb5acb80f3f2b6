"""A log of bounded size: what is kept, what a follower sees, what a full disk does to it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.rolling_log import RollingLog, log_content


def read_all(log: RollingLog) -> bytes:
    position, content = 0, b""
    while data := (found := log.read(position))[1]:
        content += data
        position = found[0] + len(data)
    return content


def test_what_is_written_is_read(tmp_path: Path) -> None:
    log = RollingLog(tmp_path / "log")
    log.append(b"one ")
    log.append(b"two")
    assert read_all(log) == b"one two"
    log.close()
    assert b"".join(log_content(tmp_path / "log")) == b"one two"


def test_only_the_end_is_kept(tmp_path: Path) -> None:
    log = RollingLog(tmp_path / "log", segment_bytes=10)
    for number in range(100):
        log.append(b"%04d " % number)
    kept = read_all(log)
    assert kept.endswith(b"0098 0099 ")
    assert 10 <= len(kept) <= 30
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == len(kept)
    log.close()
    assert b"".join(log_content(tmp_path / "log")) == kept


def test_a_follower_sees_all_and_then_the_end(tmp_path: Path) -> None:
    log = RollingLog(tmp_path / "log")
    seen = bytearray()

    def follow() -> None:
        while data := log.follow(len(seen), is_wanted=lambda: True)[1]:
            seen.extend(data)

    follower = threading.Thread(target=follow)
    follower.start()
    for number in range(1000):
        log.append(b"%d\n" % number)
    log.close()
    follower.join(20)
    assert bytes(seen) == b"".join(b"%d\n" % number for number in range(1000))


def test_a_follower_that_nobody_wants_any_more_is_woken(tmp_path: Path) -> None:
    log = RollingLog(tmp_path / "log")
    wanted = threading.Event()
    wanted.set()
    found: list[tuple[int, bytes]] = []
    follower = threading.Thread(target=lambda: found.append(log.follow(0, is_wanted=wanted.is_set)))
    follower.start()
    wanted.clear()
    log.wake()
    follower.join(20)
    assert found == [(0, b"")]
    log.close()


def test_a_log_that_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"old")
    log = RollingLog(tmp_path / "log")
    assert read_all(log) == b""
    log.close()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot write"):
        RollingLog(tmp_path / "missing" / "log")
