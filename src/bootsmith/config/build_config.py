"""What a user may ask for, as one value.

Names and meanings of the fields are those of Gondolin's build config where it has them;
``debian``, ``kernel``, ``files`` and ``hostname`` are ours.
In the file the names are in camel case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from bootsmith.errors import ConfigError, UnsafePath
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_SUITE = re.compile(r"[a-z0-9][a-z0-9./_-]*")
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9./-]*")
# As apt-get takes them; ``sources.debian.request`` reads the same.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+?(=[A-Za-z0-9.+:~-]+|/[A-Za-z0-9._-]+|-)?")
_MIRROR = re.compile(r"(https?://[^/\s?#]+|file:///)[^\s?#]*")
_LABEL_BYTES = 16
# What the shell that reads them gives a meaning, or forbids to change.
_SHELLS_OWN = frozenset({"IFS", "OPTIND", "PPID", "PS4", "UID", "EUID", "BASHOPTS", "SHELLOPTS"})


class _Part(BaseModel):
    """Frozen, in camel case outside; unknown keys are kept so that they can be told."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True
    )


def _arch(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Arch.parse(value)
    except ConfigError as error:
        raise ValueError(f"{error.problems[0].message}: {error.problems[0].suggestion}") from None


def _environment(value: object) -> object:
    """``{"A": "1"}`` or ``["A=1"]``, as a mapping."""
    if isinstance(value, (list, tuple)):
        pairs: dict[str, str] = {}
        for item in value:
            if not isinstance(item, str) or "=" not in item:
                raise ValueError(f"{item!r} is not of the form NAME=value")
            name, _, text = item.partition("=")
            pairs[name] = text
        return pairs
    return value


def _environment_names(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in value.items():
        if not _ENV_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name a shell can export")
        if name in _SHELLS_OWN:
            raise ValueError(f"{name} belongs to the shell and cannot be set")
        if "\0" in _text(text):
            raise ValueError(f"the value of {name} holds a NUL character")
    return dict(sorted(value.items()))


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path inside the guest")
    try:
        guest_path(value)
    except UnsafePath as error:
        raise ValueError(str(error)) from error
    return value


def _matches(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


def _text(value: str) -> str:
    """Text that can be written to a file.  Raises ``ValueError`` for half a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds {value[error.start]!r}, which is no character") from error
    return value


def _host_path(value: str) -> str:
    if not value or "\0" in _text(value):
        raise ValueError(f"{value!r} is not a path")
    return value


def _label(value: str) -> str:
    if len(value.encode()) > _LABEL_BYTES:
        raise ValueError(f"{value!r} is longer than the {_LABEL_BYTES} bytes ext4 has for it")
    return value


def _mode(value: object) -> object:
    """``"0755"`` (octal, as chmod takes it) or a number."""
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            raise ValueError(f"{value!r} is not an octal mode such as '0755'") from None
    return value


Environment: TypeAlias = Annotated[
    Mapping[str, str], BeforeValidator(_environment), AfterValidator(_environment_names)
]
AbsolutePath: TypeAlias = Annotated[str, AfterValidator(_absolute)]
PackageRequest: TypeAlias = Annotated[str, _matches(_PACKAGE, "a Debian package request")]
Component: TypeAlias = Annotated[str, _matches(_COMPONENT, "a component of an archive")]
MirrorAddress: TypeAlias = Annotated[
    str, _matches(_MIRROR, "an http, https or file address such as http://ftp.debian.org/debian")
]
HostPath: TypeAlias = Annotated[str, AfterValidator(_host_path)]
Text: TypeAlias = Annotated[str, AfterValidator(_text)]
Mode: TypeAlias = Annotated[
    int,
    BeforeValidator(_mode),
    Field(ge=0, le=0o7777),
    PlainSerializer(lambda mode: f"{mode:04o}", return_type=str),
]


class DebianConfig(_Part):
    """Where Debian comes from and which of its packages are wanted."""

    suite: Annotated[str, _matches(_SUITE, "a suite name")] = "bookworm"
    components: tuple[Component, ...] = ("main",)
    mirror: MirrorAddress | None = None
    security_mirror: MirrorAddress | None = None
    keys: tuple[HostPath, ...] = ()
    """Files with OpenPGP public keys that are trusted beside Debian's own."""
    updates: bool = True
    """Take ``<suite>-updates`` and ``<suite>-security`` too."""
    packages: tuple[PackageRequest, ...] = ()
    recommends: bool = False


class KernelConfig(_Part):
    """Which kernel, and how many of its modules go into the root file system."""

    package: PackageRequest | None = None
    modules: Literal["default", "all", "none"] = "default"


class RootfsConfig(_Part):
    """The root file system image."""

    label: Annotated[str, AfterValidator(_label)] = "gondolin-root"
    size_mb: Annotated[int, Field(gt=0, le=16 << 20)] | None = None
    """A fixed size in MiB; left out, it is the content plus ``free_mb``."""
    free_mb: Annotated[int, Field(ge=0, le=1 << 20)] = 256
    profile: Literal["rw", "ro"] = "rw"


class InitConfig(_Part):
    """Scripts of the user's in place of, or after, ours; paths on this machine."""

    rootfs_init: HostPath | None = None
    initramfs_init: HostPath | None = None
    rootfs_init_extra: HostPath | None = None


class RuntimeDefaults(_Part):
    rootfs_mode: Literal["readonly", "memory", "cow"] | None = None


class CopyConfig(_Part):
    """A file or folder of this machine, and the place in the guest it is copied to."""

    src: HostPath
    dest: AbsolutePath


class PostBuildConfig(_Part):
    copy_: Annotated[tuple[CopyConfig, ...], Field(alias="copy")] = ()
    commands: tuple[Text, ...] = ()


class FileConfig(_Part):
    """A file written into the guest."""

    path: AbsolutePath
    content: Text
    mode: Mode = 0o644
    uid: Annotated[int, Field(ge=0, le=0xFFFF_FFFE)] = 0
    gid: Annotated[int, Field(ge=0, le=0xFFFF_FFFE)] = 0


class BuildConfig(_Part):
    """Everything a build needs to know.  ``arch`` left out is the host's own."""

    arch: Annotated[Arch, BeforeValidator(_arch)] | None = None
    distro: Literal["debian"] = "debian"
    env: Environment = Field(default_factory=dict)
    hostname: Annotated[str, _matches(_HOSTNAME, "a host name")] = "bootsmith"
    debian: DebianConfig = DebianConfig()
    kernel: KernelConfig = KernelConfig()
    rootfs: RootfsConfig = RootfsConfig()
    init: InitConfig = InitConfig()
    runtime_defaults: RuntimeDefaults = RuntimeDefaults()
    post_build: PostBuildConfig = PostBuildConfig()
    files: tuple[FileConfig, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The config as it stands in a file: camel case, nothing that is only a default."""
        fields: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {**fields, "arch": str(self.arch) if self.arch else None, "distro": self.distro}


def unknown_keys(part: BaseModel, pointer: str = "") -> list[str]:
    """The dotted paths of keys that no field of the config has."""
    found = [f"{pointer}{name}" for name in part.model_extra or {}]
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        for index, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(item, BaseModel):
                label = field.alias or name
                where = f"{label}[{index}]" if isinstance(value, tuple) else label
                found += unknown_keys(item, f"{pointer}{where}.")
    return [name for name in found if name != "$schema"]
