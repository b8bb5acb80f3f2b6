"""An image for a config, built once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError
from bootsmith.model.reporter import Reporter
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.building import load_config
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import cache_folder


def built_image(config: BuildConfig | Mapping[str, Any], reporter: Reporter) -> Image:
    """The image of ``config``, below the cache folder, in a place that the config decides.

    A build that would change nothing leaves it as it is.  Raises as ``Image.build`` does, and
    ``ConfigError`` for what is no config at all.
    """
    if not isinstance(config, (BuildConfig, Mapping)):
        raise ConfigError(
            f"{config!r} is neither an image nor a config",
            hint="name an Image, a folder, a build id, a name of the library, or a mapping",
        )
    loaded, _ = load_config(config, BuildOptions(), reporter)
    text = loaded.model_dump_json(by_alias=True)
    place = cache_folder() / "built" / hashlib.sha256(text.encode()).hexdigest()[:32]
    return Image.build(config, output=place, reporter=reporter)
