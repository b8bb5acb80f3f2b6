"""What is installed: packages with their folders and files, as apk's database knows them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import NamedTuple

from bootsmith.model.guest_path import GuestPath
from bootsmith.sources.alpine.apk import Control
from bootsmith.sources.alpine.data_tar import Owner
from bootsmith.sources.alpine.package import ApkPackage
from bootsmith.tree.accounts import Accounts
from bootsmith.tree.entry import Metadata, Xattrs

_LENGTH = struct.Struct(">I")


class Names(NamedTuple):
    """The numbers of users and groups by their names; of a name given twice, the first."""

    users: Mapping[str, int]
    groups: Mapping[str, int]

    @classmethod
    def of(cls, accounts: Accounts) -> Names:
        users = {user.name: user.uid for user in reversed(tuple(accounts.users()))}
        groups = {group.name: group.gid for group in reversed(tuple(accounts.groups()))}
        return cls(users, groups)


class Access(NamedTuple):
    """Who owns an entry and who may use it, with the names its archive has for the owners.

    ``xattrs`` is the digest of its extended attributes, where it has any.
    """

    mode: int
    uid: int
    gid: int
    owner: Owner
    xattrs: bytes | None = None

    @classmethod
    def of(cls, metadata: Metadata, owner: Owner) -> Access:
        return cls(metadata.mode, metadata.uid, metadata.gid, owner, _digest(metadata.xattrs))

    def known_to(self, names: Names) -> Access:
        """With the numbers that the system has for the names, where it has them."""
        uid = names.users.get(self.owner.user, self.uid)
        gid = names.groups.get(self.owner.group, self.gid)
        if (uid, gid) == (self.uid, self.gid):  # so it is with nearly all, of very many
            return self
        return self._replace(uid=uid, gid=gid)


class InstalledFile(NamedTuple):
    """``name`` is the last part of its path, and ``place`` where it really is."""

    name: bytes
    place: GuestPath
    access: Access
    checksum: bytes | None


class Folder(NamedTuple):
    """A directory as one package has it, and the files this package has in it."""

    path: GuestPath
    access: Access
    files: tuple[InstalledFile, ...]

    def known_to(self, names: Names) -> Folder:
        """With the owners' numbers as the system has them; itself when they are those."""
        access = self.access.known_to(names)
        accesses = [file.access.known_to(names) for file in self.files]
        if access is self.access and all(
            one is file.access for one, file in zip(accesses, self.files, strict=True)
        ):
            return self
        files = tuple(
            file._replace(access=one) for one, file in zip(accesses, self.files, strict=True)
        )
        return Folder(self.path, access, files)


class InstalledPackage(NamedTuple):
    """A package, and what of it is there.

    ``knows_names`` tells whether owners go by their names: not yet while the list of accounts
    itself comes in.  ``tag`` is that of the repository it was pinned to.
    """

    package: ApkPackage
    control: Control
    folders: tuple[Folder, ...]
    knows_names: bool
    tag: str | None = None

    def known_to(self, names: Names) -> InstalledPackage:
        """With the owners' numbers as the system has them; itself when they are those."""
        if not self.knows_names:
            return self
        folders = tuple(folder.known_to(names) for folder in self.folders)
        if all(one is folder for one, folder in zip(folders, self.folders, strict=True)):
            return self
        return self._replace(folders=folders)


def _digest(xattrs: Xattrs) -> bytes | None:
    """apk's digest of extended attributes: names and values by name, each after its length."""
    if not xattrs:
        return None
    digest = hashlib.sha1(usedforsecurity=False)
    for pair in sorted(xattrs):
        for part in pair:
            digest.update(_LENGTH.pack(len(part)) + part)
    return digest.digest()
