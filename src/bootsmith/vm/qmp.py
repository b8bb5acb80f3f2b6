"""QEMU's machine protocol, for the little that needs it."""

from __future__ import annotations

import threading

from bootsmith.errors import VMError
from bootsmith.host.channel import Channel


def execute(
    channel: Channel, command: str, *, timeout_s: float = 5.0, **arguments: object
) -> object:
    """Run one command of QMP and return its answer.  The channel is used up.

    Raises ``VMError`` when QEMU refuses or does not answer.
    """
    answers: list[object] = []
    failures: list[Exception] = []

    def converse() -> None:
        # asyncio and the library cost a tenth of a second to import; most runs need neither.
        import asyncio

        from qemu.qmp import QMPClient, QMPError

        async def talk() -> object:
            client = QMPClient("bootsmith")
            await client.connect(channel.detach())
            try:
                return await client.execute(command, arguments or None)
            finally:
                await client.disconnect()

        try:
            answers.append(asyncio.run(asyncio.wait_for(talk(), timeout_s)))
        except (QMPError, OSError, TimeoutError, EOFError) as error:
            failures.append(error)

    # A thread of its own: the caller's may have an event loop running.
    thread = threading.Thread(target=converse, name="bootsmith-qmp")
    thread.start()
    thread.join()
    if failures:
        raise VMError(f"QEMU did not take {command}: {failures[0]}") from failures[0]
    return answers[0]
