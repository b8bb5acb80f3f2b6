from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootsmith.host.channel import Channel
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.server import ShareServer
from bootsmith.vm.shares.tree import ShareTree
from tests.support.scripted_guest import ScriptedGuest


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[ScriptedGuest]:
    (tmp_path / "file").write_bytes(b"content")
    ours, theirs = Channel.pair()
    server = ShareServer(ours, ShareTree([Share(host_folder=tmp_path, guest_folder="/work")]))
    yield ScriptedGuest(theirs)
    server.close()
    ours.close()
    theirs.close()


def ask(guest: ScriptedGuest, number: int, op: Any, req: Any) -> dict[str, Any]:
    guest.send("fs_request", number, op=op, req=req)
    answer = guest.expect("fs_response")
    assert answer.id == number
    assert answer.payload["op"] == op
    return dict(answer.payload)


def test_an_answer_has_the_id_and_operation_of_its_question(guest: ScriptedGuest) -> None:
    found = ask(guest, 7, "lookup", {"parent_ino": 1, "name": "work"})
    assert found["err"] == 0
    number = found["res"]["entry"]["ino"]
    assert ask(guest, 8, "readdir", {"ino": number, "offset": 0})["res"]["entries"] == [
        {"ino": number + 1, "name": "file", "type": 8, "offset": 1}
    ]


def test_what_does_not_exist_may_be_remembered_for_a_moment(guest: ScriptedGuest) -> None:
    answer = ask(guest, 1, "lookup", {"parent_ino": 1, "name": "missing"})
    assert answer["err"] == errno.ENOENT
    assert answer["res"]["entry_ttl_ms"] > 0
    assert answer["message"]


def test_nonsense_is_answered_and_the_next_question_too(guest: ScriptedGuest) -> None:
    assert ask(guest, 1, "explode", {})["err"] == errno.ENOSYS
    assert ask(guest, 2, None, None)["err"] == errno.ENOSYS
    assert ask(guest, 3, "getattr", "text")["err"] == errno.EINVAL
    assert ask(guest, 4, "getattr", {"ino": 1})["err"] == 0


def test_a_name_without_form_on_the_wire_ends_nothing(guest: ScriptedGuest, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.fsdecode(b"\xff\xfe"))
    work = ask(guest, 1, "lookup", {"parent_ino": 1, "name": "work"})["res"]["entry"]["ino"]
    link = ask(guest, 2, "lookup", {"parent_ino": work, "name": "link"})["res"]["entry"]["ino"]
    assert ask(guest, 3, "readlink", {"ino": link})["err"] == errno.EIO
    assert ask(guest, 4, "getattr", {"ino": link})["err"] == 0


def test_broken_frames_end_the_line(guest: ScriptedGuest) -> None:
    guest.send_raw(b"\xff\xff\xff\xff")
    with pytest.raises(AssertionError, match="hung up"):
        guest.expect("fs_response")
