"""Doctor tries things, tells what it found, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.debian_images import bootsmith
from tests.support.debian_repository import SigningKey, deb, repository
from tests.support.http_server import serve


def doctor(mirror: str, cache: Path) -> tuple[int, dict[str, str]]:
    done = bootsmith(
        "doctor",
        env={
            "BOOTSMITH_DEBIAN_MIRROR": mirror,
            "BOOTSMITH_DEBIAN_SECURITY_MIRROR": mirror,
            "BOOTSMITH_CACHE_DIR": str(cache),
        },
    )
    lines = [line for line in done.stdout.decode().splitlines() if not line.startswith(" ")]
    return done.returncode, {line[9:].partition(":")[0]: line[:8].strip() for line in lines}


def test_every_subject_gets_a_verdict(tmp_path: Path) -> None:
    archive = repository([deb(name="a")], key=SigningKey.generate(), path="bookworm")
    archive |= repository([deb(name="a")], key=SigningKey.generate(), path="bookworm-security")
    with serve(archive) as server:
        _, verdicts = doctor(server.url, tmp_path)
    assert verdicts.keys() == {
        "bootsmith", "qemu-system-x86_64", "qemu-system-aarch64", "qemu-img", "acceleration",
        "sandbox", "guest agent", "store", "debian", "debian-security",
    }  # fmt: skip
    assert (verdicts["debian"], verdicts["debian-security"]) == ("ok", "ok")
    assert set(verdicts.values()) <= {"ok", "limited", "missing"}


def test_a_mirror_that_does_not_answer_is_missing(tmp_path: Path) -> None:
    status, verdicts = doctor("http://127.0.0.1:9", tmp_path)
    assert (status, verdicts["debian"]) == (1, "missing")


@pytest.mark.skipif(
    not Path("/sys/module/kvm_pvm").exists(), reason="this machine's KVM is not paravirtual"
)
def test_a_paravirtual_kvm_is_found_out(tmp_path: Path) -> None:
    _, verdicts = doctor("http://127.0.0.1:9", tmp_path)
    assert verdicts["acceleration"] == "limited"
