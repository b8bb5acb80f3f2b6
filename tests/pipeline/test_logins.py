"""Users and keys of a config are in the image's own files, and mistakes name their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bootsmith.config.parse import parse_config
from bootsmith.errors import ConfigError
from bootsmith.model.guest_path import guest_path
from bootsmith.pipeline.logins import make_logins, wanted_logins
from bootsmith.pipeline.owners import owner_ids
from bootsmith.plan.build_plan import Login
from bootsmith.tree.accounts import read_accounts
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile, Symlink
from bootsmith.tree.file_tree import FileTree, TreeBuilder
from tests.support.memory_blobs import MemoryBlobs
from tests.support.ssh_keys import PUBLIC_KEYS

EPOCH_S = 1_700_000_000
KEY, OTHER_KEY = PUBLIC_KEYS[:2]
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nmail:x:8:12::/var/mail:/bin/false\n",
    "etc/group": "root:x:0:\nmail:x:12:\nadm:x:4:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nmail:*:19000:0:99999:7:::\n",
    "etc/skel/.profile": "umask 022\n",
    "bin/sh": "",
}


@pytest.fixture
def tree() -> FileTree:
    builder = TreeBuilder()
    for folder in ("etc/skel", "bin", "home"):
        builder.ensure_directory(guest_path(folder))
    for path, text in FILES.items():
        builder.put(guest_path(path), RegularFile(Metadata(0o644), InlineBytes(text.encode())))
    return builder.build()


def made(tree: FileTree, *logins: Login) -> FileTree:
    return make_logins(tree, logins, blobs=MemoryBlobs(), epoch_s=EPOCH_S)


def text(tree: FileTree, path: str) -> str:
    entry = tree[guest_path(path)]
    assert isinstance(entry, RegularFile)
    assert isinstance(entry.content, InlineBytes)
    return entry.content.data.decode()


def test_a_new_user_has_a_group_a_home_and_what_skel_holds(tree: FileTree) -> None:
    after = made(tree, Login(name="dev", uid=1234, groups=("adm",), keys=(KEY,)))
    assert "dev:x:1234:1234::/home/dev:/bin/sh\n" in text(after, "etc/passwd")
    assert "adm:x:4:dev\ndev:x:1234:\n" in text(after, "etc/group")
    assert "dev:*:19675:0:99999:7:::\n" in text(after, "etc/shadow")
    assert after.inode(guest_path("home/dev")).metadata[:3] == (0o700, 1234, 1234)
    assert after.inode(guest_path("home/dev/.profile")).metadata[:3] == (0o644, 1234, 1234)
    assert after.inode(guest_path("home/dev/.ssh")).metadata[:3] == (0o700, 1234, 1234)
    keys = guest_path("home/dev/.ssh/authorized_keys")
    assert after.inode(keys).metadata == Metadata(0o600, 1234, 1234, EPOCH_S * 10**9)
    assert text(after, "home/dev/.ssh/authorized_keys") == f"{KEY}\n"


def test_numbers_are_chosen_where_none_is_asked(tree: FileTree) -> None:
    accounts = read_accounts(made(tree, Login(name="one"), Login(name="two")), blobs=MemoryBlobs())
    assert [user.uid for user in accounts.users()] == [0, 8, 1000, 1001]


def test_one_who_is_there_is_changed_and_keeps_the_rest(tree: FileTree) -> None:
    once = made(tree, Login(name="root", keys=(KEY,), password_hash="$6$salt$hash"))
    after = made(once, Login(name="root", keys=(KEY, OTHER_KEY)))
    assert text(after, "root/.ssh/authorized_keys") == f"{KEY}\n{OTHER_KEY}\n"
    assert "root:$6$salt$hash:19675:" in text(after, "etc/shadow")
    assert text(after, "etc/passwd") == FILES["etc/passwd"]
    assert "mail:x:8:12::/var/mail:/bin/zsh" in text(
        made(tree, Login(name="mail", shell="/bin/zsh")), "etc/passwd"
    )


def test_keys_stay_inside_the_image_where_links_lead_out(tree: FileTree) -> None:
    builder = TreeBuilder(tree)
    builder.put(guest_path("root"), Symlink(Metadata(0o777), b"/../../elsewhere"))
    builder.put(guest_path("elsewhere"), Directory(Metadata(0o700)))
    after = made(builder.build(), Login(name="root", keys=(KEY,)))
    assert guest_path("elsewhere/.ssh/authorized_keys") in after


@pytest.mark.parametrize(
    ("login", "says"),
    [
        (Login(name="dev", groups=("adn",)), "no group 'adn'"),
        (Login(name="mail", uid=9), "uid 8, not 9"),
        (Login(name="mail", home="/x"), "home /var/mail"),
    ],
)
def test_what_the_image_has_otherwise_is_told(tree: FileTree, login: Login, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        made(tree, login)
    assert caught.value.hint


def logins(base: Path, **fields: Any) -> tuple[Login, ...]:
    return wanted_logins(parse_config(fields, origin="x"), base)


def test_keys_come_as_text_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "me.pub").write_text(f"# mine\n{KEY}\n\n{OTHER_KEY}\n")
    (login,) = logins(tmp_path, ssh={"keys": ["me.pub", KEY]})
    assert login == Login(name="root", keys=(KEY, OTHER_KEY, KEY))
    assert logins(tmp_path, ssh={}) == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "me.pub"),
        ("", "me.pub: holds no key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "me.pub: a private key"),
        ("hello\n", "me.pub: not a public key"),
    ],
)
def test_a_key_file_is_named_with_its_field(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "me.pub").write_text(content)
    with pytest.raises(ConfigError) as caught:
        logins(tmp_path, users=[{"name": "a"}, {"name": "b", "keys": ["me.pub"]}])
    (problem,) = caught.value.problems
    assert problem.pointer == "users[1].keys[0]"
    assert says in problem.message


@pytest.mark.parametrize(
    ("owner", "ids"),
    [
        ("root", (0, 0)),
        ("mail", (8, 12)),
        ("mail:adm", (8, 4)),
        ("8", (8, 12)),
        ("77", (77, 0)),
        ("77:78", (77, 78)),
    ],
)
def test_owners_are_looked_up_in_the_image(
    tree: FileTree, owner: str, ids: tuple[int, int]
) -> None:
    assert owner_ids(owner, read_accounts(tree, blobs=MemoryBlobs())) == ids


@pytest.mark.parametrize("owner", ["mial", "root:amd"])
def test_an_owner_the_image_does_not_have_is_told(tree: FileTree, owner: str) -> None:
    with pytest.raises(ConfigError, match="the image has no") as caught:
        owner_ids(owner, read_accounts(tree, blobs=MemoryBlobs()))
    assert "did you mean" in str(caught.value.hint)
