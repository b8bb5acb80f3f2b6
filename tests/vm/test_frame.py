from __future__ import annotations

import itertools

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import AgentError
from bootsmith.vm.frame import MAX_FRAME_BYTES, FrameDecoder, Message, encode_frame, parse_message
from tests.support.scripted_guest import envelope, framed

_MESSAGES = st.builds(
    Message,
    st.text(),
    st.integers(0, 2**32 - 1),
    st.dictionaries(st.text(), st.binary() | st.integers(0, 2**63) | st.text()),
)

BAD_ENVELOPES = {
    "no map": cbor2.dumps([1]),
    "nothing in it": cbor2.dumps({}),
    "no payload": cbor2.dumps({"v": 1, "t": "x", "id": 1}),
    "payload no map": cbor2.dumps({"v": 1, "t": "x", "id": 1, "p": []}),
    "another version": cbor2.dumps({"v": 2, "t": "x", "id": 1, "p": {}}),
    "version true": cbor2.dumps({"v": True, "t": "x", "id": 1, "p": {}}),
    "kind no text": cbor2.dumps({"v": 1, "t": b"x", "id": 1, "p": {}}),
    "negative id": cbor2.dumps({"v": 1, "t": "x", "id": -1, "p": {}}),
    "id of 33 bits": cbor2.dumps({"v": 1, "t": "x", "id": 1 << 32, "p": {}}),
    "id true": cbor2.dumps({"v": 1, "t": "x", "id": True, "p": {}}),
}


@pytest.mark.parametrize("name", BAD_ENVELOPES)
def test_bad_envelopes(name: str) -> None:
    with pytest.raises(AgentError):
        parse_message(BAD_ENVELOPES[name])


@given(st.lists(_MESSAGES), st.lists(st.integers(1, 40)))
def test_messages_survive_any_cut_of_the_stream(messages: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, messages))
    decoder = FrameDecoder()
    received: list[Message] = []
    at = 0
    for size in itertools.chain(cuts, itertools.repeat(len(stream) or 1)):
        received += decoder.feed(stream[at : at + size])
        at += size
        if at >= len(stream):
            break
    decoder.finish()
    assert received == messages


def test_an_end_inside_a_frame_is_an_error() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(framed(envelope("x", 1))[:-1])) == []
    with pytest.raises(AgentError, match="inside a frame"):
        decoder.finish()


def test_a_frame_may_have_4_mib_and_no_more() -> None:
    overhead = len(envelope("x", 1, data=bytes(1 << 20))) - (1 << 20)
    largest = envelope("x", 1, data=bytes(MAX_FRAME_BYTES - overhead))
    assert len(largest) == MAX_FRAME_BYTES
    (message,) = FrameDecoder().feed(framed(largest))
    assert len(message.data("data")) == MAX_FRAME_BYTES - overhead
    assert encode_frame(message) == framed(largest)
    with pytest.raises(AgentError, match="4194305"):
        list(FrameDecoder().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
    with pytest.raises(AgentError, match="exceeds a frame"):
        encode_frame(Message("x", 1, {"data": bytes(MAX_FRAME_BYTES)}))


@pytest.mark.parametrize(
    "value",
    [None, -1, True, "1", b"1", [1]],
    ids=["absent", "negative", "bool", "text", "bytes", "list"],
)
def test_a_number_is_a_number(value: object) -> None:
    body = cbor2.dumps({"v": 1, "t": "exec_response", "id": 1, "p": {"exit_code": value}})
    with pytest.raises(AgentError, match="exit_code"):
        parse_message(body).number("exit_code")


def test_text_and_bytes_are_not_each_other() -> None:
    message = parse_message(envelope("x", 1, text="t", data=b"d"))
    assert (message.text("text"), message.data("data")) == ("t", b"d")
    with pytest.raises(AgentError):
        message.text("data")
    with pytest.raises(AgentError):
        message.data("text")
    assert message.optional_number("signal") is None
