"""A virtual machine as a sandbox: the executor with a real kernel, and all it tells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bootsmith.errors import ImageError
from bootsmith.host.environment import host_arch
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.reporter import Silent
from bootsmith.model.streams import ByteSource
from bootsmith.sandbox.executor import SandboxJob
from bootsmith.sandbox.vm import VmExecutor
from bootsmith.tree.file_tree import FileTree
from bootsmith.tree.layer import Layer
from tests.support.debian_kernel import KernelPackage, kernel_package
from tests.support.judges import require
from tests.support.memory_blobs import MemoryBlobs


class BlobsWithKernel:
    """Blobs in memory, and those of the kernel's package."""

    def __init__(self, kernel: KernelPackage) -> None:
        self._own = MemoryBlobs()
        self._kernel = kernel

    def open_blob(self, blob: Digest) -> ByteSource:
        try:
            return self._own.open_blob(blob)
        except ImageError:
            return self._kernel.open_blob(blob)

    def add_blob(self, data: Iterable[bytes], *, expected: Descriptor | None = None) -> Descriptor:
        return self._own.add_blob(data, expected=expected)


class VmSandbox:
    """Like ``tests.sandbox.conftest.Sandbox``; each run boots a machine of its own."""

    def __init__(self, folder: Path, *, room_bytes: int | None = 256 << 20) -> None:
        arch = host_arch()
        require(arch.qemu_system)
        kernel = kernel_package()
        self.folder = folder / "work"
        self.blobs = BlobsWithKernel(kernel)
        self.printed: list[tuple[str, str]] = []
        self.executor = VmExecutor(
            work_folder=self.folder,
            arch=arch,
            kernel_package=lambda: kernel.tree,
            reporter=Silent(),
            state_folder=folder / "state",
            room_bytes=room_bytes,
        )

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.printed]

    def run(self, job: SandboxJob, tree: FileTree) -> Layer:
        return self.executor.run(tree, job, blobs=self.blobs, on_output=self._print).layer

    def _print(self, label: str, line: bytes) -> None:
        self.printed.append((label, line.decode("utf-8", "backslashreplace")))
