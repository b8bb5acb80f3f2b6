"""A command with our own streams, run by the real agent on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bootsmith.cli.guest_command import run_streaming
from bootsmith.sdk.guest import Guest
from bootsmith.vm.agent import Agent
from tests.support.agent_process import connected_agent

HINT = "hint: --cwd is a folder of the guest, not of this machine\n"


class Here(Guest):
    """This machine as a guest; it has no ports to lead to."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def _agent(self) -> Agent:
        return self.agent

    def forward(self, guest_port: int, *, host_port: int = 0) -> object:  # type: ignore[override]
        raise AssertionError((guest_port, host_port))


@pytest.fixture
def here() -> Iterator[Here]:
    with connected_agent() as agent:
        yield Here(agent)


def test_a_folder_that_is_not_there_is_told_apart_from_the_command(
    here: Here, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run_streaming(here, ["true"], env={}, cwd="/nonesuch")
    assert done.exit_code == 127
    said = "/nonesuch: cannot be entered: no such file or directory\n"
    assert capfd.readouterr().err == said + HINT


@pytest.mark.parametrize(
    ("words", "cwd", "ended"),
    [
        (["nonesuch"], "/usr", (127, "nonesuch: not found\n")),
        (["nonesuch"], None, (127, "nonesuch: not found\n")),
        (["sh", "-c", "echo lost >&2; exit 127"], "/usr", (127, "lost\n")),
        (["sh", "-c", "echo '/usr: a' >&2"], "/usr", (0, "/usr: a\n")),
    ],
)
def test_nothing_is_added_to_what_else_is_said(
    here: Here,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    cwd: str | None,
    ended: tuple[int, str],
) -> None:
    done = run_streaming(here, words, env={}, cwd=cwd)
    assert (done.exit_code, capfd.readouterr().err) == ended
