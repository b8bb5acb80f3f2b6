"""What the build's commands are given to reach out, and what keeps it out of the image.

``build.env`` and ``build.files`` may hold secrets.  They are in the sandbox while commands
run and nowhere else: in no plan, lock or manifest, in no name of a layer but as a digest with
a key of this store, not in the output, and not in a layer, which is searched on its way into
the store.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, HostError, ImageError, Problem, StepFailed
from bootsmith.host.files import read_whole, user_path
from bootsmith.host.secret_key import secret_key
from bootsmith.model.canonical_json import canonical_json, digest_of
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.guest_command import GuestFile
from bootsmith.model.guest_path import guest_path
from bootsmith.model.streams import BlobStore, ByteSource
from bootsmith.sandbox.executor import Executor, OnOutput, SandboxJob, StoredLayer
from bootsmith.store.blobs import Store
from bootsmith.tree.file_tree import FileTree

_FILE_MOST_BYTES = 16 << 20
_SECRET_LEAST_BYTES = 8  # "1" and "true" stand everywhere, and are no secrets
_SHOWN = "***"
_CREDENTIALS = re.compile(rb"://([^/\s@]+@)")
_ADDRESS = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildAccess:
    """``key`` is the store's own; it makes the digest of what may be guessed unguessable."""

    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[GuestFile, ...] = ()
    key: bytes = field(default=b"", repr=False)

    def layer_id(self, step_id: Digest) -> Digest:
        """What a layer is kept under that ``step_id`` made with this access."""
        if not self.env and not self.files:
            return step_id
        return digest_of({"step": str(step_id), "access": self.fingerprint})

    @property
    def fingerprint(self) -> str:
        """Tells one access from another within this store, and nothing about either."""
        if not self.env and not self.files:
            return ""
        text = canonical_json(
            {
                "env": dict(self.env),
                "files": [[one.path.hex(), Digest.of(one.content).hex] for one in self.files],
            }
        )
        return hmac.new(self.key, text, "sha256").hexdigest()

    def secrets(self) -> Iterator[tuple[str, bytes]]:
        """What must not be found in a layer, each with the name of the field it is from.

        Of an address that is the part before the ``@``.  Paths, and addresses without such a
        part, are no secrets: what commands install mentions them.
        """
        for name, value in self.env.items():
            for secret in _secrets_of(value.encode()):
                yield f"build.env.{name}", secret
        for index, file in enumerate(self.files):
            for secret in (file.content.strip(), *_CREDENTIALS.findall(file.content)):
                if len(secret) >= _SECRET_LEAST_BYTES:
                    yield f"build.files[{index}]", secret


def build_access(config: BuildConfig, *, store: Store, base: Path) -> BuildAccess:
    """The access that ``config`` declares; ``base`` is what relative paths are relative to.

    Raises ``ConfigError`` that names each file that cannot be read.
    """
    wanted = config.build
    if not wanted.env and not wanted.files:
        return BuildAccess()
    files: list[GuestFile] = []
    problems: list[Problem] = []
    for index, file in enumerate(wanted.files):
        try:
            path = user_path(file.src, base=base)
            content = read_whole(path, most_bytes=_FILE_MOST_BYTES)
        except HostError as error:
            problems.append(Problem(pointer=f"build.files[{index}].src", message=str(error)))
        else:
            files.append(GuestFile(path=guest_path(file.dest), content=content))
    if problems:
        raise ConfigError("a file of the build cannot be read", problems=tuple(problems))
    return BuildAccess(
        env=wanted.env, files=tuple(files), key=secret_key(store.root / "secret.key")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedExecutor:
    """Runs jobs with ``access``, and lets nothing of it out."""

    executor: Executor
    access: BuildAccess

    def run(
        self, tree: FileTree, job: SandboxJob, *, blobs: BlobStore, on_output: OnOutput
    ) -> StoredLayer:
        """As the executor does.  Raises ``ImageError`` when the layer holds a secret."""
        secrets = list(self.access.secrets())
        hidden = sorted(_lines(secret for _, secret in secrets), key=len, reverse=True)

        def told(label: str, line: bytes) -> None:
            on_output(label, _without(line, hidden))

        try:
            return self.executor.run(
                tree, self._with_access(job), blobs=_Watched(blobs, secrets), on_output=told
            )
        except StepFailed as error:
            raise StepFailed(
                _without_text(str(error), hidden),
                step=error.step,
                exit_code=error.exit_code,
                output_tail=_without_text(error.output_tail, hidden),
                hint=error.hint,
            ) from None

    def _with_access(self, job: SandboxJob) -> SandboxJob:
        return replace(
            job,
            commands=tuple(
                replace(command, env={**command.env, **self.access.env}) for command in job.commands
            ),
            files=(*job.files, *self.access.files),
        )


class _Watched:
    """A store that takes nothing in which a secret stands."""

    def __init__(self, blobs: BlobStore, secrets: list[tuple[str, bytes]]) -> None:
        self._blobs = blobs
        self._secrets = secrets

    def open_blob(self, blob: Digest) -> ByteSource:
        return self._blobs.open_blob(blob)

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        return self._blobs.add_blob(self._searched(data), expected=expected)

    def _searched(self, data: Iterable[bytes]) -> Iterator[bytes]:
        overlap = max((len(secret) for _, secret in self._secrets), default=1) - 1
        tail = b""
        for chunk in data:
            window = tail + bytes(chunk)
            for where, secret in self._secrets:
                if secret in window:
                    raise ImageError(
                        f"a command left the value of {where} in the image",
                        hint="let the command remove what it wrote there; "
                        "what is meant to stay belongs in env, files or postBuild.copy",
                    )
            tail = window[len(window) - min(overlap, len(window)) :]
            yield chunk


def _secrets_of(value: bytes) -> list[bytes]:
    if _CREDENTIALS.search(value):
        return _CREDENTIALS.findall(value)
    is_place = value.startswith(b"/") or _ADDRESS.match(value)
    return [] if is_place or len(value) < _SECRET_LEAST_BYTES else [value]


def _lines(secrets: Iterable[bytes]) -> set[bytes]:
    """Output comes in lines, so a secret of several is hidden line by line."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    return {line for line in lines if len(line) >= _SECRET_LEAST_BYTES}


def _without(line: bytes, hidden: Iterable[bytes]) -> bytes:
    for secret in hidden:
        line = line.replace(secret, _SHOWN.encode())
    return line


def _without_text(text: str, hidden: Iterable[bytes]) -> str:
    return _without(text.encode("utf-8", "surrogateescape"), hidden).decode(
        "utf-8", "surrogateescape"
    )
