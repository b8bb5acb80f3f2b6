from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import VMError
from bootsmith.vm.machine import Share
from bootsmith.vm.shares.visible import require_visible
from tests.support.scripted_guest import Script, ScriptedGuest, scripted_guest

ALL = "sandboxfs /run/bootsmith/shares fuse.sandboxfs rw,nosuid 0 0\n"
REST = "proc /proc proc rw 0 0\n/dev/vda / ext4 ro 0 0\n"


def shows(table: str) -> Script:
    def script(guest: ScriptedGuest) -> None:
        request = guest.expect("file_read_request")
        assert request.text("path") == "/proc/mounts"
        guest.send("file_read_data", request.id, data=table.encode())
        guest.send("file_read_done", request.id)

    return script


def share(place: str) -> Share:
    return Share(host_folder=Path(), guest_folder=place)


@pytest.mark.parametrize("place", ["/work", "/usr/lib/work"], ids=["plain", "through a link"])
def test_what_is_shown(place: str) -> None:
    table = REST + ALL + f"sandboxfs {place} fuse.sandboxfs rw 0 0\n"
    with scripted_guest(shows(table)) as agent:
        require_visible(agent, (share("/work/"),))


def test_a_place_that_is_missing_is_named() -> None:
    table = REST + ALL + "sandboxfs /one fuse.sandboxfs rw 0 0\n"
    with (
        scripted_guest(shows(table)) as agent,
        pytest.raises(VMError, match=r"shared folder at /two$"),
    ):
        require_visible(agent, (share("/one"), share("/two")))
