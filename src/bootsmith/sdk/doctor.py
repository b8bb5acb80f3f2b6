"""What this machine can do, each answer found by trying, and what to do about what it cannot."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootsmith._version import __version__
from bootsmith.config.build_config import BuildConfig
from bootsmith.errors import BootsmithError, VMError
from bootsmith.host.acceleration import acceleration_facts
from bootsmith.host.environment import environment, host_arch
from bootsmith.host.files import free_bytes
from bootsmith.host.guest_files import agent_binary
from bootsmith.host.http import HttpClient
from bootsmith.host.process import run
from bootsmith.host.tools import find_tool, install_line
from bootsmith.model.arch import Arch
from bootsmith.model.reporter import Silent
from bootsmith.pipeline.debian_mirrors import DebianMirrors
from bootsmith.pipeline.mirrors import MirrorAccess
from bootsmith.plan.debian import repositories
from bootsmith.sandbox.choose import sandbox_facts
from bootsmith.sdk.settings import cache_folder, state_folder
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.vm.acceleration import decide
from bootsmith.vm.machine import Accelerator

_ROOM_BYTES = 2 << 30  # a Debian build: packages, their files, the image


class Verdict(enum.Enum):
    """``LIMITED`` works, but slower or less well than it could."""

    GOOD = "good"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer.  ``fix`` says how to make it better, if it can be made so."""

    subject: str
    verdict: Verdict
    text: str
    fix: str | None = None


def examine() -> Iterator[Finding]:
    """Everything a build or a boot on this machine depends on, one answer at a time."""
    arch = host_arch()
    yield Finding(subject="bootsmith", verdict=Verdict.GOOD, text=f"{__version__} on {arch}")
    yield from _qemu(arch)
    yield _acceleration(arch)
    yield _scripts(arch)
    yield _agent(arch)
    yield _disk(cache_folder())
    yield from _mirrors()


def _qemu(arch: Arch) -> Iterator[Finding]:
    for guest in (arch, *(other for other in Arch if other is not arch)):
        tool = guest.qemu_system
        found = find_tool(tool)
        if found is not None:
            yield _version(tool, found)
        else:
            yield Finding(
                subject=tool,
                verdict=Verdict.MISSING if guest is arch else Verdict.LIMITED,
                text=f"not installed: images for {guest} can be built and not booted",
                fix=install_line(tool),
            )
    image_tool = find_tool("qemu-img")
    yield Finding(
        subject="qemu-img",
        verdict=Verdict.GOOD if image_tool else Verdict.MISSING,
        text=str(image_tool) if image_tool else "not installed: the root mode cow needs it",
        fix=None if image_tool else install_line("qemu-img"),
    )


def _version(tool: str, path: Path) -> Finding:
    try:
        said = run((path, "--version"), timeout_s=20).stdout.decode("utf-8", "replace")
    except BootsmithError as error:
        return Finding(
            subject=tool, verdict=Verdict.MISSING, text=str(error), fix=install_line(tool)
        )
    return Finding(subject=tool, verdict=Verdict.GOOD, text=f"{said.partition(chr(10))[0]}, {path}")


def _acceleration(arch: Arch) -> Finding:
    try:
        decision = decide(acceleration_facts(state_folder()), guest=arch)
    except VMError as error:
        return Finding(
            subject="acceleration", verdict=Verdict.LIMITED, text=str(error), fix=error.hint
        )
    is_emulated = decision.accelerator is Accelerator.TCG
    return Finding(
        subject="acceleration",
        verdict=Verdict.LIMITED if is_emulated else Verdict.GOOD,
        text=decision.reason,
    )


def _scripts(arch: Arch) -> Finding:
    facts = sandbox_facts(arch)
    support = facts.namespaces
    if support.kind != "none":
        text = {
            "root": "package scripts run in namespaces of root's",
            "subuid": "package scripts run in a user namespace, without root",
            "chroot": "package scripts run in a plain chroot",
        }[support.kind]
        verdict = Verdict.LIMITED if support.kind == "chroot" else Verdict.GOOD
    elif facts.has_qemu:
        text, verdict = "package scripts run in a virtual machine, slowly", Verdict.LIMITED
    else:
        text, verdict = "package scripts cannot be run", Verdict.MISSING
    return Finding(
        subject="sandbox",
        verdict=verdict,
        text=f"{text}: {support.reason}" if support.reason else text,
        fix=support.fix or None,
    )


def _agent(arch: Arch) -> Finding:
    try:
        path = agent_binary(arch)
    except BootsmithError as error:
        return Finding(
            subject="guest agent", verdict=Verdict.MISSING, text=str(error), fix=error.hint
        )
    return Finding(subject="guest agent", verdict=Verdict.GOOD, text=str(path))


def _disk(cache: Path) -> Finding:
    try:
        free = free_bytes(cache)
    except BootsmithError as error:
        return Finding(subject="store", verdict=Verdict.MISSING, text=str(error), fix=error.hint)
    text = f"{cache}, {free / 1e9:.1f} GB free"
    if free < _ROOM_BYTES:
        fix = "free some space, or set BOOTSMITH_CACHE_DIR to another disk"
        return Finding(subject="store", verdict=Verdict.LIMITED, text=text, fix=fix)
    return Finding(subject="store", verdict=Verdict.GOOD, text=text)


def _mirrors() -> Iterator[Finding]:
    """The mirrors a build would take, asked whether they answer."""
    debian = BuildConfig().debian
    http = HttpClient(timeout_s=10)
    store = Store(cache_folder())
    fetcher = Fetcher(store=store, http=http, reporter=Silent())
    access = MirrorAccess(store=store, http=http, fetcher=fetcher, environment=environment())
    suites = {one.archive: one.suite for one in reversed(repositories(debian))}
    for archive, mirror in DebianMirrors(debian, access).by_archive.items():
        url = f"{mirror.url}/dists/{suites[archive]}/InRelease"
        text = f"{mirror.url}, from {mirror.named_by}"
        try:
            with http.get(url):
                yield Finding(subject=archive, verdict=Verdict.GOOD, text=text)
        except BootsmithError as error:
            yield Finding(
                subject=archive,
                verdict=Verdict.MISSING,
                text=f"{text}: {error}",
                fix=error.hint or "name another mirror with --mirror",
            )
