from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import os, socket, sys
from bootsmith.host.standard_streams import occupy_closed, read_chunks, writer
occupy_closed()
first, second = socket.socketpair()
assert first.fileno() > 2 and second.fileno() > 2
for number in map(int, sys.argv[1:]):
    assert list(read_chunks(number)) == []
    try:
        writer(number)(b"lost")
    except Exception as error:
        assert "cannot write" in str(error)
    else:
        raise AssertionError("somebody has read it")
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2), ()])
def test_a_closed_stream_is_nobody_elses(closed: tuple[int, ...]) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed)
    words = ("sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", _PROGRAM)
    done = subprocess.run(
        (*words, *map(str, closed)), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
