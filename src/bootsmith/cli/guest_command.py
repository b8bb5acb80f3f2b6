"""``[IMAGE] [OPTIONS] -- COMMAND…``: what the commands that run something in a guest share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from bootsmith.errors import AgentError, ConfigError
from bootsmith.host.environment import environment
from bootsmith.host.paths import exists
from bootsmith.host.signal_forwarding import ForwardedSignals
from bootsmith.host.standard_streams import (
    STDERR,
    STDIN,
    STDOUT,
    is_terminal,
    read_chunks,
    writer,
)
from bootsmith.sdk.guest import Guest
from bootsmith.sdk.vm_options import CommandResult
from bootsmith.vm.execution import RunningCommand
from bootsmith.vm.shell import LOGIN_SHELL

_NOT_STARTED = 127  # the agent's exit status for a command that it could not start
_LONGEST_PATH_BYTES = 4096 + 32  # with what the agent says around it


class CommandAfterDashes(click.Command):
    """Splits ``[IMAGE] [OPTIONS] -- COMMAND…`` at the dashes, before click would drop them.

    The words behind them arrive as ``words``.
    """

    usage_of_words = "[-- COMMAND…]"

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), self.usage_of_words]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, words = args, []
        if "--" in args:
            at = args.index("--")
            ours, words = args[:at], args[at + 1 :]
        rest = super().parse_args(ctx, ours)
        ctx.params["words"] = tuple(words)
        return rest


class NeedsCommand(CommandAfterDashes):
    """Refuses to go without a COMMAND, and says where it goes when it stands elsewhere."""

    usage_of_words = "-- COMMAND…"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" not in args[:-1] and not {"-h", "--help"}.intersection(args):
            given = [word for word in args if word != "--"]
            at = self._begin_of_command(given)
            super().parse_args(ctx, given[:at])  # a mistake in the options is told first
            ours, words = shlex.join(given[:at]), shlex.join(given[at:]) or "uname -a"
            example = f"{ours} -- {words}".lstrip()
            raise click.UsageError(
                f"there is no command: write it after --, as in: {ctx.command_path} {example}"
            )
        return super().parse_args(ctx, args)

    def _begin_of_command(self, args: Sequence[str]) -> int:
        """Where in ``args``, which have no dashes, the command seems to begin."""
        positions = list(self._positions(args))
        if positions and _looks_like_an_image(args[positions[0]]):
            positions = positions[1:]
        return positions[0] if positions else len(args)

    def _positions(self, args: Sequence[str]) -> Iterator[int]:
        """Where in ``args`` words stand that are neither options nor their values."""
        takes_value = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        is_value = False
        for at, word in enumerate(args):
            if not is_value and not word.startswith("-"):
                yield at
            is_value = not is_value and word in takes_value


def environment_options(command: Callable[..., int]) -> Callable[..., int]:
    """``--env`` (as a mapping) and ``--cwd`` for what runs in the guest."""
    variable = click.option(
        "--env", "-e", multiple=True, metavar="NAME=VALUE", help="A variable for the command.",
        callback=lambda _context, _option, pairs: _variables(pairs),
    )  # fmt: skip
    folder = click.option("--cwd", metavar="FOLDER", help="The folder in the guest to run it in.")
    return variable(folder(command))


tty_option = click.option("--tty", "-t", is_flag=True, help="Give COMMAND this terminal.")


def run_or_open_shell(
    vm: Guest, words: Sequence[str], *, env: dict[str, str], cwd: str | None, tty: bool = False
) -> CommandResult:
    """Run a command, or without ``words`` a login shell: at this terminal, if there is one.

    A command gets this terminal with ``tty`` only.
    """
    if tty or (not words and has_terminal()):
        return run_on_this_terminal(vm, words or LOGIN_SHELL, env=env, cwd=cwd)
    return run_streaming(vm, words or LOGIN_SHELL, env=env, cwd=cwd)


def run_streaming(
    vm: Guest, words: Sequence[str], *, env: dict[str, str], cwd: str | None
) -> CommandResult:
    """Run a command with this process's own streams; signals for us go to it."""
    errors = _ErrorsOfCommand()
    with ForwardedSignals() as signals:
        result = vm.exec(
            words,
            env=env,
            cwd=cwd,
            stdin=None if is_terminal(STDIN) else read_chunks(STDIN),
            on_stdout=writer(STDOUT),
            on_stderr=errors.pass_on,
            on_start=lambda running: signals.lead_to(_sender(running)),
        )
    if cwd and result.exit_code == _NOT_STARTED and errors.are_of_agent_about(cwd):
        hint = "--cwd is a folder of the guest, not of this machine"
        click.echo(click.style("hint: ", fg="cyan") + hint, err=True)
    return result


def run_on_this_terminal(
    vm: Guest, words: Sequence[str], *, env: dict[str, str], cwd: str | None
) -> CommandResult:
    """Hand this terminal to a command."""
    kind = environment().get("TERM")
    return vm.shell(words, env={"TERM": kind, **env} if kind else env, cwd=cwd)


class _ErrorsOfCommand:
    """What a command prints as errors, passed on; its beginning is remembered."""

    def __init__(self) -> None:
        self._write = writer(STDERR)
        self._beginning = b""

    def pass_on(self, data: bytes) -> None:
        self._beginning += data[: _LONGEST_PATH_BYTES - len(self._beginning)]
        self._write(data)

    def are_of_agent_about(self, folder: str) -> bool:
        """Whether the agent said that it could not go to ``folder``.

        It has no other words for that than a command's own, so a command that says the same
        and fails in the same way is taken for it.
        """
        said = f"{folder}: cannot be entered: ".encode("utf-8", "surrogateescape")
        return self._beginning.startswith(said)


def has_terminal() -> bool:
    return is_terminal(STDIN) and is_terminal(STDOUT)


def require_terminal() -> None:
    """Raises ``ConfigError`` when input or output is something else."""
    if not has_terminal():
        raise ConfigError(
            "--tty needs a terminal as standard input and output", hint="leave --tty out"
        )


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    """``--env`` as a mapping.  Raises ``BadParameter`` for what is not NAME=VALUE."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--env")
        found[name] = value
    return found


def _sender(running: RunningCommand) -> Callable[[int], None]:
    def send(number: int) -> None:
        try:
            running.signal(number)
        except AgentError:
            # The guest is gone; whoever reads the output is told.
            return

    return send


def _looks_like_an_image(word: str) -> bool:
    return "/" in word or exists(Path(word))
