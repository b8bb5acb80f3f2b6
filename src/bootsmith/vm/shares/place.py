"""Where in the guest a folder is shared."""

from __future__ import annotations

from bootsmith.errors import VMError

_WITHOUT_FORM = frozenset(', "\n\t\0')  # on the kernel's command line
_GUESTS_OWN = frozenset(
    ["bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr"]
)  # the guest starts from what lies there
_KERNELS_OWN = frozenset(("dev", "proc", "sys"))  # with all below


def share_path(guest_folder: str) -> tuple[str, ...]:
    """The names of an absolute folder of the guest.

    Raises ``VMError`` for a path that is relative, climbs, or that the guest's command line has
    no form for, and for a folder that no guest can do without.
    """
    names = tuple(name for name in guest_folder.split("/") if name not in ("", "."))
    if (
        not guest_folder.startswith("/")
        or not names
        or ".." in names
        or not _WITHOUT_FORM.isdisjoint(guest_folder)
    ):
        raise VMError(
            f"a folder cannot be shared at {guest_folder!r}",
            hint="use an absolute path of the guest without blanks, commas and '..'",
        )
    if names[0] in _KERNELS_OWN or (len(names) == 1 and names[0] in _GUESTS_OWN):
        raise VMError(
            f"a folder cannot be shared at {guest_folder!r}: it would hide what the guest runs on",
            hint="use a folder of its own",
        )
    return names
