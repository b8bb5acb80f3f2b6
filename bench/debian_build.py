"""A whole Debian build against mmdebstrap, packages already downloaded on both sides."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, bootsmith, duration_s, median_pair_s, median_s, ratio_row, run

_INCLUDE = "openssh-server"


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as scratch:
        yield from _Debian(Path(scratch)).rows()


class _Debian:
    """The folders of one measurement."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._env = {"BOOTSMITH_CACHE_DIR": str(scratch / "cache")}
        self._config = scratch / "config.json"
        self._archives = scratch / "archives"
        self._write_config(files=())

    def rows(self) -> Iterator[Row]:
        self._build()
        self._collect_archives()
        ours, peer = median_pair_s(self._build_from_packages, self._mmdebstrap)
        yield ratio_row("Debian minbase + openssh to image", ours, "mmdebstrap", peer, "≤ 0.35")
        self._build()
        yield Row(
            what="build again, nothing changed (whole process)",
            ours=f"{median_s(self._build):.2f} s",
            aim="≤ 0.3 s of work",
        )
        yield Row(
            what="build again, one file more (whole process)",
            ours=f"{self._one_file_more():.2f} s",
            aim="≤ 1.5 s",
        )

    def _build(self) -> None:
        bootsmith(
            "build", "--config", self._config, "--output", self._scratch / "image", env=self._env
        )

    def _build_from_packages(self) -> None:
        """With nothing in the store but indexes and packages, as mmdebstrap has them."""
        shutil.rmtree(self._scratch / "image", ignore_errors=True)
        derived = self._scratch / "cache" / "derived"
        for kind in derived.iterdir():
            if "-index-" not in kind.name:
                shutil.rmtree(kind)
        self._build()

    def _mmdebstrap(self) -> None:
        target = self._scratch / "mmdebstrap"
        cache = '"$1/var/cache/apt/archives"'
        hook = f"mkdir -p {cache} && cp {self._archives}/*.deb {cache}"
        run(
            "mmdebstrap", "--variant=minbase", f"--include={_INCLUDE}", "--skip=download/empty",
            f"--setup-hook={hook}", "bookworm", target, *self._mirror_lines(),
        )  # fmt: skip
        shutil.rmtree(target)

    def _one_file_more(self) -> float:
        durations = []
        for number in range(5):
            self._write_config(files=({"path": "/etc/motd", "content": f"run {number}\n"},))
            durations.append(duration_s(self._build))
        return sorted(durations)[2]

    def _write_config(self, *, files: tuple[dict[str, str], ...]) -> None:
        config = {
            "distro": "debian",
            "debian": {"suite": "bookworm", "packages": [_INCLUDE]},
            "files": list(files),
        }
        self._config.write_text(json.dumps(config))

    def _collect_archives(self) -> None:
        """The packages as apt names them in its cache."""
        self._archives.mkdir()
        lock = json.loads((self._scratch / "image" / "bootsmith.lock.json").read_text())
        for package in lock["packages"]:
            hexadecimal = package["digest"].partition(":")[2]
            blob = self._scratch / "cache" / "blobs" / "sha256" / hexadecimal
            version = package["version"].replace(":", "%3a")
            name = f"{package['name']}_{version}_{package['arch']}.deb"
            shutil.copy(blob, self._archives / name)

    def _mirror_lines(self) -> tuple[str, ...]:
        """The host's own apt sources: the mirror that bootsmith finds too."""
        sources = Path("/etc/apt/sources.list.d/debian.sources")
        return (str(sources),) if sources.exists() else ()
