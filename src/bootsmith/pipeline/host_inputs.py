"""What a config names on this machine: all of it is in the store before any server is asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import ConfigError, HostError, Problem
from bootsmith.host.files import user_path
from bootsmith.model.digest import Digest
from bootsmith.model.guest_path import GuestPath
from bootsmith.pipeline.build_access import BuildAccess, build_access
from bootsmith.pipeline.copy_in import take_in
from bootsmith.pipeline.distribution import Distribution
from bootsmith.pipeline.guest_programs import GuestFiles, guest_files
from bootsmith.pipeline.logins import wanted_logins
from bootsmith.pipeline.mistakes import Mistakes
from bootsmith.pipeline.own_places import require_free_places
from bootsmith.pipeline.request import BuildRequest
from bootsmith.pipeline.workbench import Workbench
from bootsmith.plan.build_plan import CopyIn, Login
from bootsmith.tree.layer import read_layer


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInputs:
    """``copies`` are ``postBuild.copy``, in its order."""

    guest: GuestFiles
    logins: tuple[Login, ...]
    copies: tuple[CopyIn, ...]
    access: BuildAccess


def host_inputs(request: BuildRequest, distribution: Distribution, bench: Workbench) -> HostInputs:
    """Read everything that the config of ``request`` names.

    Raises ``ConfigError`` that tells every file that cannot be read, is not what it should be or
    would be replaced by one of ours; ``ToolMissing`` when the agent must be compiled and cannot
    be.
    """
    config, store, base = request.config, bench.store, bench.files
    mistakes = Mistakes()
    mistakes.noted(distribution.require_files)
    guest = mistakes.noted(partial(guest_files, request, store=store, base=base))
    logins = mistakes.noted(partial(wanted_logins, config, base))
    copies = mistakes.noted(partial(_copies, config, bench))
    access = mistakes.noted(partial(build_access, config, store=store, base=base))
    mistakes.tell("the config names what cannot be used")
    assert guest is not None
    assert logins is not None
    assert copies is not None
    assert access is not None
    return HostInputs(guest=guest, logins=logins, copies=copies, access=access)


def _copies(config: BuildConfig, bench: Workbench) -> tuple[CopyIn, ...]:
    """``postBuild.copy``, in the store.  Raises ``ConfigError`` that names every mistake."""
    steps: list[CopyIn] = []
    problems: list[Problem] = []
    for index, item in enumerate(config.post_build.copy_):
        try:
            layer = take_in(user_path(item.src, base=bench.files), bench.store)
        except HostError as error:
            problems.append(Problem(pointer=f"postBuild.copy[{index}].src", message=str(error)))
        else:
            steps.append(CopyIn(layer=layer, target=item.dest))
    if problems:
        raise ConfigError("not everything can be copied", problems=tuple(problems))
    require_free_places(config, ((step.target, _paths(step.layer, bench)) for step in steps))
    return tuple(steps)


def _paths(layer: Digest, bench: Workbench) -> list[GuestPath]:
    return [path for path, _ in read_layer(bench.store.open_blob(layer), layer).members]
