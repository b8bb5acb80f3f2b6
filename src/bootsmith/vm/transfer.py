"""Files and folders into a guest and out of it, with modes, times and links.

They travel as a tar archive through a command in the guest.  The agent's file messages work in
any guest, but they know neither modes nor links nor the names in a folder, and a command for
each file would cost a thousand round trips; a tar program is in every distribution, busybox's
too.  A guest without one says so, and ``write_file`` still works there.

What comes from a guest is believed nothing: it is unpacked name by name below the target
(``host.shared_folder``), and no link in it or on the way is ever followed.
"""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from bootsmith.errors import AgentError, HostError, VMError
from bootsmith.host.files import FileSource, iter_file
from bootsmith.host.folder_entries import FolderEntry, folder_entries
from bootsmith.host.paths import is_folder
from bootsmith.host.tree_writer import TreeWriter
from bootsmith.vm.agent import Agent
from bootsmith.vm.execution import Command, RunningCommand, Stream

# -p because busybox applies the umask without it; -o because owners of this machine mean nothing.
_RECEIVE = 'mkdir -p -- "$1" && exec tar -xpof - -C "$1"'
# A folder's archive begins with ".", that of a file with its name: so both are told apart.
_SEND = """\
if [ -d "$1" ]; then exec tar -cf - -C "$1" .; fi
[ -e "$1" ] || [ -L "$1" ] || { echo "$1: no such file or directory" >&2; exit 1; }
exec tar -cf - -C "$(dirname -- "$1")" -- "$(basename -- "$1")"
"""
_BLOCK_BYTES = tarfile.BLOCKSIZE
_STDERR_BYTES = 4096


def upload(agent: Agent, source: Path, target: str, *, timeout_s: float | None = None) -> None:
    """Copy a file or folder of this machine to the path ``target`` in the guest.

    A folder that is there already keeps what else it holds.  Everything belongs to the guest's
    root.  Raises ``HostError`` for what cannot be read, ``VMError`` when the guest cannot take it.
    """
    place = _guest_path(target)
    folder, name = (place, ".") if is_folder(source) else (place.parent, place.name)
    if not name:
        raise VMError(f"a file cannot be uploaded as {target}", hint="name the file it becomes")
    result = agent.exec(
        ("/bin/sh", "-c", _RECEIVE, "sh", str(folder)),
        stdin=_archive(source, name),
        most_bytes=1 << 20,
        timeout_s=timeout_s,
    )
    if result.exit_code != 0:
        raise _refusal("take", target, result.exit_code, result.stderr)


def download(agent: Agent, source: str, target: Path, *, timeout_s: float | None = None) -> None:
    """Copy a file or folder of the guest to the path ``target`` on this machine.

    A folder that is there already keeps what else it holds.  Everything belongs to the user who
    runs this.  Raises ``VMError`` for what the guest cannot send, devices and pipes among it,
    ``HostError`` for what cannot be written.
    """
    running = agent.start(Command.of(("/bin/sh", "-c", _SEND, "sh", str(_guest_path(source)))))
    stream = _Output(running, timeout_s)
    try:
        unpack(cast("IO[bytes]", stream), target)
        stream.finish()
    except tarfile.TarError as error:
        stream.finish()
        if stream.exit_code == 0:
            raise VMError(f"what the guest sent of {source} is no tar archive: {error}") from error
    finally:
        running.close()
    if stream.exit_code != 0:
        raise _refusal("send", source, stream.exit_code, bytes(stream.stderr))


