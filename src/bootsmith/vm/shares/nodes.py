"""The numbers by which a guest knows the files that are shared with it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from bootsmith.host.shared_folder import SharePath

ROOT_NUMBER = 1


@dataclass(slots=True)
class _Node:
    """A name in the directory ``parent``, which is 0 for the root."""

    parent: int
    name: str


class ShareNodes:
    """Inode numbers and the paths behind them.

    A number keeps its meaning when a directory above it is renamed, since a node knows only its
    parent.  Numbers are never used twice, and one whose name was removed is forgotten: a guest
    that makes and removes files for ever costs nothing.
    """

    def __init__(self) -> None:
        self._nodes = {ROOT_NUMBER: _Node(0, "")}
        self._numbers: dict[tuple[int, str], int] = {}
        self._fresh = itertools.count(ROOT_NUMBER + 1)

    @property
    def count(self) -> int:
        """How many numbers have a meaning."""
        return len(self._nodes)

    def number(self, parent: int, name: str) -> int:
        """The number of ``name`` in the directory ``parent``; a new one if it has none."""
        found = self._numbers.get((parent, name))
        if found is None:
            found = self._numbers[parent, name] = next(self._fresh)
            self._nodes[found] = _Node(parent, name)
        return found

    def path(self, number: int) -> SharePath | None:
        """The path of ``number``; ``None`` when it is unknown or was removed."""
        names: list[str] = []
        while number != ROOT_NUMBER:
            node = self._nodes.get(number)
            if node is None:
                return None
            names.append(node.name)
            number = node.parent
        return tuple(reversed(names))

    def remove(self, parent: int, name: str) -> None:
        """``name`` is no longer in ``parent``."""
        number = self._numbers.pop((parent, name), None)
        if number is not None:
            del self._nodes[number]

    def move(self, parent: int, name: str, new_parent: int, new_name: str) -> None:
        """``name`` in ``parent`` takes the place of ``new_name`` in ``new_parent``."""
        if (parent, name) == (new_parent, new_name):
            return
        self.remove(new_parent, new_name)
        number = self._numbers.pop((parent, name), None)
        if number is not None and self._leads_through(new_parent, number):
            # Somebody else has moved folders around at the same moment, so what we know is no
            # longer so: below itself it would have no path that ends.
            del self._nodes[number]
        elif number is not None:
            self._numbers[new_parent, new_name] = number
            self._nodes[number] = _Node(new_parent, new_name)

    def _leads_through(self, number: int, ancestor: int) -> bool:
        while number != ROOT_NUMBER and number in self._nodes:
            if number == ancestor:
                return True
            number = self._nodes[number].parent
        return False
