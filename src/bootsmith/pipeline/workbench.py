"""What a build works with, handed in as one value: the outside world, already decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bootsmith.model.reporter import Reporter
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.sandbox.chosen import ChosenExecutor
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """``files`` is the folder that relative paths of the config are relative to.

    ``accept`` is shown the folder of a finished image before anybody else sees it, and raises
    when the image must not be published.
    """

    store: Store
    fetcher: Fetcher
    mirrors: MirrorAccess
    reporter: Reporter
    executor: ChosenExecutor
    files: Path
    now: datetime
    allow_unsigned: bool = False
    accept: Callable[[Path], object] = lambda _: None
