"""Who may log in: users and their keys, from the config into the image's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, HostError, ImageError, Problem
from bootsmith.host.files import read_whole, user_path
from bootsmith.model.guest_path import GuestPath, guest_path, join
from bootsmith.model.ssh_key import looks_like_a_key, public_key
from bootsmith.model.streams import BlobSource
from bootsmith.pipeline.owners import unknown_name
from bootsmith.plan.build_plan import Login
from bootsmith.tree.accounts import Accounts, Group, User, read_accounts, write_accounts
from bootsmith.tree.contents import read_content
from bootsmith.tree.entry import Directory, InlineBytes, Metadata, RegularFile
from bootsmith.tree.file_tree import FileTree, TreeBuilder

_BILLION = 1_000_000_000
_DAY_S = 86_400
_KEY_FILE_MOST_BYTES = 1 << 20
_SHELLS = ("/bin/bash", "/bin/sh")
_ROOT = "root"
_SKELETON = guest_path("etc/skel")


def wanted_logins(config: BuildConfig, base: Path) -> tuple[Login, ...]:
    """The users of ``config``, and root where ssh is to let root in; key files are read here.

    ``base`` is what relative paths are relative to.  Raises ``ConfigError`` that names every
    key file that cannot be read or holds something else, and its field.
    """
    problems: list[Problem] = []
    logins = [
        Login(
            name=user.name,
            uid=user.uid,
            groups=user.groups,
            shell=user.shell,
            home=user.home,
            keys=tuple(_keys(user.keys, f"users[{index}].keys", base, problems)),
            password_hash=user.password_hash,
        )
        for index, user in enumerate(config.users)
    ]
    ssh = config.ssh
    if ssh is not None and (ssh.keys or ssh.password_hash):
        keys = tuple(_keys(ssh.keys, "ssh.keys", base, problems))
        logins.append(Login(name=_ROOT, keys=keys, password_hash=ssh.password_hash))
    if problems:
        raise ConfigError("a key cannot be used", problems=tuple(problems))
    return tuple(logins)


def make_logins(
    tree: FileTree, logins: Iterable[Login], *, blobs: BlobSource, epoch_s: int
) -> FileTree:
    """``tree`` with ``logins`` in its passwd, group and shadow, their homes and their keys.

    Raises ``ConfigError`` for a group the image does not have, and for a user that it has
    otherwise.
    """
    builder = TreeBuilder(tree)
    before = accounts = read_accounts(tree, blobs=blobs)
    for login in logins:
        accounts = _with_login(accounts, login, builder, day=max(epoch_s, 0) // _DAY_S)
        user = accounts.user(login.name)
        assert user is not None
        _make_home(builder, user, is_new=before.user(login.name) is None, epoch_s=epoch_s)
        if login.keys:
            _authorize(builder, user, login.keys, blobs=blobs, epoch_s=epoch_s)
    write_accounts(builder, accounts, before=before, mtime_ns=epoch_s * _BILLION)
    return builder.build()


def _keys(
    wanted: Sequence[str], pointer: str, base: Path, problems: list[Problem]
) -> Iterator[str]:
    for index, text in enumerate(wanted):
        if looks_like_a_key(text):
            yield text
            continue
        try:
            yield from _keys_of_file(user_path(text, base=base))
        except (HostError, ValueError) as error:
            message = str(error) if isinstance(error, HostError) else f"{text}: {error}"
            problems.append(Problem(pointer=f"{pointer}[{index}]", message=message))


def _keys_of_file(path: Path) -> list[str]:
    """Raises ``HostError`` when it cannot be read, ``ValueError`` when it holds no keys."""
    text = read_whole(path, most_bytes=_KEY_FILE_MOST_BYTES).decode("utf-8", "replace")
    if "PRIVATE KEY-----" in text:
        return [public_key(text)]  # which refuses it
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError("holds no key")
    return [public_key(line) for line in lines]


def _with_login(accounts: Accounts, login: Login, builder: TreeBuilder, *, day: int) -> Accounts:
    user = accounts.user(login.name)
    if user is None:
        if login.name == _ROOT:
            raise ImageError(
                "the image has no user root in /etc/passwd",
                hint="make it in users: name root, uid 0",
            )
        accounts = _with_new_user(accounts, login, builder, day=day)
    else:
        _require_same(user, login)
        if login.shell is not None:
            accounts = accounts.set_shell(login.name, login.shell)
    for group in login.groups:
        if accounts.group_named(group) is None:
            raise unknown_name("group", group, (one.name for one in accounts.groups()))
        accounts = accounts.add_member(group, login.name)
    if login.password_hash is not None:
        accounts = accounts.set_password(login.name, login.password_hash, day=day)
    return accounts


def _with_new_user(accounts: Accounts, login: Login, builder: TreeBuilder, *, day: int) -> Accounts:
    """A new user has a group of the same name and, where it is free, the same number."""
    uid = accounts.free_id() if login.uid is None else login.uid
    group = accounts.group_named(login.name)
    if group is None:
        taken = {other.gid for other in accounts.groups()}
        group = Group(login.name, uid if uid not in taken else accounts.free_id())
        accounts = accounts.add_group(group)
    shell = login.shell or next(
        (one for one in _SHELLS if builder.resolve(guest_path(one)) is not None), _SHELLS[-1]
    )
    home = login.home or f"/home/{login.name}"
    return accounts.add_user(User(login.name, uid, group.gid, home=home, shell=shell), day=day)


def _require_same(user: User, login: Login) -> None:
    for field, found, wanted in (
        ("uid", user.uid, login.uid),
        ("home", user.home, login.home),
    ):
        if wanted is not None and wanted != found:
            raise ConfigError(
                f"the image has the user {user.name} already, with {field} {found}, not {wanted}",
                hint=f"leave {field} out, or choose another name in users",
            )


def _make_home(builder: TreeBuilder, user: User, *, is_new: bool, epoch_s: int) -> None:
    """A new user's home, with what ``/etc/skel`` holds; one that is there stays as it is."""
    home = guest_path(user.home)
    if not home or builder.resolve(home) is not None or not is_new:
        return
    time_ns = epoch_s * _BILLION
    _make_folders(builder, home, time_ns)
    place = builder.place(home)
    builder.put(place, Directory(Metadata(0o700, user.uid, user.gid, time_ns)))
    _copy_skeleton(builder, _SKELETON, place, user)


