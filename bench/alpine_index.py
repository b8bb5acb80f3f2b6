"""Alpine's index at its full size: 23,000 made-up packages, parsed and solved for a hundred.

The shape is that of main and community: a few libraries that everything needs, packages in
families (``-doc``, ``-dev``, ``-openrc``), ``so:``, ``cmd:`` and ``pc:`` names, and triggers.
"""

from __future__ import annotations

import base64
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.alpine_repository import SigningKey, signed_index

from bench.measure import RUNS, Row, duration_s, median_s
from bootsmith.sources.alpine.mirror import ALPINE, Repository
from bootsmith.sources.alpine.solver import solve
from bootsmith.sources.alpine.trust import Keyring
from bootsmith.sources.alpine.universe import load_universe
from bootsmith.sources.alpine.world import parse_world
from bootsmith.store.blobs import Store

_SOURCES = 9_200  # two and a half packages each
_ASKED = 100
_KEY = SigningKey.generate()


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as scratch:
        yield from _Index(Path(scratch)).rows()


@dataclass(frozen=True, slots=True)
class _InMemory:
    """A mirror that needs no time."""

    data: bytes

    def address(self, path: str) -> str:
        return f"https://mirror.example.org/{path}"

    def fresh(self, path: str) -> bytes:
        return self.data


class _Index:
    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "store"
        rng = random.Random(23_000)
        text, names = _index(rng)
        self._mirror = _InMemory(signed_index(text, key=_KEY))
        self._world = parse_world(rng.sample(names, _ASKED))
        self._count = text.count(b"\n\n")

    def rows(self) -> Iterator[Row]:
        chosen = self._solve()
        what = f"index of {self._count:,} packages, {len(self._world)} asked, {chosen} chosen"
        colds = []
        for _ in range(RUNS):
            shutil.rmtree(self._folder)
            colds.append(duration_s(self._solve))
        yield Row(what=what, ours=f"{sorted(colds)[RUNS // 2]:.2f} s", aim="≤ 0.5 s")
        yield Row(
            what="the same, from the store", ours=f"{median_s(self._solve):.2f} s", aim="≤ 0.1 s"
        )

    def _solve(self) -> int:
        """Read, verify and choose; how many packages were chosen."""
        universe = load_universe(
            [Repository(mirror=ALPINE, path="v3.23/main")],
            arch="x86_64",
            fetchers={ALPINE: self._mirror},
            store=Store(self._folder),
            keyring=Keyring({_KEY.name: _KEY.public}),
        )
        return len(solve(universe, self._world).packages)


def _index(rng: random.Random) -> tuple[bytes, list[str]]:
    """The text of an APKINDEX, and the names of what people ask for."""
    names = [f"{rng.choice(_STEMS)}-{number:04}" for number in range(_SOURCES)]
    libc = "so:libc.musl-x86_64.so.1"
    paragraphs = [_paragraph("musl", "1.2.5-r9", "musl", [], f"{libc}=1")]
    for number, name in enumerate(names):
        # The lower the number, the more is built on it; nothing needs what comes after it.
        below = [int(number * rng.random() ** 3) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
        needs = [f"so:lib{names[one]}.so.1" for one in sorted({*below} - {number})]
        version = f"{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(9)}-r{rng.randrange(5)}"
        provides = f"so:lib{name}.so.1=1.{number} cmd:{name}={version}"
        paragraphs.append(_paragraph(name, version, name, [libc, *needs], provides))
        paragraphs.append(
            _paragraph(f"{name}-doc", version, name, [], "", install_if=f"docs {name}={version}")
        )
        if number % 2:
            dev = [f"{name}={version}"]
            paragraphs.append(_paragraph(f"{name}-dev", version, name, dev, f"pc:{name}={version}"))
    return "".join(paragraphs).encode(), names


_STEMS = ("perl", "py3", "lua", "ruby", "lib", "font", "gst", "kde", "php", "go", "tool", "driver")


def _paragraph(
    name: str,
    version: str,
    origin: str,
    needs: list[str],
    provides: str,
    *,
    install_if: str = "",
) -> str:
    identity = base64.b64encode(f"{name}-{version}".encode().ljust(20, b".")[-20:]).decode()
    lines = {
        "C": f"Q1{identity}",
        "P": name,
        "V": version,
        "A": "x86_64",
        "S": "41230",
        "I": "123904",
        "T": f"What {name} is for, in a line of the usual length",
        "U": f"https://{origin}.example.org/",
        "L": "GPL-2.0-or-later",
        "o": origin,
        "m": "A Maintainer <maintainer@example.org>",
        "t": "1700000000",
        "c": "0123456789abcdef0123456789abcdef01234567",
        "D": " ".join(needs),
        "p": provides,
        "i": install_if,
    }
    return "".join(f"{letter}:{value}\n" for letter, value in lines.items() if value) + "\n"
