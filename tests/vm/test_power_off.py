from __future__ import annotations

import pytest

from bootsmith.errors import AgentError
from bootsmith.vm.power_off import power_off
from tests.support.scripted_guest import ScriptedGuest, scripted_guest


def goes_by_command(guest: ScriptedGuest) -> None:
    request = guest.expect("exec_request")
    assert request.text("cmd") == "/bin/sh"
    assert "sysrq" in str(request.payload["argv"])
    guest.hang_up()


def refuses(guest: ScriptedGuest) -> None:
    number = guest.expect("shutdown_request").id
    guest.send("error", number, code="invalid_request", message="unknown message type")
    goes_by_command(guest)


def takes_no_notice(guest: ScriptedGuest) -> None:
    guest.expect("shutdown_request")
    goes_by_command(guest)


def test_our_agent_is_asked_once() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.send("shutdown_done", guest.expect("shutdown_request").id)

    with scripted_guest(script) as agent:
        power_off(agent, timeout_s=20)


@pytest.mark.parametrize("script", [refuses, takes_no_notice])
def test_another_agent_is_given_a_command(script: object) -> None:
    assert callable(script)
    with scripted_guest(script) as agent, pytest.raises(AgentError) as caught:
        power_off(agent, timeout_s=1)
    assert caught.value.code == "disconnected"


def test_a_line_that_has_ended_is_not_asked_again() -> None:
    def script(guest: ScriptedGuest) -> None:
        guest.expect("shutdown_request")
        guest.hang_up()

    with scripted_guest(script) as agent, pytest.raises(AgentError) as caught:
        power_off(agent, timeout_s=20)
    assert caught.value.code == "disconnected"
