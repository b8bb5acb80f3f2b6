"""The beginning of a build, before all that it builds with is loaded.

Configs, indexes, trees and file systems are a quarter of a second of modules.  The processor
beside ours reads our own sources meanwhile, of which every build wants the digest, finds out what
this machine can do, and starts a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from bootsmith.host.environment import own_sources_digest
from bootsmith.host.paths import exists
from bootsmith.manifest.manifest import Manifest
from bootsmith.model.reporter import Reporter
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.settings import cache_folder
from bootsmith.store.blobs import Store

if TYPE_CHECKING:
    from bootsmith.config.build_config import BuildConfig


def start_build(
    config: BuildConfig | Mapping[str, Any] | str | Path | None,
    *,
    output: Path,
    options: BuildOptions | None,
    reporter: Reporter,
    elsewhere: tuple[Path, ...] = (),
) -> Manifest:
    """See ``sdk.building.build_image``."""
    options = options or BuildOptions()
    store = Store(options.cache_dir or cache_folder())
    Thread(target=own_sources_digest, name="own sources", daemon=True).start()
    with closing(HeadStart(store.work)) as head_start:
        # Where there is an image already, nothing may have changed, and nothing be run.
        if options.executor != "vm" and not any(map(exists, (output, *elsewhere))):
            head_start.begin()
        from bootsmith.sdk.building import build_image

        return build_image(
            config,
            output=output,
            options=options,
            reporter=reporter,
            store=store,
            head_start=head_start,
            elsewhere=elsewhere,
        )
