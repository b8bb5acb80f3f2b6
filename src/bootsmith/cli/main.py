"""The terminal door.  Nothing below it prints or exits.

Commands are imported when they are asked for, so that ``bootsmith --help`` and ``exec`` do
not wait for what only ``build`` needs.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import click

from bootsmith._version import __version__
from bootsmith.errors import BootsmithError, BootTimeout, ConfigError, StepFailed
from bootsmith.host.signals import Terminated, end_in_order
from bootsmith.host.standard_streams import occupy_closed, tell_failed_output
from bootsmith.model.plain_text import plain_text
from bootsmith.model.similar import similar

_COMMANDS = {
    "attach": ("bootsmith.cli.attach", "Open a shell in a machine that runs."),
    "bash": ("bootsmith.cli.bash", "Boot an image and open a shell in it."),
    "build": ("bootsmith.cli.build", "Build an image: kernel, initramfs, rootfs and manifest."),
    "doctor": ("bootsmith.cli.doctor", "Tell what this machine can do, and what it lacks."),
    "exec": ("bootsmith.cli.exec", "Boot an image, run a command in it, exit with its status."),
    "guest": ("bootsmith.cli.guest", "The programs that run inside a guest."),
    "image": ("bootsmith.cli.image", "Keep images under names: list, import, tag, export, pull."),
    "list": ("bootsmith.cli.list", "List the machines that run on by themselves."),
    "logs": ("bootsmith.cli.logs", "Print the console of a machine."),
    "run": ("bootsmith.cli.run", "Boot an image and use it; with --detach, let it run on."),
    "schema": ("bootsmith.cli.schema", "Print the JSON Schema of a build config."),
    "snapshot": ("bootsmith.cli.snapshot", "Boot an image, run something, keep what it changed."),
    "stop": ("bootsmith.cli.stop", "Power machines off and forget them."),
    "verify": ("bootsmith.cli.verify", "Check an image against its manifest, all of it."),
}
_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000
_FAILED = 1
_USAGE = 2
_INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in _COMMANDS and not word.startswith("-"):
            near = similar(word, _COMMANDS, most=3)
            advice = f": did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {word!r}{advice}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above: help must not import every command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in sorted(_COMMANDS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bootsmith")
def bootsmith() -> None:
    """Build microVM images and boot them, without Docker and without root."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, else the guest's own."""
    occupy_closed()
    tell_failed_output()
    end_in_order()
    # Almost all that a command makes lives until it ends; to look for cycles every 700 objects
    # takes a tenth of a build's time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        sys.exit(_status())
    finally:
        # Nothing is set free any more but by the process's end: the interpreter would look through
        # all that is left for cycles, several times, which takes a sixth of an unchanged build.
        gc.freeze()


def _status() -> int:
    """What the command ends with, its mistakes told."""
    try:
        status = bootsmith.main(prog_name="bootsmith", standalone_mode=False)
    except (KeyboardInterrupt, click.exceptions.Abort) as ending:
        # click turns what interrupts a command into an Abort of its own.
        cause = ending.__cause__ or ending
        if isinstance(cause, Terminated):
            return cause.exit_code
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _tell_usage(error)
        return error.exit_code
    except BootsmithError as error:
        _tell(error)
        return _USAGE if isinstance(error, ConfigError) else _FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        sys.stderr.close()
        return _FAILED
    return status if isinstance(status, int) else 0


def _tell_usage(error: click.ClickException) -> None:
    """click's own mistakes look like all others."""
    message = error.format_message().removesuffix(".")
    _print_error(f"{message[:1].lower()}{message[1:]}")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        _print_hint(f"see: {context.command_path} --help")


def _tell(error: BootsmithError) -> None:
    tail = ""
    if isinstance(error, StepFailed):
        tail = error.output_tail
    elif isinstance(error, BootTimeout):
        tail = error.console_tail
    if tail.strip() and not str(error).endswith(tail.strip().splitlines()[-1]):
        click.echo(click.style("last output:", dim=True), err=True)
        for line in plain_text(tail).strip().splitlines():
            click.echo(f"  {line}", err=True)
    _print_error(str(error))
    if error.hint:
        _print_hint(error.hint)


def _print_error(text: str) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + plain_text(text), err=True)


def _print_hint(text: str) -> None:
    click.echo(click.style("hint: ", fg="cyan") + plain_text(text), err=True)
