"""``bootsmith image``: the local library of images."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from bootsmith.cli.image_text import (
    image_lines,
    library_table,
    moved_lines,
    stored_fields,
    taken_text,
)
from bootsmith.cli.sizes import size_text
from bootsmith.errors import ConfigError
from bootsmith.sdk.inspection import inspection
from bootsmith.sdk.library import Label, Library, Removed, Transfer

_ARCH = click.option("--arch", metavar="ARCH", help="The image for this architecture.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Keep images under names, in a library of this user's.

    SELECTOR is a folder, a name with or without a tag, a build id or its beginning.  The
    library is in $BOOTSMITH_IMAGE_STORE, by default ~/.local/share/bootsmith/images.
    """


@command.command("ls")
@click.option("--verify", is_flag=True, help="Read all files and tell which images are damaged.")
@_JSON
def list_images(verify: bool, as_json: bool) -> int:
    """List the images: names, architecture, build id, sizes, day added."""
    library = Library()
    images = library.images()
    problems = {
        image.build_id: tuple(map(str, library.problems(image.build_id))) if verify
        else ((image.problem,) if image.problem else ())
        for image in images
    }  # fmt: skip
    if as_json:
        found = [stored_fields(image, problems[image.build_id]) for image in images]
        click.echo(json.dumps(found, indent=2))
    elif images:
        for line in library_table(images, problems, library.total_use()):
            click.echo(line)
    else:
        click.echo(f"{library.root} holds no image; bootsmith build --tag NAME makes one", err=True)
    return 1 if any(problems.values()) else 0


@command.command("import", short_help="Take in an image: a folder, or an archive of one.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--tag", "tags", multiple=True, metavar="NAME[:TAG]", help="Call it so.")
@click.option(
    "--link", is_flag=True, help="Share the files by hard links; both are read-only then."
)
@click.option("--move", is_flag=True, help="Take the files away from SOURCE.")
@click.option("--quiet", "-q", is_flag=True, help="Print only the build id.")
def import_image(source: Path, tags: tuple[str, ...], link: bool, move: bool, quiet: bool) -> None:
    """Take in an image: a folder that a build has made, or an archive of one.

    Everything is computed again from the files; what SOURCE says of itself is not believed.
    """
    if link and move:
        raise ConfigError("--link and --move exclude each other")
    transfer = Transfer.LINK if link else Transfer.MOVE if move else Transfer.COPY
    library = Library()
    before = library.labels(tags)
    taken = library.take(source, tags=tags, transfer=transfer)
    if not quiet:
        _tell_moved(before, library.labels(tags))
    click.echo(taken.manifest.build_id if quiet else taken_text(taken, tags))


@command.command("tag")
@click.argument("selector")
@click.argument("names", nargs=-1, required=True, metavar="NAME[:TAG]...")
@_ARCH
def tag(selector: str, names: tuple[str, ...], arch: str | None) -> None:
    """Give an image more names.  A name that another image has moves to this one."""
    library = Library()
    before = library.labels(names)
    found = library.tag(selector, *names, arch=arch)
    _tell_moved(before, library.labels(names))
    for name in names:
        click.echo(f"{name}: {found.build_id}")


@command.command("inspect")
@click.argument("selector")
@_ARCH
@_JSON
def inspect(selector: str, arch: str | None, as_json: bool) -> None:
    """Tell what an image is, what is in it and what it was made from."""
    library = Library()
    found = inspection(library, library.select(selector, arch=arch))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in image_lines(found):
        click.echo(line)


@command.command("rm")
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@click.option(
    "--force", "-f", is_flag=True, help="Remove an image by its build id with all its names."
)
@click.option("--arch", metavar="ARCH", help="Only the image for this architecture.")
def remove(selectors: tuple[str, ...], force: bool, arch: str | None) -> None:
    """Remove names, and images with their last name.

    Only what is in the library is removed, never a folder elsewhere.
    """
    library = Library()
    for selector in selectors:
        _tell_removed(library.remove(selector, arch=arch, force=force))


@command.command("prune", short_help="Remove images without a name, and leftovers.")
@click.option("--dry-run", "-n", is_flag=True, help="Only tell what would be removed.")
def prune(dry_run: bool) -> None:
    """Remove images without a name, and what interrupted commands left behind."""
    removed = Library().prune(dry_run=dry_run)
    _tell_removed(removed, would=dry_run)
    if not (removed.labels or removed.build_ids):
        click.echo("every image has a name")


@command.command("export", short_help="Write an image to a folder or an archive.")
@click.argument("selector")
@click.argument("target", type=click.Path(path_type=Path))
@_ARCH
@click.option("--link", is_flag=True, help="Hard links to the library's own files, read-only.")
def export(selector: str, target: Path, arch: str | None, link: bool) -> None:
    """Write an image to a folder, or to an archive: FILE.tar, FILE.tar.gz or FILE.tar.zst."""
    from bootsmith.library.archive import is_archive_name  # as in sdk.library: when asked for

    if link and is_archive_name(target):
        raise ConfigError("--link is for folders: an archive is a file of its own")
    image = Library().export(selector, target, arch=arch, link=link)
    click.echo(f"{target}: build id {image.build_id}")


@command.command("pull", short_help="Fetch an image from a registry, check it, take it in.")
@click.argument("name", metavar="NAME[:TAG]|BUILD_ID")
@click.option("--registry", metavar="FILE|URL", help="Where to look; by default Gondolin's own.")
@_ARCH
@click.option("--quiet", "-q", is_flag=True, help="Print only the build id.")
def pull(name: str, registry: str | None, arch: str | None, quiet: bool) -> None:
    """Fetch an image from a registry of Gondolin's form, check it, take it in."""
    from bootsmith.cli.terminal import TerminalReporter

    with TerminalReporter(quiet=quiet) as reporter:
        taken = Library(reporter=reporter).pull(name, registry=registry, arch=arch)
    click.echo(taken.manifest.build_id if quiet else taken_text(taken, (name,)))


def _tell_moved(before: Iterable[Label], after: Iterable[Label]) -> None:
    for line in moved_lines(before, after):
        click.echo(line)


def _tell_removed(removed: Removed, *, would: bool = False) -> None:
    verb = "would remove" if would else "removed"
    for label in removed.labels:
        click.echo(f"{verb} the name {label.reference} ({label.arch})")
    for build_id in removed.build_ids:
        click.echo(f"{verb} the image {build_id}")
    if removed.build_ids:
        click.echo(f"{size_text(removed.freed_bytes)} {'would be' if would else 'are'} free again")
