"""Whether an image does what it is for: it is booted, and has to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootsmith.errors import StepFailed
from bootsmith.host.clock import monotonic_s
from bootsmith.model.reporter import Reporter
from bootsmith.sdk.vm import VM

_TAIL_BYTES = 4096
_ANSWER_TIMEOUT_S = 60.0
_RELEASE = "/proc/sys/kernel/osrelease"
_SHELL_ANSWERS = ("/bin/sh", "-c", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was seen: seconds from the start to the agent's greeting, and what runs there."""

    boot_s: float
    kernel_release: str

    def __str__(self) -> str:
        return (
            f"booted in {self.boot_s:.1f} s, agent and /bin/sh answer, Linux {self.kernel_release}"
        )


def try_image(folder: Path, *, commands: Sequence[str] = (), reporter: Reporter) -> Answer:
    """Boot the image in ``folder`` and run each of ``commands`` by ``/bin/sh -lc``.

    Nothing is written to the image.  Raises ``StepFailed``, with the end of the output, for a
    shell or a command that does not end with status 0, and what ``VM.start`` raises.
    """
    began_s = monotonic_s()
    with VM(folder, reporter=reporter) as vm:
        boot_s = monotonic_s() - began_s
        _run(vm, _SHELL_ANSWERS, "/bin/sh -c true", reporter, timeout_s=_ANSWER_TIMEOUT_S)
        for command in commands:
            reporter.stage(f"Testing: {command}")
            _run(vm, command, command, reporter)
        release = vm.read_file(_RELEASE, most_bytes=_TAIL_BYTES, timeout_s=_ANSWER_TIMEOUT_S)
    return Answer(boot_s=boot_s, kernel_release=release.decode("utf-8", "replace").strip())


def _run(
    vm: VM,
    command: str | Sequence[str],
    label: str,
    reporter: Reporter,
    *,
    timeout_s: float | None = None,
) -> None:
    tail = bytearray()

    def take(data: bytes) -> None:
        reporter.output("test", data)
        tail.extend(data)
        del tail[:-_TAIL_BYTES]

    status = vm.exec(command, on_stdout=take, on_stderr=take, timeout_s=timeout_s).exit_code
    if status != 0:
        raise StepFailed(
            f"in the booted image, {label!r} ended with status {status}",
            step=label,
            exit_code=status,
            output_tail=tail.decode("utf-8", "replace"),
            hint="see for yourself: bootsmith build without --test, then bootsmith bash",
        )
