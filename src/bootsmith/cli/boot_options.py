"""IMAGE and the options of every command that boots one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from bootsmith.cli.machine_options import machine_options
from bootsmith.cli.notes import Notes
from bootsmith.sdk.attached_vm import AttachedVM
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions

_IMAGE = click.argument("image", required=False)
_RESUME = click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Begin with this checkpoint."
)
_VERBOSE = click.option("--verbose", "-v", is_flag=True, help="Tell what is decided, and why.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What the user wants booted; ``resume`` is the checkpoint to begin with."""

    image: str | None
    resume: Path | None
    options: VMOptions
    verbose: bool

    @property
    def is_default(self) -> bool:
        """Whether nothing was said about the machine."""
        return self.image is None and self.resume is None and self.options == VMOptions()

    def attached(self, machine: str) -> AttachedVM:
        """The machine that runs already and is meant by ``machine``.

        Raises ``UsageError`` when a new one is described beside it.
        """
        if not self.is_default:
            raise click.UsageError("--vm takes neither an IMAGE nor options of a new machine")
        return VM.attach(machine)

    def vm(self) -> VM:
        """The machine that is meant, not started."""
        notes = Notes(verbose=self.verbose)
        if self.resume is not None:
            return VM.resume(self.resume, self.image, options=self.options, reporter=notes)
        return VM(self.image, options=self.options, reporter=notes)


def boot_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` IMAGE, ``--resume``, ``--verbose`` and all that describes a machine; it
    receives one ``boot``."""

    @functools.wraps(command)
    def with_boot(
        *,
        image: str | None,
        resume: Path | None,
        options: VMOptions,
        verbose: bool,
        **given: object,
    ) -> int:
        boot = Boot(image=image, resume=resume, options=options, verbose=verbose)
        return command(boot=boot, **given)

    decorated: Callable[..., int] = with_boot
    for option in (_VERBOSE, machine_options, _RESUME, _IMAGE):
        decorated = option(decorated)
    return decorated
