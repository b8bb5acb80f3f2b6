"""docs/guest.md leaves out no message, operation or error that the guest's sources know."""

from __future__ import annotations

import re

import pytest

from tests.support.debian_images import CHECKOUT

PAGE = (CHECKOUT / "docs" / "guest.md").read_text("utf-8")
SOURCES = CHECKOUT / "guest" / "src"


def source(name: str) -> str:
    return (SOURCES / name).read_text("utf-8")


def begun(*names: str) -> set[str]:
    """What messages are begun, and what requests are concluded, in these sources."""
    text = "".join(source(name) for name in names)
    return set(re.findall(r'(?:begin|done)\((?:outbox, [\w.]+, )?"([a-z_]+)"', text))


def members(text: str, kind: str) -> set[str]:
    """The names in an enumeration of Zig's."""
    found = re.search(rf"{kind} = enum(?:\(\w+\))? {{(.*?)}};", text, re.DOTALL)
    assert found is not None
    return set(re.findall(r"^\s*([a-z_]+),", found[1], re.MULTILINE))


KNOWN = {
    "requests": members(source("agent/agent.zig"), "Request"),
    "errors": members(source("agent/answer.zig"), "ErrorCode"),
    "answers": begun(
        *(f"agent/{path.name}" for path in (SOURCES / "agent").iterdir()),
        *(f"forward/{path.name}" for path in (SOURCES / "forward").iterdir()),
    ),
    "operations": begun("share/operations.zig", "share/directory.zig"),
    "words": set(re.findall(r'value\("([a-z_.]+)"\)', source("boot/share.zig"))),
}


@pytest.mark.parametrize(("what", "least"), [(what, 2) for what in KNOWN])
def test_nothing_is_left_out(what: str, least: int) -> None:
    assert len(KNOWN[what]) >= least, "the sources are written otherwise by now"
    assert sorted(name for name in KNOWN[what] if not re.search(rf"`{name}\b", PAGE)) == []


def test_a_word_that_the_page_lacks_is_noticed() -> None:
    assert not re.search(r"`exec_pause\b", PAGE)
    assert {"exec_request", "shutdown_request"} <= KNOWN["requests"]
    assert {"tcp_opened", "vfs_error", "sync_done"} <= KNOWN["answers"]
    assert {"lookup", "copy_file_range", "readdir"} <= KNOWN["operations"]
