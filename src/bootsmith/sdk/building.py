"""From what a caller says to a build: the user's environment is read here and nowhere below."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bootsmith.config.build_config import BuildConfig
from bootsmith.config.idle_parts import idle_part_problems
from bootsmith.config.parse import doubtful_problems, parse_config
from bootsmith.config.preset_files import DEFAULT_PRESET, preset_text
from bootsmith.config.text import parse_text
from bootsmith.errors import ConfigError, HostError, Problem
from bootsmith.host.clock import now_s
from bootsmith.host.environment import environment, host_arch
from bootsmith.host.files import current_folder, read_whole, user_path
from bootsmith.host.http import HttpClient
from bootsmith.manifest.manifest import Manifest
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Reporter
from bootsmith.pipeline.build import build
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.lock import Lock, decode_lock
from bootsmith.sandbox.chosen import ChosenExecutor
from bootsmith.sandbox.head_start import HeadStart
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.settings import source_date_epoch, state_folder
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher

_PACKAGE_LISTS = {"alpine": ("alpine", "rootfsPackages"), "debian": ("debian", "packages")}


def build_image(
    config: BuildConfig | Mapping[str, Any] | str | Path | None,
    *,
    output: Path,
    options: BuildOptions,
    reporter: Reporter,
    store: Store,
    head_start: HeadStart,
    elsewhere: tuple[Path, ...] = (),
) -> Manifest:
    """See ``Image.build``.

    When one of the folders ``elsewhere`` holds that very image, nothing is built at ``output``.
    """
    loaded, folder = load_config(config, options, reporter)
    arch = Arch.parse(options.arch) if options.arch else loaded.arch or host_arch()
    store.blobs.remove_leftovers()
    http = HttpClient()
    fetcher = Fetcher(store=store, http=http, reporter=reporter, offline=options.offline)
    executor = ChosenExecutor(
        wanted=options.executor,
        arch=arch,
        work_folder=store.work,
        head_start=head_start,
        state_folder=state_folder(),
        reporter=reporter,
    )
    workbench = Workbench(
        store=store,
        fetcher=fetcher,
        mirrors=MirrorAccess(
            store=store,
            http=http,
            fetcher=fetcher,
            environment=environment(),
            override=options.mirror,
        ),
        reporter=reporter,
        executor=executor,
        files=folder,
        now=datetime.fromtimestamp(now_s(), UTC),
        allow_unsigned=options.allow_unsigned,
        accept=partial(_try, options.tests, reporter),
    )
    request = BuildRequest(
        config=loaded,
        arch=arch,
        output=output.absolute(),
        elsewhere=elsewhere,
        lock=_read_lock(options.lock_path) if options.lock_path else None,
        source_date_epoch=source_date_epoch(),
        krun=options.krun,
    )
    return build(request, workbench)


def _try(tests: tuple[str, ...], reporter: Reporter, folder: Path) -> None:
    if tests:
        from bootsmith.sdk.trial import try_image  # most builds boot nothing

        reporter.stage("Booting the image")
        try_image(folder, commands=tests, reporter=reporter)


def load_config(
    config: BuildConfig | Mapping[str, Any] | str | Path | None,
    options: BuildOptions,
    reporter: Reporter,
) -> tuple[BuildConfig, Path]:
    """The config that is meant, and the folder its relative paths are relative to.

    Raises ``ConfigError`` with every problem.
    """
    folder = current_folder()
    if isinstance(config, BuildConfig):
        loaded = config
    else:
        if config is None:
            name = options.preset or DEFAULT_PRESET
            origin, fields = f"the preset {name}", parse_text(preset_text(name), origin=name)
        elif isinstance(config, (str, Path)):
            path = user_path(config)
            origin, fields, folder = str(config), _read_config(path), path.parent
        else:
            origin, fields = "the config", dict(config)
        loaded = parse_config(fields, origin=origin, strict=options.strict)
        for problem in (*doubtful_problems(fields), *idle_part_problems(fields, loaded)):
            reporter.warning(f"{origin}: {problem}")
    if options.include:
        loaded = _with_packages(loaded, options.include)
    if options.build_env:
        loaded = _with_variables(loaded, options.build_env)
    _require_carried_out(loaded)
    return loaded, folder


def _with_variables(config: BuildConfig, names: tuple[str, ...]) -> BuildConfig:
    """``config`` whose commands get variables of this process.  Raises ``ConfigError``."""
    variables = environment()
    problems = []
    for name in names:
        if "=" in name:
            message = f"takes the name of a variable; the value of {name.partition('=')[0]} is "
            problems.append(
                Problem(pointer="--build-env", message=f"{message}taken from the environment")
            )
        elif name not in variables:
            problems.append(
                Problem(pointer="--build-env", message=f"{name} is not set in this environment")
            )
    if problems:
        raise ConfigError("a variable cannot be passed on", problems=tuple(problems))
    fields = {"env": {**config.build.env, **{name: variables[name] for name in names}}}
    passed = parse_config({"build": fields}, origin="--build-env").build.env
    return config.model_copy(update={"build": config.build.model_copy(update={"env": passed})})


def _with_packages(config: BuildConfig, packages: tuple[str, ...]) -> BuildConfig:
    """``config`` with more packages of its distribution."""
    part, key = _PACKAGE_LISTS[config.distro]
    fields = json.loads(config.model_dump_json(by_alias=True))
    fields[part][key] += list(packages)
    return parse_config(fields, origin="--include")


def _require_carried_out(config: BuildConfig) -> None:
    """Raises ``ConfigError`` for what is understood and not done yet, before any work."""
    problems = []
    if config.oci is not None:
        problems.append(Problem(pointer="oci", message="OCI images cannot be built from yet"))
    if problems:
        raise ConfigError(
            "the config asks for what this version cannot do",
            problems=tuple(problems),
            hint="build from Debian's packages: --preset debian",
        )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = read_whole(path, most_bytes=16 << 20).decode("utf-8-sig")
    except HostError as error:
        raise ConfigError(str(error), hint="check the path of the config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text") from error
    return parse_text(text, origin=str(path))


def _read_lock(path: Path) -> Lock:
    try:
        return decode_lock(read_whole(path), origin=str(path))
    except HostError as error:
        raise ConfigError(
            f"there is no lock file: {error}", hint="build once without --locked to make one"
        ) from error
