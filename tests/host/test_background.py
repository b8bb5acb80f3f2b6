from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootsmith.errors import HostError
from bootsmith.host.background import kill_process

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")


@contextmanager
def sleeper(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs: until it does, the kernel may not know its words yet."""
    code = "import time; print(flush=True); time.sleep(100)"
    with subprocess.Popen((sys.executable, "-c", code, *words), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield process
        finally:
            process.kill()


def test_the_process_that_was_noted(tmp_path: Path) -> None:
    with sleeper(str(tmp_path)) as process:
        kill_process(process.pid, working_on=tmp_path)
        assert process.wait(20) == -9
    kill_process(process.pid, working_on=tmp_path)  # and once more


@linux_only
def test_another_process_that_has_its_number_by_now(tmp_path: Path) -> None:
    with sleeper("other") as process:
        with pytest.raises(HostError, match="is another one by now"):
            kill_process(process.pid, working_on=tmp_path)
        assert process.poll() is None
