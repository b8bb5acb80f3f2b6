"""apt's source lists, in both notations (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bootsmith.errors import ArchiveError
from bootsmith.sources.debian.control import Paragraph, parse_paragraphs

_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """Somewhere apt gets binary packages from: an archive's address and one of its suites."""

    uri: str
    suite: str


def parse_apt_sources(file_name: str, content: bytes) -> tuple[AptSource, ...]:
    """The enabled sources of binary packages in a file, in its order.

    Whatever apt itself would refuse is passed over: this only looks for a mirror.
    """
    if file_name.endswith(".sources"):
        return tuple(_deb822(content))
    return tuple(_one_line_each(content))


def _deb822(content: bytes) -> Iterator[AptSource]:
    try:
        paragraphs = list(parse_paragraphs(content))
    except ArchiveError:
        return
    for fields in paragraphs:
        if "deb" in fields.get("Types", "").split() and _is_enabled(fields):
            for uri in fields.get("URIs", "").split():
                for suite in fields.get("Suites", "").split():
                    yield AptSource(uri=uri, suite=suite)


def _is_enabled(fields: Paragraph) -> bool:
    return fields.get("Enabled", "yes").lower() not in ("no", "false", "without", "off", "disable")


def _one_line_each(content: bytes) -> Iterator[AptSource]:
    for line in content.decode("utf-8", "replace").split("\n"):
        found = _ONE_LINE.match(line.partition("#")[0].strip())
        if found is not None:
            yield AptSource(uri=found["uri"], suite=found["suite"])
