"""How much memory this machine can spare."""

from __future__ import annotations

from pathlib import Path

_CGROUP_V2 = Path("/sys/fs/cgroup")
_CGROUP_V1 = Path("/sys/fs/cgroup/memory")


def spare_memory_bytes() -> int:
    """What can be used without swapping, within the limit of a container; 0 when unknown."""
    return min((_available_bytes(), *_container_spare_bytes()))


def _available_bytes() -> int:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _container_spare_bytes() -> list[int]:
    """What the limits of our control group leave, where there are any."""
    found = []
    for limit, usage in (
        (_CGROUP_V2 / "memory.max", _CGROUP_V2 / "memory.current"),
        (_CGROUP_V1 / "memory.limit_in_bytes", _CGROUP_V1 / "memory.usage_in_bytes"),
    ):
        try:
            most, used = limit.read_text().strip(), usage.read_text().strip()
        except OSError:
            continue
        if most.isdigit() and used.isdigit():
            found.append(max(0, int(most) - int(used)))
    return found
