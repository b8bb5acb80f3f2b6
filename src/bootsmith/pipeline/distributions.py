"""The distributions there are; only the one that is asked for is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench


@contextmanager
def distribution_of(request: BuildRequest, bench: Workbench) -> Iterator[Distribution]:
    """The distribution that ``request`` is for; nothing of it goes on when the block has ended."""
    match request.config.distro:
        case "alpine":
            from bootsmith.pipeline.alpine import Alpine

            with closing(Alpine(request, bench)) as alpine:
                yield alpine
        case "debian":
            from bootsmith.pipeline.debian import Debian

            yield Debian(request, bench)
