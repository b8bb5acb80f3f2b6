"""The distributions there are; only the one that is asked for is loaded."""

from __future__ import annotations

from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench


def distribution_of(request: BuildRequest, bench: Workbench) -> Distribution:
    """The distribution that ``request`` is for."""
    match request.config.distro:
        case "alpine":
            from bootsmith.pipeline.alpine import Alpine

            return Alpine(request, bench)
        case "debian":
            from bootsmith.pipeline.debian import Debian

            return Debian(request, bench)
