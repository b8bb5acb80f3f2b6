"""What a user asks of the solver, in apt-get's notation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bootsmith.errors import ImageError, ResolveError
from bootsmith.sources.debian.version import Version

_ITEM = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*?)"
    r"(?:=(?P<version>[A-Za-z0-9.+:~-]+)|/(?P<suite>[A-Za-z0-9._-]+)|(?P<minus>-))?"
)


class BaseSet(Enum):
    """What an image holds before anything is asked for; each includes those before it."""

    NOTHING = "nothing"
    ESSENTIAL = "essential"
    REQUIRED = "required"  # debootstrap's and mmdebstrap's "minbase"
    IMPORTANT = "important"
    STANDARD = "standard"

    @property
    def priorities(self) -> tuple[str, ...]:
        """The priorities whose packages belong to it."""
        order = (BaseSet.REQUIRED, BaseSet.IMPORTANT, BaseSet.STANDARD)
        return tuple(one.value for one in order[: order.index(self) + 1]) if self in order else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing asked for: a package, perhaps of one version or suite; or not to have it."""

    name: str
    version: Version | None = None
    suite: str | None = None
    is_exclusion: bool = False

    @classmethod
    def parse(cls, text: str) -> Item:
        """``name``, ``name=version``, ``name/suite`` or ``name-``.

        Raises ``ResolveError`` for any other text.
        """
        found = _ITEM.fullmatch(text)
        if found is None:
            raise _not_an_item(text)
        try:
            version = Version.parse(found["version"]) if found["version"] else None
        except ImageError as error:
            raise _not_an_item(text) from error
        return cls(
            name=found["name"],
            version=version,
            suite=found["suite"],
            is_exclusion=found["minus"] is not None,
        )

    @property
    def is_plain(self) -> bool:
        """Whether any version from any suite will do."""
        return self.version is None and self.suite is None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}={self.version}"
        if self.suite is not None:
            return f"{self.name}/{self.suite}"
        return f"{self.name}-" if self.is_exclusion else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything asked for.  ``with_recommends`` follows Recommends as apt does by default."""

    items: tuple[Item, ...] = ()
    base: BaseSet = BaseSet.REQUIRED
    with_recommends: bool = False

    @classmethod
    def parse(
        cls,
        items: Iterable[str],
        *,
        base: BaseSet = BaseSet.REQUIRED,
        with_recommends: bool = False,
    ) -> Request:
        return cls(items=tuple(map(Item.parse, items)), base=base, with_recommends=with_recommends)


def _not_an_item(text: str) -> ResolveError:
    return ResolveError(
        f"not a request for a Debian package: {text!r}",
        causes=(f"you asked for {text!r}",),
        hint="write name, name=version, name/suite, or name- to leave a package out",
    )
