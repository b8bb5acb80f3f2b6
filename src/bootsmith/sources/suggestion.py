"""What somebody may have meant who asked for packages that do not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def did_you_mean(similar: Mapping[str, Sequence[str]], *, otherwise: str) -> str:
    """A hint from each name and the names like it; ``otherwise`` where there are none at all."""
    found = {name: " or ".join(meant) for name, meant in similar.items() if meant}
    if len(similar) > 1:
        found = {name: f"{meant} for {name}" for name, meant in found.items()}
    return f"did you mean {', '.join(found.values())}?" if found else otherwise
