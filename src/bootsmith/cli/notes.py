"""A reporter for commands that start at once: plain lines, no library to load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bootsmith.host.standard_streams import STDERR, is_terminal
from bootsmith.model.plain_text import plain_text
from bootsmith.model.reporter import Silent

if TYPE_CHECKING:  # what most commands that print notes never load
    from bootsmith.model.arch import Arch
    from bootsmith.sdk.vm import VM
    from bootsmith.sdk.vm_options import Acceleration

_PATIENCE_S = 1.5
_CLEAR_LINE = "\r\x1b[K"


class Notes(Silent):
    """Warnings on standard error; with ``verbose`` also details."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose

    def warning(self, text: str) -> None:
        # A passing note may stand where the warning begins.
        start = _CLEAR_LINE if is_terminal(STDERR) else ""
        click.echo(start + click.style("warning: ", fg="yellow") + plain_text(text), err=True)

    def detail(self, text: str) -> None:
        if self._verbose:
            click.echo(click.style(plain_text(text), dim=True), err=True)


@contextmanager
def booting(vm: VM) -> Iterator[VM]:
    """Start ``vm`` and stop it in the end; who waits long at a terminal is told what for."""
    with note_if_long(vm.files.arch, vm.options.acceleration):
        vm.start()
    with vm:
        yield vm


@contextmanager
def note_if_long(
    guest: Arch, acceleration: Acceleration = "auto", *, patience_s: float = _PATIENCE_S
) -> Iterator[None]:
    """Who waits at a terminal for a boot that takes long is told so, until it is done."""
    note = _PassingNote(lambda: _boot_text(guest, acceleration), patience_s)
    try:
        yield
    finally:
        note.remove()


def _boot_text(guest: Arch, acceleration: Acceleration) -> str:
    from bootsmith.sdk.emulation import will_be_emulated  # what boots has loaded it by then

    if will_be_emulated(guest, acceleration):
        return "booting; the machine is emulated, which takes some seconds …"
    return "booting …"


class _PassingNote:
    """A line at the terminal that appears after a while and is removed without a trace."""

    def __init__(self, text: Callable[[], str], patience_s: float) -> None:
        self._text = text
        self._is_over = False
        self._is_shown = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(patience_s, self._show)
        self._timer.daemon = True
        if is_terminal(STDERR):
            self._timer.start()

    def remove(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._is_shown:
                click.echo(_CLEAR_LINE, nl=False, err=True)

    def _show(self) -> None:
        text = self._text()
        with self._lock:
            if not self._is_over:
                self._is_shown = True
                click.echo(click.style(text, dim=True), nl=False, err=True)
