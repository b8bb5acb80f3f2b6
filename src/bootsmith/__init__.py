"""bootsmith: microVM guest images, built and booted.

::

    from bootsmith import VM, Image

    image = Image.build(output="./bootsmith-image")
    with VM(image) as vm:
        print(vm.exec("uname -a").stdout)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bootsmith._version import __version__

if TYPE_CHECKING:
    from bootsmith.sdk.attached_vm import AttachedVM
    from bootsmith.sdk.build_options import BuildOptions
    from bootsmith.sdk.image import Image
    from bootsmith.sdk.library import Library
    from bootsmith.sdk.vm import VM
    from bootsmith.sdk.vm_options import CommandResult, VMOptions
    from bootsmith.vm.machine import Share


_HOMES = {
    "AttachedVM": "bootsmith.sdk.attached_vm",
    "BuildOptions": "bootsmith.sdk.build_options",
    "CommandResult": "bootsmith.sdk.vm_options",
    "Image": "bootsmith.sdk.image",
    "Library": "bootsmith.sdk.library",
    "Share": "bootsmith.vm.machine",
    "VM": "bootsmith.sdk.vm",
    "VMOptions": "bootsmith.sdk.vm_options",
}

__all__ = [
    "VM",
    "AttachedVM",
    "BuildOptions",
    "CommandResult",
    "Image",
    "Library",
    "Share",
    "VMOptions",
    "__version__",
]


def __dir__() -> list[str]:
    """The public names, for completion and ``help``: until they are used they are not here."""
    return __all__


def __getattr__(name: str) -> object:
    """The public names, each imported when it is first used: starting quickly is a feature."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bootsmith' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
