"""Every exception bootsmith raises on purpose.

::

    BootsmithError                      .hint says what to do next
    ├── ConfigError                     .problems: (pointer, message, suggestion)
    ├── ImageError                      an image could not be built, read or trusted
    │   ├── ResolveError                .causes: the chain of requirements
    │   │   ├── PackageNotFound
    │   │   ├── VersionConflict
    │   │   └── PlatformNotFound
    │   ├── FetchError                  .url .status .retryable
    │   │   ├── AuthError
    │   │   └── IntegrityError          .expected .actual   (never retried silently)
    │   ├── ArchiveError                .member .offset
    │   │   └── UnsafePath
    │   ├── InvalidImage                .failures: what does not agree with the manifest
    │   ├── ImageNotFound               .selector .similar
    │   ├── AmbiguousImage              .selector .candidates
    │   ├── ImageFull                   .needed_bytes .size_bytes
    │   └── StepFailed                  .step .exit_code .output_tail
    ├── HostError
    │   ├── ToolMissing                 .tool .install
    │   └── CommandFailed               .argv .exit_code .tail
    └── VMError
        ├── BootTimeout                 .console_tail
        └── AgentError

An error says what happened, where, and what to do next, and carries the same as
attributes.  Exceptions of other libraries are mapped to this tree at the edge where
they enter; only ``cli/`` turns one into text and an exit status.
"""

from __future__ import annotations

from dataclasses import dataclass


class BootsmithError(Exception):
    """The root of the tree.  ``hint`` is one sentence on what to do next, or ``None``."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration.

    ``pointer`` is the dotted path of the field (``alpine.rootfsPackages[2]``), empty for
    the document itself.
    """

    pointer: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        where = f"{self.pointer}: " if self.pointer else ""
        then = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}{self.message}{then}"


class ConfigError(BootsmithError):
    """A configuration is wrong; every problem found is in ``problems``."""

    def __init__(
        self, message: str, *, problems: tuple[Problem, ...] = (), hint: str | None = None
    ) -> None:
        lines = [message, *(f"  {problem}" for problem in problems)]
        super().__init__("\n".join(lines), hint=hint)
        self.problems = problems


class ImageError(BootsmithError):
    """An image could not be built, read or trusted."""


class ResolveError(ImageError):
    """No set of inputs satisfies what was asked.

    ``causes`` is the chain of requirements that led here, the user's own words first.
    """

    def __init__(
        self, message: str, *, causes: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        lines = [message, *(f"  {'  ' * depth}{cause}" for depth, cause in enumerate(causes))]
        super().__init__("\n".join(lines), hint=hint)
        self.causes = causes


class PackageNotFound(ResolveError):
    """A package is in none of the configured repositories."""


class VersionConflict(ResolveError):
    """Two requirements cannot hold together."""


class PlatformNotFound(ResolveError):
    """A source has nothing for the wanted architecture."""


class FetchError(ImageError):
    """Something could not be fetched.

    ``status`` is the HTTP status, or ``None`` when no answer came; ``retryable`` tells
    whether the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str,
        status: int | None = None,
        retryable: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.url = url
        self.status = status
        self.retryable = retryable


class AuthError(FetchError):
    """The other side wants credentials, or other ones."""


class IntegrityError(FetchError):
    """Bytes are not what their digest or signature says.  Never retried silently."""

    def __init__(
        self,
        message: str,
        *,
        expected: str,
        actual: str,
        url: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, url=url, hint=hint)
        self.expected = expected
        self.actual = actual


class ArchiveError(ImageError):
    """An archive (tar, ar, cpio, ext4 …) is malformed.

    ``member`` names the entry, ``offset`` is the byte position in the uncompressed stream.
    """

    def __init__(
        self,
        message: str,
        *,
        member: str | None = None,
        offset: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.member = member
        self.offset = offset


class UnsafePath(ArchiveError):
    """A path would leave the place it belongs to."""


class InvalidImage(ImageError):
    """A finished image is not what its manifest says; every disagreement is in ``failures``."""

    def __init__(
        self, message: str, *, failures: tuple[Problem, ...], hint: str | None = None
    ) -> None:
        super().__init__("\n".join([message, *(f"  {one}" for one in failures)]), hint=hint)
        self.failures = failures


class ImageNotFound(ImageError):
    """No image is called ``selector``; ``similar`` are names that may have been meant."""

    def __init__(
        self, message: str, *, selector: str, similar: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.selector = selector
        self.similar = similar


class AmbiguousImage(ImageError):
    """Several images could be meant by ``selector``; they are in ``candidates``."""

    def __init__(
        self, message: str, *, selector: str, candidates: tuple[str, ...], hint: str | None = None
    ) -> None:
        super().__init__("\n".join([message, *(f"  {one}" for one in candidates)]), hint=hint)
        self.selector = selector
        self.candidates = candidates


class ImageFull(ImageError):
    """The contents do not fit the fixed size that was asked for."""

    def __init__(
        self, message: str, *, needed_bytes: int, size_bytes: int, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.needed_bytes = needed_bytes
        self.size_bytes = size_bytes


class StepFailed(ImageError):
    """A command inside the image failed; ``output_tail`` is the end of what it printed."""

    def __init__(
        self,
        message: str,
        *,
        step: str,
        exit_code: int,
        output_tail: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.exit_code = exit_code
        self.output_tail = output_tail


class HostError(BootsmithError):
    """This machine lacks or refuses something bootsmith needs."""


class ToolMissing(HostError):
    """A program is not installed; ``install`` is the command that installs it here."""

    def __init__(self, message: str, *, tool: str, install: str) -> None:
        super().__init__(message, hint=f"install it: {install}")
        self.tool = tool
        self.install = install


class CommandFailed(HostError):
    """A program of this machine failed; ``tail`` is the end of what it printed."""

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...],
        exit_code: int,
        tail: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.argv = argv
        self.exit_code = exit_code
        self.tail = tail


class VMError(BootsmithError):
    """A virtual machine could not be started, reached or used."""


class BootTimeout(VMError):
    """The guest did not answer in time; ``console_tail`` is the end of its console."""

    def __init__(self, message: str, *, console_tail: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.console_tail = console_tail


class AgentError(VMError):
    """The guest agent refused a request or broke the protocol.

    ``code`` is the agent's own error code (``exec_failed``, ``unknown_id`` …), or
    ``protocol`` when what it sent could not be understood.
    """

    def __init__(self, message: str, *, code: str = "protocol", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
