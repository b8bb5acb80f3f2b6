"""The recipe of commands, and that it works with dpkg itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bootsmith.sources.configuration import Configuration
from bootsmith.sources.debian.configure import (
    AUDIT,
    configuration,
)
from bootsmith.sources.debian.deb import ControlArchive, ControlFile
from bootsmith.sources.debian.diversions import left_to_dpkg
from tests.sources.debian.test_configure_order import control
from tests.support.judges import judge


def with_preinst(name: str, script: str, **fields: str) -> ControlArchive:
    plain = control(name, fields)
    file = ControlFile(content=script.encode(), mode=0o755)
    return ControlArchive(text=plain.text, fields=plain.fields, files={"preinst": file})


def labels(work: Configuration) -> list[str]:
    return [command.label for command in work.commands]


def test_packages_without_scripts() -> None:
    work = configuration([control("b", {"Depends": "a"}), control("a", {})], dpkg_version="1.22")
    assert labels(work) == ["dpkg --configure", "dpkg --audit"]
    assert work.commands[0].argv == ("dpkg", "--force-unsafe-io", "--configure", "a", "b")
    assert work.commands[0].env["DEBIAN_FRONTEND"] == "noninteractive"


def test_every_preinst_runs_and_base_passwd_comes_first() -> None:
    controls = [
        with_preinst("a", "#!/bin/sh\n"),
        control("b", {}),
        with_preinst("base-passwd", "#!/bin/sh\n", Depends="a"),
    ]
    work = configuration(controls, dpkg_version="1.22")
    assert labels(work) == ["preinst", "dpkg --configure", "dpkg --audit"]
    files = {file.path.decode(): file for file in work.files}
    script = files["run/bootsmith/preinsts"].content.decode()
    calls = [line for line in script.splitlines() if line.startswith("run /")]
    assert calls == ["run /run/bootsmith/0 base-passwd all", "run /run/bootsmith/1 a all"]
    assert files["run/bootsmith/1/preinst"].mode == 0o755
    assert files["run/bootsmith/1/control"].content.startswith(b"Package: a\n")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("#!/bin/sh\ndpkg-divert --add /bin/x\n", True),
        ("#!/bin/sh\nif true; then\n\tdpkg-divert --add /bin/x; fi\n", True),
        ("#!/bin/sh\n  # dpkg-divert --add /bin/x\n", False),
        ("#!/bin/sh\necho hello\n", False),
        ("#!/bin/sh\nname=$(dpkg-divert --truename /bin/sh)\n", False),
        ("#!/bin/sh\ndpkg-divert --listpackage /bin/sh && dpkg --version\n", False),
    ],
)
def test_who_diverts(script: str, *, expected: bool) -> None:
    diverting, essential = with_preinst("a", script), with_preinst("e", script, Essential="yes")
    needed = with_preinst("n", script)
    other = control("b", {"Essential": "yes", "Depends": "n"})
    controls = (diverting, essential, needed, other)
    assert left_to_dpkg(controls) == ((diverting,) if expected else ())


def test_who_diverts_is_unpacked_by_dpkg_after_the_others() -> None:
    controls = [
        with_preinst("d", "#!/bin/sh\ndpkg-divert --add /bin/x\n"),
        with_preinst("a", "#!/bin/sh\n", Depends="d"),
    ]
    work = configuration(controls, dpkg_version="1.22")
    assert labels(work) == ["preinst", "dpkg --unpack", "dpkg --configure", "dpkg --audit"]
    assert "/var/cache/apt/archives" in work.commands[1].argv
    assert work.commands[2].argv[-2:] == ("d", "a")
    script = next(file for file in work.files if file.path.endswith(b"/preinsts"))
    assert b" d all" not in script.content


def test_what_keeps_services_and_keys_away() -> None:
    work = configuration([control("a", {})], dpkg_version="1")
    files = {file.path.decode(): file for file in work.files}
    assert (
        subprocess.run(["sh", "-c", files["usr/sbin/policy-rc.d"].content], check=False).returncode
        == 101
    )
    assert (
        subprocess.run(
            ["sh", "-c", files["sbin/start-stop-daemon"].content], check=False
        ).returncode
        == 0
    )
    assert files["etc/ssh/ssh_host_ed25519_key"].content == b""


@pytest.mark.judge
def test_the_scripts_are_good_shell(tmp_path: Path) -> None:
    controls = [with_preinst(name, "#!/bin/sh\n") for name in ("a", "b+c")]
    work = configuration(controls, dpkg_version="1.22~x'y")
    for number, file in enumerate(work.files):
        if file.content.startswith(b"#!/bin/sh"):
            path = tmp_path / f"{number}.sh"
            path.write_bytes(file.content)
            judge("shellcheck", "--severity=style", path)


def test_preinsts_see_what_dpkg_tells_them(tmp_path: Path) -> None:
    """The script itself, in a folder that stands for the root."""
    show = "#!/bin/sh\necho $0 $1 $(env | grep -c ^DPKG_) $DPKG_MAINTSCRIPT_PACKAGE\n"
    controls = [with_preinst("a", show), with_preinst("b", "#!/bin/sh\nexit 3\n")]
    work = configuration(controls, dpkg_version="1.22")
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    for file in work.files:
        path = tmp_path / file.path.decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    script = tmp_path / "run/bootsmith/preinsts"
    for place in ("/var/lib/dpkg", "/run/bootsmith"):
        script.write_text(script.read_text().replace(place, f"{tmp_path}{place}"))
    done = subprocess.run(
        [script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False
    )
    assert done.stdout == f"{tmp_path}/var/lib/dpkg/tmp.ci/preinst install 7 a\n"
    assert done.stderr == "the preinst script of b failed with status 3\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("output", "status", "expected"), [("", 0, 0), ("x is broken", 0, 1), ("", 2, 1)]
)
def test_the_audit_fails_when_dpkg_has_something_to_say(
    tmp_path: Path, output: str, status: int, expected: int
) -> None:
    fake = tmp_path / "dpkg"
    fake.write_text(f"#!/bin/sh\nprintf '{output}'\nexit {status}\n")
    fake.chmod(0o755)
    shell = shutil.which("sh")
    assert AUDIT.argv[0] == "/bin/sh"
    assert shell is not None
    done = subprocess.run(
        [shell, *AUDIT.argv[1:]],
        env={"PATH": f"{tmp_path}:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (expected, output)
