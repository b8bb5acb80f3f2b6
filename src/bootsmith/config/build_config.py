"""What a user may ask for, as one value.

Names, defaults and meanings of the fields are those of Gondolin's build config where it has
them; ``debian``, ``kernel``, ``krun``, ``files``, ``users``, ``ssh``, ``build``, ``outputs`` and
``hostname`` are ours.  In the file the names are in camel case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from bootsmith.config.distributions import (
    DEFAULT_KRUNFW_VERSION,
    AlpineConfig,
    DebianConfig,
    DebianPackage,
    OciConfig,
    ReleaseTag,
)
from bootsmith.config.fields import (
    AbsolutePath,
    Architecture,
    Between,
    Environment,
    Flag,
    HostName,
    HostPath,
    Label,
    ManyProblems,
    MirrorAddress,
    Mode,
    Part,
    Sha256,
    Text,
)
from bootsmith.config.logins import SshConfig, Users

_UNWRITTEN: Mapping[str, Any] = {
    "build": True,
    "ssh": {"password_hash"},
    "users": {"__all__": {"password_hash"}},
}
"""What the manifest does not tell: all that exists while the image is built only, and hashes
of passwords, which in the image only root can read."""


class KernelConfig(Part):
    """Which kernel, and how many of its modules go into the root file system."""

    package: DebianPackage | None = None
    """The kernel's package or metapackage (Debian; Alpine has `alpine.kernelPackage`)."""
    modules: Literal["default", "all", "none"] = "default"
    """Modules in the root file system; `default` is what a virtual machine can use."""


class KrunConfig(Part):
    """Where the kernel comes from that libkrun boots the image with.

    An image of Alpine has one where it can be had; one of Debian, only when this part says
    something or `--krun require` asks for it.
    """

    version: ReleaseTag | None = None
    """The release of libkrunfw; left out, `alpine.krunfwVersion`, and on Debian its default."""
    sha256: tuple[Sha256, ...] = ()
    """What the release's archive may be, one for each architecture that is built; left out, it is
    believed when it is first fetched."""
    mirror: MirrorAddress | None = None
    """In place of the releases' own address; `<version>/libkrunfw-<arch>.tgz` is below it."""


class RootfsConfig(Part):
    """The root file system image."""

    label: Label = "gondolin-root"
    """The volume's label, 16 bytes at most."""
    size_mb: Annotated[int, Between(1, 16 << 20)] | None = None
    """A fixed size in MiB; left out, it is the content plus `freeMb`."""
    free_mb: Annotated[int, Between(0, 1 << 20)] = 256
    """Free space in MiB when the size is not fixed; it is a hole on disk."""
    profile: Literal["rw", "ro"] = "rw"
    """`rw` has a journal and can grow; `ro` is as small as it goes."""


class InitConfig(Part):
    """Scripts of the user's in place of, or beside, ours; paths on this machine."""

    rootfs_init: HostPath | None = None
    """A program in place of the root file system's `/init`."""
    initramfs_init: HostPath | None = None
    """A program in place of the initramfs' `/init`."""
    rootfs_init_extra: HostPath | None = None
    """A shell script that `/init` reads before the agent starts."""


class RuntimeDefaults(Part):
    """What a host does with the image unless it is told otherwise."""

    rootfs_mode: Literal["readonly", "memory", "cow"] | None = None
    """What becomes of a guest's writes: refused, kept in memory, kept in an overlay; left out,
    `cow`."""


class CopyConfig(Part):
    """A file or folder of this machine, and the place in the guest it is copied to."""

    src: HostPath
    """The file or folder; a link is copied as a link, wherever it leads."""
    dest: AbsolutePath
    """Where in the guest; a folder's contents are merged into it."""


class PostBuildConfig(Part):
    """What happens to the root file system after its packages are installed."""

    copy_: Annotated[tuple[CopyConfig, ...], Field(alias="copy")] = ()
    """Files and folders of the host, copied in before the commands."""
    commands: tuple[Text, ...] = ()
    """Commands run in order by `/bin/sh -lc` in the image, with network."""


class ContainerConfig(Part):
    """The build environment that another builder would use; bootsmith has a sandbox of its own."""

    force: Flag = False
    """Run commands in a container even where that is not needed."""
    image: Text = "alpine:3.23"
    """The container's image."""
    runtime: Literal["docker", "podman"] | None = None
    """The container runtime; left out, whichever is there."""


class FileConfig(Part):
    """A file written into the guest."""

    path: AbsolutePath
    """Where in the guest."""
    content: Text
    """What is in it."""
    mode: Mode = Field(default=0o644, json_schema_extra={"default": "0644"})
    """Octal digits in quotes, as chmod takes them."""
    owner: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][\w.-]*)?$")
    ] = "root"
    """`user`, `user:group`, or numbers; a user alone brings their own group."""


