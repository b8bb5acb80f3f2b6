"""Edits of passwd, group and shadow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bootsmith.errors import ImageError
from bootsmith.model.guest_path import guest_path
from bootsmith.tree.accounts import Accounts, Group, User, read_accounts, write_accounts
from bootsmith.tree.entry import InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.memory_blobs import MemoryBlobs

DEBIAN = Accounts(
    passwd="root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
    group="root:x:0:\nsudo:x:27:\nshadow:x:42:\n",
    shadow="root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
    gshadow="root:*::\nsudo:*::\nshadow:*::\n",
)
STRANGE = (
    "# a comment\nroot:x:0:0:root:/root:/bin/sh\n+::::::\nbroken:line\n\nlast:x:7:7::/:/bin/sh"
)
ANNA = User("anna", 1000, 1000, "Anna", "/home/anna", "/bin/bash")


def test_a_user_is_added_at_the_end() -> None:
    edited = DEBIAN.add_group(Group("anna", 1000)).add_user(ANNA, day=19500)
    assert edited.passwd == DEBIAN.passwd + "anna:x:1000:1000:Anna:/home/anna:/bin/bash\n"
    assert edited.group == DEBIAN.group + "anna:x:1000:\n"
    assert edited.shadow == f"{DEBIAN.shadow}anna:*:19500:0:99999:7:::\n"
    assert edited.gshadow == f"{DEBIAN.gshadow}anna:!::\n"
    assert edited.user("anna") == ANNA
    assert edited.group_named("anna") == Group("anna", 1000)


def test_adding_the_same_again_changes_nothing() -> None:
    edited = DEBIAN.add_group(Group("anna", 1000)).add_user(ANNA)
    assert edited.add_group(Group("anna", 1000)).add_user(ANNA) == edited


def test_strange_lines_stay_where_they_are() -> None:
    accounts = replace(DEBIAN, passwd=STRANGE)
    edited = accounts.set_shell("last", "/bin/zsh").add_user(ANNA)
    assert edited.passwd == STRANGE.replace(":7:7::/:/bin/sh", ":7:7::/:/bin/zsh") + (
        "\nanna:x:1000:1000:Anna:/home/anna:/bin/bash\n"
    )
    assert [user.name for user in accounts.users()] == ["root", "last"]


def test_without_shadow_there_is_still_no_password() -> None:
    edited = replace(DEBIAN, shadow=None, gshadow=None).add_user(ANNA)
    assert "anna:*:1000:" in edited.passwd
    assert edited.shadow is None
    assert "anna:secret:1000" in edited.set_password("anna", "secret").passwd


def test_members_join_a_group_once() -> None:
    edited = DEBIAN.add_member("sudo", "anna").add_member("sudo", "bert").add_member("sudo", "anna")
    assert "sudo:x:27:anna,bert\n" in edited.group
    assert edited.gshadow is not None
    assert "sudo:*::anna,bert\n" in edited.gshadow


def test_passwords_are_set_and_locked() -> None:
    edited = DEBIAN.set_password("root", "$y$hash", day=5)
    assert edited.shadow is not None
    assert edited.shadow.startswith("root:$y$hash:5:0:")
    locked = edited.lock("root")
    assert locked.shadow is not None
    assert locked.shadow.startswith("root:!$y$hash:5:0:")
    assert locked.lock("root") == locked


def test_a_user_missing_from_shadow_gets_a_line() -> None:
    edited = replace(DEBIAN, shadow="").set_password("root", "", day=3)
    assert edited.shadow == "root::3:0:99999:7:::\n"


def test_free_ids() -> None:
    assert DEBIAN.free_id() == 1000
    assert DEBIAN.add_user(ANNA).free_id() == 1001
    assert DEBIAN.add_group(Group("g", 100)).free_id(system=True) == 101


@pytest.mark.parametrize(
    "edit",
    [
        lambda: DEBIAN.add_user(User("root", 5, 5)),
        lambda: DEBIAN.add_user(User("toor", 0, 0)),
        lambda: DEBIAN.add_group(Group("sudo", 28)),
        lambda: DEBIAN.add_group(Group("wheel", 27)),
        lambda: DEBIAN.add_user(User("a:b", 5, 5)),
        lambda: DEBIAN.add_user(User("", 5, 5)),
        lambda: DEBIAN.add_user(User("-a", 5, 5)),
        lambda: DEBIAN.add_user(User("a", -1, 5)),
        lambda: DEBIAN.add_user(User("a", 5, 1 << 32)),
        lambda: DEBIAN.add_user(User("a", 5, 5, gecos="x\nroot::0:0:::")),
        lambda: DEBIAN.add_user(User("a", 5, 5, home="/a:b")),
        lambda: DEBIAN.add_group(Group("a", 5, ("b\nroot:x:0:",))),
        lambda: DEBIAN.set_shell("nobody", "/bin/sh"),
        lambda: DEBIAN.set_shell("root", "/bin/sh\nx"),
        lambda: DEBIAN.set_password("nobody", "x"),
        lambda: DEBIAN.set_password("root", "x:y"),
        lambda: DEBIAN.lock("nobody"),
        lambda: DEBIAN.add_member("nogroup", "anna"),
    ],
)
def test_edits_that_are_refused(edit: Callable[[], Accounts]) -> None:
    with pytest.raises(ImageError):
        edit()


def test_accounts_go_from_a_tree_and_back_with_their_modes() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("etc"))
    texts = {"etc/passwd": DEBIAN.passwd, "etc/group": DEBIAN.group, "etc/shadow": DEBIAN.shadow}
    for path, text in texts.items():
        assert text is not None
        metadata = Metadata(0o604, 0, 42, 7)
        builder.put(guest_path(path), RegularFile(metadata, InlineBytes(text.encode())))
    tree = builder.build()
    before = read_accounts(tree, blobs=MemoryBlobs())
    assert before == replace(DEBIAN, gshadow=None)

    write_accounts(builder, before.add_user(ANNA), before=before, mtime_ns=9)
    after = builder.build()
    assert after.inode(guest_path("etc/shadow")).metadata == Metadata(0o604, 0, 42, 9)
    assert after[guest_path("etc/group")] == tree[guest_path("etc/group")]
    assert read_accounts(after, blobs=MemoryBlobs()).user("anna") == ANNA


def test_a_passwd_that_is_a_link_is_written_where_it_leads() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("etc"))
    builder.ensure_directory(guest_path("usr/etc"))
    builder.put(guest_path("etc/passwd"), Symlink(Metadata(0o777), b"../../../usr/etc/passwd"))
    builder.put(guest_path("usr/etc/passwd"), RegularFile(Metadata(0o644), InlineBytes(b"")))
    before = read_accounts(builder.build(), blobs=MemoryBlobs())
    write_accounts(builder, before.add_user(ANNA), before=before)
    tree = builder.build()
    assert isinstance(tree[guest_path("etc/passwd")], Symlink)
    assert read_accounts(tree, blobs=MemoryBlobs()).user("anna") == ANNA


def test_a_tree_without_accounts_has_empty_ones() -> None:
    assert read_accounts(FileTree(), blobs=MemoryBlobs()) == Accounts(passwd="", group="")


def test_bytes_that_are_no_utf8_survive() -> None:
    builder = TreeBuilder()
    builder.ensure_directory(guest_path("etc"))
    data = b"root:x:0:0:r\xf6\xf6t:/root:/bin/sh\n"
    builder.put(guest_path("etc/passwd"), RegularFile(Metadata(0o644), InlineBytes(data)))
    before = read_accounts(builder.build(), blobs=MemoryBlobs())
    write_accounts(builder, before.set_shell("root", "/bin/x"), before=before)
    entry = builder.inode(guest_path("etc/passwd"))
    assert isinstance(entry, RegularFile)
    assert entry.content == InlineBytes(data.replace(b"/bin/sh", b"/bin/x"))
