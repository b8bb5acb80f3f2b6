"""The numbers by which a guest knows the files that are shared with it."""

from __future__ import annotations

from dataclasses import dataclass

from bootsmith.host.shared_folder import SharePath

ROOT_NUMBER = 1


@dataclass(slots=True)
class _Node:
    """A name in a directory; ``parent`` is 0 for the root and for what was removed."""

    parent: int
    name: str


class ShareNodes:
    """Inode numbers and the paths behind them.

    A number keeps its meaning when a directory above it is renamed, since a node knows only its
    parent.  Numbers are never used twice.
    """

    def __init__(self) -> None:
        self._nodes = {ROOT_NUMBER: _Node(0, "")}
        self._numbers: dict[tuple[int, str], int] = {}

    def number(self, parent: int, name: str) -> int:
        """The number of ``name`` in the directory ``parent``; a new one if it has none."""
        found = self._numbers.get((parent, name))
        if found is None:
            found = self._numbers[parent, name] = len(self._nodes) + 1
            self._nodes[found] = _Node(parent, name)
        return found

    def path(self, number: int) -> SharePath | None:
        """The path of ``number``; ``None`` when it is unknown or was removed."""
        names: list[str] = []
        while number != ROOT_NUMBER:
            node = self._nodes.get(number)
            if node is None or node.parent == 0:
                return None
            names.append(node.name)
            number = node.parent
        return tuple(reversed(names))

    def remove(self, parent: int, name: str) -> None:
        """``name`` is no longer in ``parent``."""
        number = self._numbers.pop((parent, name), None)
        if number is not None:
            self._nodes[number] = _Node(0, name)

    def move(self, parent: int, name: str, new_parent: int, new_name: str) -> None:
        """``name`` in ``parent`` takes the place of ``new_name`` in ``new_parent``."""
        if (parent, name) == (new_parent, new_name):
            return
        self.remove(new_parent, new_name)
        number = self._numbers.pop((parent, name), None)
        if number is not None:
            self._numbers[new_parent, new_name] = number
            self._nodes[number] = _Node(new_parent, new_name)
