"""What must run inside a tree before its packages are configured, as data.

Each distribution says it in its own way (``alpine.configure``, ``debian.configure``); whoever
has a sandbox carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.model.guest_command import GuestCommand, GuestFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All there is to do; no network is needed."""

    commands: tuple[GuestCommand, ...]
    files: tuple[GuestFile, ...]
