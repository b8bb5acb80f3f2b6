"""Which packages dpkg itself must unpack: those that divert files before their own come.

A diversion (dpkg-divert(1)) says where files of other packages really go.  Made in a
``preinst``, it is there when dpkg unpacks the package, and no longer when all packages are laid
out at once.  The essential packages are laid out nevertheless: without them nothing runs, so
they must bear it, and debootstrap and mmdebstrap rely on that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bootsmith.sources.debian.configure_order import essential_closure
from bootsmith.sources.debian.deb import ControlArchive

_DIVERT = "dpkg-divert"
_QUESTIONS = ("--list", "--listpackage", "--truename")


def left_to_dpkg(controls: Sequence[ControlArchive]) -> tuple[ControlArchive, ...]:
    """Those of ``controls``, all that are to be installed, that dpkg must unpack."""
    diverting = [control for control in controls if _diverts(control)]
    if not diverting:
        return ()
    essential = {id(control) for control in essential_closure(controls)}
    return tuple(control for control in diverting if id(control) not in essential)


def not_among(
    controls: Iterable[ControlArchive], others: Iterable[ControlArchive]
) -> tuple[ControlArchive, ...]:
    """``controls`` without ``others``."""
    known = {id(control) for control in others}
    return tuple(control for control in controls if id(control) not in known)


def _diverts(control: ControlArchive) -> bool:
    """Whether the script calls dpkg-divert for anything but to ask what is diverted."""
    return any(
        _DIVERT in line
        and not line.lstrip().startswith("#")
        and not any(question in line for question in _QUESTIONS)
        for line in control.lines("preinst")
    )
