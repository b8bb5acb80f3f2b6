"""``bootsmith build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootsmith.cli.terminal import TerminalReporter
from bootsmith.cli.verify import verify_image
from bootsmith.config.preset_files import DEFAULT_PRESET, preset_names, preset_text
from bootsmith.errors import ConfigError
from bootsmith.manifest.manifest import LOCK_NAME
from bootsmith.model.reporter import Reporter
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.image import Image
from bootsmith.sdk.settings import DEFAULT_OUTPUT

if TYPE_CHECKING:
    from bootsmith.pipeline.request import KrunMode
    from bootsmith.sandbox.executor import ExecutorName


@click.command()
@click.option(
    "--config", "-c", "config_path", type=click.Path(path_type=Path, dir_okay=False),
    help="A build config (JSON, YAML or TOML).",
)  # fmt: skip
@click.option(
    "--preset",
    type=click.Choice(preset_names()),
    help=f"A config that comes along; by default {DEFAULT_PRESET}.",
)
@click.option(
    "--include", multiple=True, metavar="PACKAGES", help="More packages, separated by commas."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path),
    help=f"The folder to make; {DEFAULT_OUTPUT}, unless --tag is given.",
)  # fmt: skip
@click.option(
    "--tag", "tags", multiple=True, metavar="NAME[:TAG]",
    help="Keep the image in the library under this name.",
)  # fmt: skip
@click.option("--arch", metavar="ARCH", help="x86_64 or aarch64; by default this machine's.")
@click.option("--mirror", metavar="URL", help="The mirror to take packages from.")
@click.option("--locked", is_flag=True, help="Take exactly what the lock file says, or fail.")
@click.option(
    "--lock", "lock_path", type=click.Path(path_type=Path, dir_okay=False),
    help="Take what this lock file says; --locked alone means that of the image to be replaced.",
)  # fmt: skip
@click.option("--offline", is_flag=True, help="Ask no server; use only what is in the store.")
@click.option(
    "--allow-unsigned", is_flag=True, help="Accept unsigned repositories.  Recorded in the image."
)
@click.option(
    "--build-env", multiple=True, metavar="NAME",
    help="Pass this variable on to postBuild.commands.  It ends up in no image.",
)  # fmt: skip
@click.option(
    "--executor", type=click.Choice(("auto", "namespace", "vm")), default="auto",
    help="What runs package scripts: namespaces, a virtual machine, or what works here (auto).",
)  # fmt: skip
@click.option(
    "--krun", type=click.Choice(("require", "auto", "off")), default="auto",
    help="Add the kernel that libkrun boots: or fail, if it can be had (auto), or never.",
)  # fmt: skip
@click.option(
    "--test", "tests", multiple=True, metavar="COMMAND",
    help="Publish the image only if this command succeeds in it, booted.",
)  # fmt: skip
@click.option(
    "--strict",
    is_flag=True,
    help="Fail on keys that mean nothing, and whatever else of a config is doubtful.",
)
@click.option("--init-config", is_flag=True, help="Print a config to start from, and stop.")
@click.option("--verify", "verify_path", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Check an image instead of building one.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="Print only warnings and errors.")
@click.option("--verbose", "-v", is_flag=True, help="Print what scripts print, and more.")
@click.argument("stray", nargs=-1, metavar="")
def command(
    config_path: Path | None,
    preset: str | None,
    include: tuple[str, ...],
    output: Path | None,
    tags: tuple[str, ...],
    arch: str | None,
    mirror: str | None,
    locked: bool,
    lock_path: Path | None,
    offline: bool,
    allow_unsigned: bool,
    build_env: tuple[str, ...],
    executor: ExecutorName,
    krun: KrunMode,
    tests: tuple[str, ...],
    strict: bool,
    init_config: bool,
    verify_path: Path | None,
    quiet: bool,
    verbose: bool,
    stray: tuple[str, ...],
) -> int:
    """Build an image: kernel, initramfs, root file system, manifest and lock.

    \b
    bootsmith build
    bootsmith build --include openssh-server,python3 --output ./my-assets
    bootsmith build --config my.json --tag tools:1.0
    bootsmith build --config my.json --locked
    bootsmith build --include python3 --test 'python3 --version'
    """
    if stray:
        option = "--preset" if stray[0] in preset_names() else "--config"
        raise click.UsageError(f"{stray[0]!r} stands alone: did you mean {option} {stray[0]}?")
    if init_config:
        click.echo(preset_text(preset or DEFAULT_PRESET), nl=False)
        return 0
    if verify_path is not None:
        verify_image(verify_path)
        return 0
    if config_path is not None and preset is not None:
        raise ConfigError("--config and --preset exclude each other")
    options = BuildOptions(
        preset=preset,
        arch=arch,
        include=tuple(name for names in include for name in names.replace(",", " ").split()),
        mirror=mirror,
        lock_path=lock_path or (_former_lock(output, tags) if locked else None),
        offline=offline,
        allow_unsigned=allow_unsigned,
        strict=strict,
        build_env=build_env,
        executor=executor,
        krun=krun,
        tests=tests,
    )
    with TerminalReporter(quiet=quiet, verbose=verbose) as reporter:
        if tags:
            told = _build_and_tag(config_path, output, tags, options, reporter)
        else:
            told = [_build(config_path, output or DEFAULT_OUTPUT, options, reporter)]
    if not quiet:
        for line in told:
            click.echo(line)
    return 0


def _former_lock(output: Path | None, tags: tuple[str, ...]) -> Path:
    """The lock of the image that the new one replaces, in its folder or under its name."""
    if output is not None or not tags:
        return (output or DEFAULT_OUTPUT) / LOCK_NAME
    from bootsmith.library.reference import Reference
    from bootsmith.sdk.selecting import select  # the library: only when asked for

    return select(str(Reference.parse(tags[0]))).folder / LOCK_NAME


def _build(config: Path | None, output: Path, options: BuildOptions, reporter: Reporter) -> str:
    """Build into a folder; what there is to tell of it."""
    image = Image.build(config, output=output, options=options, reporter=reporter)
    return f"{image.folder}: build id {image.build_id}"


def _build_and_tag(
    config: Path | None,
    output: Path | None,
    tags: tuple[str, ...],
    options: BuildOptions,
    reporter: Reporter,
) -> list[str]:
    """Build into the library, or into a folder that the library then takes a copy of.

    Returns what there is to tell, the names last.
    """
    from bootsmith.cli.image_text import moved_lines
    from bootsmith.library.reference import Reference
    from bootsmith.sdk.library import Library  # brings archives along: only when asked for

    names = ", ".join(str(Reference.parse(tag)) for tag in tags)  # a wrong one is told at once
    library = Library(reporter=reporter)
    before = library.labels(tags)
    told = []
    if output is None:
        build_id = library.build(config, tags=tags, options=options).build_id
    else:
        told.append(_build(config, output, options, reporter))
        build_id = library.take(output, tags=tags).manifest.build_id
    return [*told, *moved_lines(before, library.labels(tags)), f"{names}: build id {build_id}"]
