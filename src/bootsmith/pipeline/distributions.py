"""The distributions there are."""

from __future__ import annotations

from collections.abc import Callable

from bootsmith.pipeline.alpine import Alpine
from bootsmith.pipeline.debian import Debian
from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench

_BY_NAME: dict[str, Callable[[BuildRequest, Workbench], Distribution]] = {
    "alpine": Alpine,
    "debian": Debian,
}


def distribution_of(request: BuildRequest, bench: Workbench) -> Distribution:
    """The distribution that ``request`` is for."""
    return _BY_NAME[request.config.distro](request, bench)
