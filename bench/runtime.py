"""A guest at work: our host and our guest against Gondolin's, the same kernel, under emulation."""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.gondolin_host import GondolinHost, gondolin_host

from bench.gondolin_stock import stock_image
from bench.measure import Row, bootsmith, duration_s
from bootsmith.sdk.vm import VM
from bootsmith.sdk.vm_options import VMOptions

_ROUNDS = 3
_EXECS = 200
_TRANSFER_BYTES = 64 << 20
_PIPED_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One machine's figures, in seconds."""

    boot_s: float
    true_s: tuple[float, ...]
    cat_s: float
    upload_s: float


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as folder, gondolin_host() as host:
        scratch = Path(folder)
        image = scratch / "image"
        bootsmith("build", "--output", image)
        stock = stock_image(scratch, host.node)
        pairs = [(_ours(image), _gondolins(host, stock)) for _ in range(_ROUNDS)]
        ours, peers = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        yield _row("boot until a command has answered", ours, peers, "boot_s", "≤ 0.6")
        yield _exec_row(ours, peers)
        size = f"{_TRANSFER_BYTES >> 20} MiB"
        yield _row(f"`exec cat` of {size}", ours, peers, "cat_s", "≤ 0.67")
        yield _row(f"upload of {size}", ours, peers, "upload_s", "≤ 0.67")
        yield _memory_row(image)


def _ours(image: Path) -> _Session:
    vm = VM(image, options=VMOptions(acceleration="tcg"))

    def boot() -> None:
        vm.start().exec(["/bin/true"])

    def cat() -> None:
        received = 0

        def count(data: bytes) -> None:
            nonlocal received
            received += len(data)

        vm.exec(["/bin/cat", "/tmp/large"], on_stdout=count)
        assert received == _TRANSFER_BYTES

    try:
        boot_s = duration_s(boot)
        true_s = tuple(duration_s(lambda: vm.exec(["/bin/true"])) for _ in range(_EXECS))
        fill = f"head -c {_TRANSFER_BYTES} /dev/zero > /tmp/large; cat /tmp/large > /dev/null"
        vm.exec(["/bin/sh", "-c", fill])
        cat_s = duration_s(cat)
        content = bytes(_TRANSFER_BYTES)
        upload_s = duration_s(lambda: vm.write_file("/tmp/upload", content))
        return _Session(boot_s=boot_s, true_s=true_s, cat_s=cat_s, upload_s=upload_s)
    finally:
        vm.kill()


def _gondolins(host: GondolinHost, image: Path) -> _Session:
    argv = host.program("bench.mjs", image, str(_TRANSFER_BYTES), str(_EXECS))
    done = host.run(argv, image=image, timeout_s=900)
    if done.returncode:
        raise SystemExit(f"Gondolin's host failed:\n{done.stderr.decode()}")
    found = json.loads(done.stdout)
    return _Session(**{**found, "true_s": tuple(found["true_s"])})


def _row(what: str, ours: list[_Session], peers: list[_Session], figure: str, aim: str) -> Row:
    our_s = statistics.median(getattr(session, figure) for session in ours)
    peer_s = statistics.median(getattr(session, figure) for session in peers)
    return Row(
        what=what,
        ours=f"{our_s:.2f} s",
        peer=f"Gondolin {peer_s:.2f} s",
        ratio=our_s / peer_s,
        aim=aim,
    )


def _exec_row(ours: list[_Session], peers: list[_Session]) -> Row:
    our_s, peer_s = (
        statistics.median(one for session in sessions for one in session.true_s)
        for sessions in (ours, peers)
    )
    return Row(
        what=f"`exec true`, median of {_EXECS * _ROUNDS}",
        ours=f"{our_s * 1000:.1f} ms",
        peer=f"Gondolin {peer_s * 1000:.1f} ms",
        ratio=our_s / peer_s,
        aim="≤ 10 ms",
    )


def _memory_row(image: Path) -> Row:
    """How much this process grows while a command prints so much that nothing could hold it."""
    with VM(image, options=VMOptions(acceleration="tcg")) as vm:
        vm.exec(["/bin/true"])
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        vm.exec(["head", "-c", str(_PIPED_BYTES), "/dev/zero"], on_stdout=len)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    return Row(
        what=f"{_PIPED_BYTES >> 30} GiB of output: the host's peak memory grows by",
        ours=f"{grown_kib / 1024:.1f} MiB",
        aim="flat",
    )
