"""Parts of a config that are right and have no effect, which their author should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import Problem

_OTHER = {"alpine": "debian", "debian": "alpine"}


def idle_part_problems(fields: Mapping[str, Any], config: BuildConfig) -> Iterator[Problem]:
    """What of ``fields``, which are those of ``config``, is not used in a build."""
    other = _OTHER[config.distro]
    if other in fields:
        yield Problem(
            pointer=other,
            message=f"has no effect, since distro is {config.distro}",
            suggestion=f'write "distro": "{other}" if that is meant',
        )
    if config.distro == "alpine" and config.kernel.package is not None:
        yield Problem(
            pointer="kernel.package",
            message="has no effect on Alpine",
            suggestion="use alpine.kernelPackage",
        )
    if config.container.force:
        yield Problem(
            pointer="container.force",
            message="has no effect yet: commands run in bootsmith's own sandbox",
        )
