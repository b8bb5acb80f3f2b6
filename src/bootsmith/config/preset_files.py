"""The presets: configs that come with bootsmith, as files beside this one."""

from __future__ import annotations

from importlib.resources import files

from bootsmith.errors import ConfigError
from bootsmith.model.similar import similar

DEFAULT_PRESET = "debian"
_SUFFIX = ".jsonc"


def preset_names() -> list[str]:
    """The names of all presets, sorted."""
    folder = files("bootsmith.config") / "presets"
    return sorted(
        item.name.removesuffix(_SUFFIX) for item in folder.iterdir() if item.name.endswith(_SUFFIX)
    )


def preset_text(name: str) -> str:
    """A preset's text.  Raises ``ConfigError`` with the names there are."""
    names = preset_names()
    if name not in names:
        near = similar(name, names)
        raise ConfigError(
            f"there is no preset {name!r}",
            hint=f"did you mean {near[0]}?" if near else "use one of: " + ", ".join(names),
        )
    return (files("bootsmith.config") / "presets" / f"{name}{_SUFFIX}").read_text("utf-8")