def _copy_skeleton(builder: TreeBuilder, source: GuestPath, target: GuestPath, user: User) -> None:
    if not isinstance(builder.get(source), Directory):
        return
    for path in builder.children(source):
        entry = builder.inode(path)
        assert entry is not None
        place = join(target, path.rpartition(b"/")[2])
        owned = entry.metadata._replace(uid=user.uid, gid=user.gid)
        builder.put(place, entry._replace(metadata=owned))
        _copy_skeleton(builder, path, place, user)


def _authorize(
    builder: TreeBuilder, user: User, keys: Sequence[str], *, blobs: BlobSource, epoch_s: int
) -> None:
    """Add ``keys`` to those that are there; sshd demands that nobody else can write them."""
    time_ns = epoch_s * _BILLION
    folder = builder.place(guest_path(f"{user.home}/.ssh"))
    if not isinstance(builder.get(folder), Directory):
        _make_folders(builder, folder, time_ns)
        builder.put(folder, Directory(Metadata(0o700, user.uid, user.gid, time_ns)))
    place = join(folder, b"authorized_keys")
    old = builder.inode(place)
    text = ""
    if isinstance(old, RegularFile):
        text = read_content(old.content, blobs=blobs).decode("utf-8", "surrogateescape")
    lines = text.splitlines()
    lines += [key for key in dict.fromkeys(keys) if key not in lines]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    metadata = Metadata(0o600, user.uid, user.gid, time_ns)
    builder.put(place, RegularFile(metadata, InlineBytes(content)))


def _make_folders(builder: TreeBuilder, path: GuestPath, time_ns: int) -> None:
    """The folders above ``path`` that are missing, root's, with the time of the build."""
    parts = path.split(b"/")[:-1]
    for depth in range(1, len(parts) + 1):
        folder = GuestPath(b"/".join(parts[:depth]))
        if builder.resolve(folder) is None:
            builder.put(builder.place(folder), Directory(Metadata(0o755, mtime_ns=time_ns)))
