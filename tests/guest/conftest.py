"""The guest agent as an ordinary process of this machine, with a bare client on its line."""

from __future__ import annotations

import platform
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootsmith.errors import BootsmithError, ToolMissing
from bootsmith.host.guest_files import agent_binary
from bootsmith.model.arch import Arch
from tests.support.agent_client import AgentClient
from tests.support.judges import unavailable

AGENT_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/", "GREETING": "hello"}


@pytest.fixture(scope="session")
def agent_program() -> Path:
    """The agent for this machine."""
    try:
        return agent_binary(Arch.parse(platform.machine()))
    except ToolMissing as error:
        unavailable(str(error))
    except BootsmithError as error:
        pytest.fail(str(error))


@pytest.fixture
def process(agent_program: Path, agent_socket: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """A running ``sandboxd``."""
    with agent_socket:
        process = subprocess.Popen(
            ("sandboxd", "--fd", str(agent_socket.fileno())),
            executable=agent_program,
            pass_fds=(agent_socket.fileno(),),
            env=AGENT_ENVIRONMENT,
            cwd="/",
        )
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()


@pytest.fixture
def agent_socket(sockets: tuple[socket.socket, socket.socket]) -> socket.socket:
    return sockets[1]


@pytest.fixture
def client(
    process: subprocess.Popen[bytes], sockets: tuple[socket.socket, socket.socket]
) -> AgentClient:
    """The host's end, after the agent's greeting."""
    assert process.poll() is None
    client = AgentClient(sockets[0])
    client.expect("vfs_ready", 0)
    return client
