"""The build hook: compiles the guest agent and puts the guest's files into the package.

A wheel holds the Zig sources, the init scripts and the finished agents below
``bootsmith/guest``; a source distribution holds them below ``guest``.  The compiler runs only
when the agents there were not made from exactly these sources.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GuestBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """``[tool.hatch.build.hooks.custom]``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        guest = Path(self.root) / "guest"
        agent_build = _load(Path(self.root) / "src/bootsmith/host/agent_build.py")
        if not agent_build.is_fresh(guest):
            self.app.display_info("compiling the guest agent")
            try:
                agent_build.compile_all(guest)
            except subprocess.CalledProcessError as error:
                self.app.display_error(error.stderr.decode("utf-8", "replace"))
                self.app.abort("the guest agent could not be compiled")
        if self.target_name == "wheel" and version != "editable":
            for file in sorted(guest.rglob("*")):
                if file.is_file() and not file.name.startswith("."):
                    inside = file.relative_to(self.root).as_posix()
                    build_data["force_include"][str(file)] = f"bootsmith/{inside}"


def _load(path: Path) -> ModuleType:
    """One module by its path: the package around it is not installed yet."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
