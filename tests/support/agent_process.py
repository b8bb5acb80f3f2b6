"""The real guest agent, run as an ordinary process of this machine."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootsmith.host.agent_build import agent_path
from bootsmith.host.channel import Channel
from bootsmith.vm.agent import Agent
from tests.support.judges import unavailable

_GUEST = Path(__file__).parents[2] / "guest"


def agent_program() -> Path:
    """The agent for this machine; without it the test is skipped, or failed in CI."""
    path = agent_path(_GUEST, platform.machine())
    if not path.is_file():
        unavailable("the guest agent is not compiled (./dev setup)")
    return path


@contextmanager
def agent_process(
    *, path: str = "/usr/bin:/bin"
) -> Iterator[tuple[Channel, subprocess.Popen[bytes]]]:
    """The host's end of a line to a fresh agent, and its process.  ``path``: where it looks for
    commands.
    """
    program = agent_program()
    ours, theirs = Channel.pair()
    process = subprocess.Popen(
        ("sandboxd", "--fd", str(theirs.fileno())),
        executable=program,
        pass_fds=(theirs.fileno(),),
        env={"PATH": path, "HOME": "/", "GREETING": "hello"},
        cwd="/",
    )
    theirs.close()
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()
        ours.hang_up()
        ours.close()


@contextmanager
def connected_agent(*, path: str = "/usr/bin:/bin") -> Iterator[Agent]:
    """Our client, ready, at the line of a real agent."""
    with agent_process(path=path) as (channel, _):
        agent = Agent(channel)
        assert agent.line.wait_ready(20)
        try:
            yield agent
        finally:
            agent.close()