def _each_path_once(files: tuple[FileConfig, ...]) -> tuple[FileConfig, ...]:
    seen: set[str] = set()
    wrong = []
    for index, file in enumerate(files):
        if file.path in seen:
            wrong.append((f"[{index}].path", f"{file.path} stands there twice"))
        seen.add(file.path)
    if wrong:
        raise ManyProblems(wrong)
    return files


class BuildFileConfig(Part):
    """A file of this machine that the commands see and the image does not get."""

    src: HostPath
    """The file."""
    dest: AbsolutePath
    """Where the commands find it; it covers what the image has there."""


class BuildAccessConfig(Part):
    """What commands need to reach out: an index, a proxy, its authority.  In no image."""

    env: Environment = Field(default_factory=dict)
    """Variables of `postBuild.commands`, and of nothing else."""
    files: tuple[BuildFileConfig, ...] = ()
    """Files that `postBuild.commands` see, and nothing else does."""


def _output(value: object) -> object:
    return {"format": value} if isinstance(value, str) else value


class OutputConfig(Part):
    """A form in which the root file system is written."""

    format: Literal["ext4"]
    """The format; today `ext4`."""


class BuildConfig(Part):
    """Everything a build needs to know.  Every field may be left out."""

    image_name: Text | None = None
    """A name for people; it decides nothing."""
    arch: Architecture | None = None
    """The guest's architecture; left out, this machine's (`amd64`, `arm64` are understood)."""
    distro: Literal["alpine", "debian"] = "debian"
    """The distribution; left out, the one that has a part in the config, else Debian."""
    env: Environment = Field(default_factory=dict)
    """Environment of every command in the guest: an object, or a list of `NAME=value`, in which
    the last of a name counts."""
    hostname: HostName = "bootsmith"
    """The guest's host name."""
    alpine: AlpineConfig = AlpineConfig.model_construct()
    debian: DebianConfig = DebianConfig.model_construct()
    oci: OciConfig | None = None
    kernel: KernelConfig = KernelConfig.model_construct()
    krun: KrunConfig = KrunConfig.model_construct()
    rootfs: RootfsConfig = RootfsConfig.model_construct()
    init: InitConfig = InitConfig.model_construct()
    runtime_defaults: RuntimeDefaults = RuntimeDefaults.model_construct()
    post_build: PostBuildConfig = PostBuildConfig.model_construct()
    container: ContainerConfig = ContainerConfig.model_construct()
    sandboxd_path: HostPath | None = None
    """A program in place of our sandboxd."""
    sandboxfs_path: HostPath | None = None
    """A program in place of our sandboxfs."""
    sandboxssh_path: HostPath | None = None
    """A program in place of our sandboxssh."""
    sandboxingress_path: HostPath | None = None
    """A program in place of our sandboxingress."""
    files: Annotated[tuple[FileConfig, ...], AfterValidator(_each_path_once)] = ()
    """Files written into the image, before the commands."""
    users: Users = ()
    """Users of the guest, made before the commands."""
    ssh: SshConfig | None = None
    build: BuildAccessConfig = BuildAccessConfig.model_construct()
    outputs: tuple[
        Annotated[
            OutputConfig,
            BeforeValidator(_output),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "string", "enum": ["ext4"]},
                        {
                            "type": "object",
                            "properties": {"format": {"type": "string", "enum": ["ext4"]}},
                            "required": ["format"],
                            "additionalProperties": False,
                        },
                    ]
                }
            ),
        ],
        ...,
    ] = (OutputConfig.model_construct(format="ext4"),)
    """Forms in which the root file system is written: a format's name, or an object with
    `format`."""

    @model_validator(mode="before")
    @classmethod
    def _distro_of_the_parts(cls, fields: object) -> object:
        if not isinstance(fields, Mapping) or "distro" in fields or "debian" in fields:
            return fields
        if "alpine" in fields or "oci" in fields:
            return {**fields, "distro": "alpine"}
        return fields

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.oci is not None and self.container.force:
            raise ManyProblems([("container.force", "is not possible together with oci")])
        return self

    @property
    def krunfw_version(self) -> str:
        """The release of libkrunfw that is meant, by its tag."""
        if self.krun.version is not None:
            return self.krun.version
        return self.alpine.krunfw_version if self.distro == "alpine" else DEFAULT_KRUNFW_VERSION

    @property
    def wants_krun(self) -> bool:
        """Whether a kernel for libkrun is looked for when nothing more is said."""
        return self.distro == "alpine" or self.krun != KrunConfig.model_construct()

    def as_json(self) -> dict[str, Any]:
        """The config as the manifest keeps it: camel case, nothing that is only a default, and
        nothing that is secret."""
        fields: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude=_UNWRITTEN
        )
        return {**fields, "arch": str(self.arch) if self.arch else None, "distro": self.distro}
