"""Golden files: texts that were looked at once and may not change by accident.

``python -m tests.support.golden`` writes them all anew; nothing else does.
"""

from __future__ import annotations

import importlib
from pathlib import Path

# Modules with a mapping GOLDEN from a file's name to its text; the files lie in `golden/` beside.
_MODULES = ("tests.vm.golden_machines",)


def golden(module_file: str, name: str) -> str:
    """The golden text ``name`` that belongs to the test module at ``module_file``."""
    return (Path(module_file).parent / "golden" / name).read_text("utf-8")


def main() -> None:
    for name in _MODULES:
        module = importlib.import_module(name)
        folder = Path(str(module.__file__)).parent / "golden"
        folder.mkdir(exist_ok=True)
        for stale in set(folder.iterdir()) - {folder / wanted for wanted in module.GOLDEN}:
            stale.unlink()
        for file, text in sorted(module.GOLDEN.items()):
            (folder / file).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
