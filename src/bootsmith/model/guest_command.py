"""What is to run in a guest's tree while its image is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bootsmith.model.guest_path import GuestPath


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCommand:
    """A program to run as root of the guest.

    ``env`` is the whole environment the program gets.  ``label`` names the command in output
    and errors; ``source`` is what its author wrote, which an error about its end shows.
    """

    argv: tuple[str, ...]
    label: str
    source: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFile:
    """A file that is there while commands run, and not in the result.

    It covers the file that is there, if any; that one stays as it is.
    """

    path: GuestPath
    content: bytes
    mode: int = 0o644
