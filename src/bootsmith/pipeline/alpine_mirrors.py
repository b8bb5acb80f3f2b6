"""Which mirrors a build of Alpine asks: found when the first is needed."""

from __future__ import annotations

from functools import cached_property

from bootsmith.config.distributions import AlpineConfig
from bootsmith.pipeline.mirrors import AskedOnce, MirrorAccess, unknown_mirror
from bootsmith.plan.alpine import repositories
from bootsmith.sources.alpine.mirror import ALPINE, choose_mirror
from bootsmith.sources.mirror import Mirror


class AlpineMirrors:
    """Alpine's own mirror, and the repositories that the config names by their address."""

    def __init__(self, alpine: AlpineConfig, access: MirrorAccess) -> None:
        self._alpine = alpine
        self._access = access

    @cached_property
    def own(self) -> Mirror:
        """The mirror of Alpine itself.  Raises ``ConfigError`` for one that is no address."""
        return choose_mirror(
            configured=self._access.override or self._alpine.mirror,
            environment=self._access.environment,
        )

    def url(self, role: str) -> str:
        """The address of the mirror that a lock calls ``role``.  Raises ``ImageError`` for one
        that is none of the config's."""
        if role not in self._roles:
            raise unknown_mirror(role)
        return self.own.url if role == ALPINE else role

    def indexes(self) -> dict[str, AskedOnce]:
        """The indexes of each mirror, by its role."""
        return {role: self._access.indexes(self.url(role)) for role in sorted(self._roles)}

    @cached_property
    def _roles(self) -> frozenset[str]:
        return frozenset(one.mirror for one in repositories(self._alpine))
