"""Where in the guest a folder is shared."""

from __future__ import annotations

from bootsmith.errors import VMError

_WITHOUT_FORM = frozenset(', "\n\t\0')  # on the kernel's command line


def share_path(guest_folder: str) -> tuple[str, ...]:
    """The names of an absolute folder of the guest.

    Raises ``VMError`` for a path that is relative, climbs, or that the guest's command line has
    no form for.
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
    return names
