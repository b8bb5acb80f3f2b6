"""What a manifest tells of the build it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bootsmith._version import __version__
from bootsmith.config.build_config import BuildConfig
from bootsmith.host.environment import own_sources_digest
from bootsmith.manifest.manifest import Artifact, Manifest
from bootsmith.pipeline.krun import krun_record
from bootsmith.pipeline.request import BuildRequest
from bootsmith.plan.build_plan import BuildPlan
from bootsmith.plan.lock import Lock


def image_manifest(
    request: BuildRequest,
    lock: Lock,
    plan: BuildPlan,
    artifacts: dict[str, Artifact],
    *,
    epoch_s: int,
) -> Manifest:
    return Manifest(
        arch=request.arch,
        build_time=datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        artifacts=artifacts,
        config=request.config.as_json(),
        rootfs_mode=request.config.runtime_defaults.rootfs_mode,
        record={
            "builder": builder(),
            "planId": str(plan.id),
            "sourceDateEpoch": epoch_s,
            "initramfsCompression": "lz4",
            "unsignedRepositories": list(lock.unsigned),
            "kernel": {"package": lock.kernel.name, "version": lock.kernel.version},
            **krun_record(lock, request.config),
            **_minirootfs_record(lock, request.config),
            "packages": {package.name: package.version for package in lock.packages},
        },
    )


def builder() -> dict[str, str]:
    """Which bootsmith this is."""
    return {"version": __version__, "sources": str(own_sources_digest())}


def _minirootfs_record(lock: Lock, config: BuildConfig) -> dict[str, Any]:
    """``pinned`` tells whether the config said what the archive is; nobody signs it."""
    archive, named = lock.minirootfs, config.alpine.minirootfs
    if archive is None or named is None:
        return {}
    return {"minirootfs": {"digest": str(archive.digest), "pinned": named.sha256 is not None}}
