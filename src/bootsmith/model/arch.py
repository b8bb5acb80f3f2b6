"""The architectures bootsmith builds for, and what every other program calls them."""

from __future__ import annotations

from enum import Enum

from bootsmith.errors import ConfigError, Problem


class Arch(Enum):
    """A guest architecture.  The value is the name the kernel and Alpine use."""

    X86_64 = "x86_64"
    AARCH64 = "aarch64"

    @classmethod
    def parse(cls, text: str) -> Arch:
        """The architecture that any of the known names means.

        Raises ``ConfigError`` for a name that no program in the table uses.
        """
        try:
            return _BY_NAME[text.lower()]
        except KeyError:
            raise ConfigError(
                f"unknown architecture {text!r}",
                problems=(
                    Problem(
                        pointer="arch",
                        message=f"{text!r} is not an architecture bootsmith knows",
                        suggestion="use one of: " + ", ".join(arch.value for arch in cls),
                    ),
                ),
            ) from None

    def __str__(self) -> str:
        return self.value

    @property
    def apk(self) -> str:
        """Alpine's name, as in a repository's path."""
        return self.value

    @property
    def dpkg(self) -> str:
        """Debian's name."""
        return _DPKG[self]

    @property
    def oci(self) -> str:
        """The name in an OCI platform (Go's GOARCH)."""
        return _DPKG[self]

    @property
    def qemu_system(self) -> str:
        """The QEMU program that runs a machine of this architecture."""
        return f"qemu-system-{self.value}"

    @property
    def console(self) -> str:
        """The serial console of QEMU's default machine."""
        return {Arch.X86_64: "ttyS0", Arch.AARCH64: "ttyAMA0"}[self]

    @property
    def elf_machine(self) -> int:
        """``e_machine`` of an ELF file (EM_X86_64, EM_AARCH64)."""
        return {Arch.X86_64: 62, Arch.AARCH64: 183}[self]


_DPKG = {Arch.X86_64: "amd64", Arch.AARCH64: "arm64"}
_BY_NAME = {
    **{arch.value: arch for arch in Arch},
    **{name: arch for arch, name in _DPKG.items()},
}
