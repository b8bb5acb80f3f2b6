"""The part of a config that says where the root file system comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from bootsmith.config.fields import (
    Flag,
    HostPath,
    ManyProblems,
    Matches,
    MirrorAddress,
    Part,
    PathOrAddress,
    Sha256,
)

_SUITE = re.compile(r"[a-z0-9][a-z0-9./_-]*")
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9./-]*")
# As apt-get takes them; ``sources.debian.request`` reads the same.
_DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+?(=[A-Za-z0-9.+:~-]+|/[A-Za-z0-9._-]+|-)?")
# As apk-world(5) has them; ``sources.alpine.world`` reads the same.
_ALPINE_PACKAGE = re.compile(r"!?[^\s!@<>=~]+(@[^\s@<>=~]+)?([<>=~]+[^\s<>=~]+)?")
_ALPINE_VERSION = re.compile(r"v?[0-9]+\.[0-9]+([._-][A-Za-z0-9._-]+)?|edge|latest-stable")
_ALPINE_BRANCH = re.compile(r"v[0-9]+\.[0-9]+|edge|latest-stable")
_REPOSITORY = re.compile(
    r"(@[^\s@<>=~]+\s+)?(https?://[^/\s@]+(/\S*)?|file://\S+|(?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*)"
)
_FILE_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._+-]+")
_RELEASE_TAG = re.compile(r"v[0-9]+(\.[0-9]+)*([.-][A-Za-z0-9.]+)?")
_IMAGE = re.compile(r"[a-z0-9]\S*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?")

DebianPackage: TypeAlias = Annotated[str, Matches(_DEBIAN_PACKAGE, "a Debian package request")]
AlpinePackage: TypeAlias = Annotated[
    str,
    Matches(
        _ALPINE_PACKAGE,
        "a request for an Alpine package, such as nodejs, nodejs~22, curl=8.5.0-r0, name@tag "
        "or !name",
    ),
]
KernelPackage: TypeAlias = Annotated[
    str, Matches(re.compile(r"[a-z0-9][^\s!<>]*"), "the name of a kernel's package")
]
Component: TypeAlias = Annotated[str, Matches(_COMPONENT, "a component of an archive")]
ReleaseTag: TypeAlias = Annotated[str, Matches(_RELEASE_TAG, "a release tag such as v5.2.1")]
RepositoryName: TypeAlias = Annotated[
    str, Matches(_REPOSITORY, "a repository: main, edge/testing, an address, or '@tag' and one")
]

DEFAULT_KRUNFW_VERSION = "v5.2.1"
DEFAULT_ALPINE_PACKAGES = (
    "linux-virt", "rng-tools", "bash", "ca-certificates", "curl", "nodejs", "npm", "uv", "python3",
    "openssh",
)  # fmt: skip


class MinirootfsConfig(Part):
    """An archive of an Alpine root that the root file system begins as."""

    source: PathOrAddress
    """Its path or address."""
    sha256: Sha256 | None = None
    """What its bytes must be; an address needs it."""

    @property
    def is_address(self) -> bool:
        """Whether it is fetched, and is no file that the config's author has at hand."""
        return "://" in self.source

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.is_address and self.sha256 is None:
            message = (
                "must be given with an address: nobody signs such an archive in a way that "
                'bootsmith checks; write {"source": …, "sha256": …}'
            )
            raise ManyProblems([(".sha256", message)])
        return self


def _minirootfs(value: object) -> object:
    if isinstance(value, str):
        return {"source": value}
    if value is None or isinstance(value, (Mapping, MinirootfsConfig)):
        return value
    raise ValueError("must be a path, or an object with source and sha256")


class AlpineConfig(Part):
    """Where Alpine comes from and which of its packages are wanted."""

    version: Annotated[
        str, Matches(_ALPINE_VERSION, "a version of Alpine such as 3.23.0, or edge")
    ] = "3.23.0"
    """The version of Alpine; `edge` is the rolling one."""
    branch: (
        Annotated[str, Matches(_ALPINE_BRANCH, "a branch of Alpine such as v3.23, or edge")] | None
    ) = None
    """The branch of the mirror; left out, that of `version`."""
    mirror: MirrorAddress | None = None
    """The mirror; `http`, `https` or `file`."""
    kernel_package: KernelPackage = "linux-virt"
    """The package with the kernel and its modules."""
    kernel_image: Annotated[str, Matches(_FILE_NAME, "the name of a file in /boot")] = (
        "vmlinuz-virt"
    )
    """The kernel's file in `/boot` of that package."""
    rootfs_packages: tuple[AlpinePackage, ...] = DEFAULT_ALPINE_PACKAGES
    """Packages of the root file system, as apk takes them: `name`, `name~1.2`, `name=1.2-r0`,
    `name@tag`, `!name`."""
    initramfs_packages: tuple[AlpinePackage, ...] = ()
    """Packages whose files go into the initramfs too."""
    krunfw_version: ReleaseTag = DEFAULT_KRUNFW_VERSION
    """The release of libkrunfw that `krun-kernel` is taken from."""
    repositories: tuple[RepositoryName, ...] = ("main", "community")
    """Repositories: a name of the branch, `edge/testing`, or an address; `@tag` may stand
    before it."""
    keys: tuple[HostPath, ...] = ()
    """Files with public keys (PEM, named as signatures name them) trusted beside Alpine's own."""
    minirootfs: Annotated[
        MinirootfsConfig | None,
        BeforeValidator(_minirootfs),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": {
                            "source": {"type": "string"},
                            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                        },
                        "required": ["source"],
                        "additionalProperties": False,
                    },
                ]
            }
        ),
    ] = None
    """An archive of an Alpine root (`alpine-minirootfs-*.tar.gz`) that the root file system
    begins as: its path, or an object with `source` (path or address) and `sha256`, which an
    address needs."""


class DebianConfig(Part):
    """Where Debian comes from and which of its packages are wanted."""

    suite: Annotated[str, Matches(_SUITE, "a suite name such as bookworm")] = "bookworm"
    """The release."""
    components: tuple[Component, ...] = ("main",)
    """Components of the archive."""
    mirror: MirrorAddress | None = None
    """The archive's mirror; `http`, `https` or `file`."""
    security_mirror: MirrorAddress | None = None
    """The security archive's mirror."""
    keys: tuple[HostPath, ...] = ()
    """Files with OpenPGP public keys trusted beside Debian's own."""
    updates: Flag = True
    """Take `<suite>-updates` and `<suite>-security` too."""
    packages: tuple[DebianPackage, ...] = ()
    """Packages beside the base set, as apt-get takes them: `name`, `name=version`, `name/suite`,
    `name-`."""
    recommends: Flag = False
    """Follow Recommends."""


class OciConfig(Part):
    """An OCI image whose file system takes the place of the distribution's packages."""

    image: Annotated[str, Matches(_IMAGE, "an image reference such as docker.io/library/debian:12")]
    """The image: `repo/name[:tag]` or `repo/name@sha256:…`."""
    runtime: Literal["docker", "podman"] | None = None
    """The container runtime that another builder would pull with; bootsmith needs none."""
    platform: Annotated[str, Matches(_PLATFORM, "a platform such as linux/arm64")] | None = None
    """The platform; left out, that of `arch`."""
    pull_policy: Literal["if-not-present", "always", "never"] = "if-not-present"
    """When the registry is asked."""