def unpack(stream: IO[bytes], target: Path) -> None:
    """Write a tar archive, of a folder or of a single file, to ``target``.

    Raises ``VMError`` for members that are refused, ``HostError`` for what cannot be written,
    ``tarfile.TarError`` for what is no archive.
    """
    with tarfile.open(
        fileobj=stream,
        mode="r|",
        bufsize=1 << 18,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        first = archive.next()
        if first is None:
            return
        is_folder = first.isdir()
        root = target if is_folder else target.parent
        with TreeWriter(root) as writer:
            member: tarfile.TarInfo | None = first
            while member is not None:
                names = _names(member.name) if is_folder else (target.name,)
                _put(writer, names, member, archive)
                archive.members = []  # type: ignore[attr-defined]  # else it keeps all it has seen
                member = archive.next()


def _archive(source: Path, name: str) -> Iterator[bytes]:
    """A tar archive of ``source`` under ``name``, piece by piece.

    In GNU's form: busybox does not read all of pax, and everybody reads this.
    """
    for entry in folder_entries(source):
        member = _member(entry, name)
        content = FileSource(entry.path) if member.isreg() else None
        try:
            if content is not None:
                member.size = content.size_bytes
            yield member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
            if content is not None:
                yield from _padded(content)
        finally:
            if content is not None:
                content.close()
    yield bytes(2 * _BLOCK_BYTES)


def _member(entry: FolderEntry, name: str) -> tarfile.TarInfo:
    relative = entry.relative.decode("utf-8", "surrogateescape")
    member = tarfile.TarInfo(f"{name}/{relative}" if relative else name)
    member.mode = stat.S_IMODE(entry.mode)
    member.mtime = entry.mtime_ns // 1_000_000_000
    match stat.S_IFMT(entry.mode):
        case stat.S_IFREG:
            member.type = tarfile.REGTYPE
        case stat.S_IFDIR:
            member.type = tarfile.DIRTYPE
        case stat.S_IFLNK:
            member.type = tarfile.SYMTYPE
            member.linkname = entry.target.decode("utf-8", "surrogateescape")
        case _:
            raise HostError(
                f"{entry.path} is neither file, folder nor symbolic link", hint="leave it out"
            )
    return member


def _padded(content: FileSource) -> Iterator[bytes]:
    """The content at exactly the length that was announced, filled up to whole blocks."""
    left = content.size_bytes
    for chunk in iter_file(content):
        piece = chunk[:left]
        left -= len(piece)
        yield piece
    if left:
        raise HostError(f"{content.path} became shorter while it was read")
    yield bytes(-content.size_bytes % _BLOCK_BYTES)


class _Output(io.RawIOBase):
    """What a command prints, as a file; its other stream is kept for an error's text."""

    def __init__(self, running: RunningCommand, timeout_s: float | None) -> None:
        self._running = running
        self._pieces = running.output(timeout_s=timeout_s)
        self._rest = memoryview(b"")
        self.stderr = bytearray()

    @property
    def exit_code(self) -> int:
        assert self._running.result is not None
        return self._running.result.exit_code

    def read(self, size: int = -1, /) -> bytes:
        parts = []
        while size > 0 and (self._rest or self._advance()):
            parts.append(bytes(self._rest[:size]))
            self._rest = self._rest[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        """Let the command come to its end."""
        while self._advance():
            pass

    def _advance(self) -> bool:
        for stream, data in self._pieces:
            if stream is Stream.STDOUT:
                self._rest = memoryview(data)
                return True
            self.stderr += data[: _STDERR_BYTES - len(self.stderr)]
        return False


def _put(
    writer: TreeWriter, names: tuple[str, ...], member: tarfile.TarInfo, archive: tarfile.TarFile
) -> None:
    mtime_ns = int(member.mtime) * 1_000_000_000
    if member.isdir():
        writer.directory(names, mode=member.mode, mtime_ns=mtime_ns)
    elif member.issym():
        writer.symlink(names, member.linkname)
    elif member.islnk():
        writer.hard_link(names, _names(member.linkname))
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        writer.file(names, content, mode=member.mode, mtime_ns=mtime_ns)
    else:
        raise VMError(
            f"{member.name} in the guest is neither file, folder nor link, and is not downloaded",
            hint="download a folder without devices and pipes",
        )


def _names(path: str) -> tuple[str, ...]:
    """The names of a member's path.  Raises ``VMError`` for one that leads out of its folder."""
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if path.startswith("/") or ".." in names:
        raise VMError(f"the guest sent a path that leads out of the folder: {path!r}")
    return names


def _guest_path(text: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or "\0" in text:
        raise VMError(f"{text!r} is not a path in the guest", hint="write it from / on, without ..")
    return path


def _refusal(verb: str, path: str, status: int, stderr: bytes) -> AgentError:
    said = stderr.decode("utf-8", "replace").strip() or f"status {status}"
    hint = None
    if status == 127:
        hint = "the guest needs /bin/sh and tar for this; single files go with write_file"
    return AgentError(f"the guest cannot {verb} {path}: {said}", code="transfer_failed", hint=hint)
