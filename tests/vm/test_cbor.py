from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootsmith.errors import AgentError
from bootsmith.vm.cbor import MAX_DEPTH, Value, decode, encode

_INTEGERS = st.integers(min_value=-(2**64), max_value=2**64 - 1)
_LEAVES = st.none() | st.booleans() | _INTEGERS | st.binary() | st.text()
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)

BAD = {
    "empty": b"",
    "number cut": b"\x19\x01",
    "bytes cut": b"\x43ab",
    "text cut": b"\x62a",
    "array cut": b"\x82\x01",
    "map cut": b"\xa1\x61a",
    "map without value": b"\xa1",
    "length beyond everything": b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    "array beyond everything": b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    "left over": b"\x01\x02",
    "indefinite bytes": b"\x5f\x41a\xff",
    "indefinite text": b"\x7f\x61a\xff",
    "indefinite array": b"\x9f\x01\xff",
    "indefinite map": b"\xbf\x61a\x01\xff",
    "break alone": b"\xff",
    "half float": b"\xf9\x3c\x00",
    "float": b"\xfa\x3f\x80\x00\x00",
    "double": b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    "undefined": b"\xf7",
    "simple value": b"\xe0",
    "reserved length": b"\x1c",
    "tag: date": b"\xc0\x74" + b"2013-03-21T20:04:00Z",
    "tag: big number": b"\xc2\x49\x01" + bytes(8),
    "tag: decimal bomb": b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
    "tag: regular expression": b"\xd8\x23\x68(a+)+$bc",
    "key twice": b"\xa2\x61a\x01\x61a\x02",
    "key is a number": b"\xa1\x01\x02",
    "text not UTF-8": b"\x61\xff",
    "text with a surrogate": b"\x63\xed\xa0\x80",
    "empty arrays without number": b"\x9a" + (1 << 21).to_bytes(4, "big") + b"\x80" * (1 << 21),
    "many arrays of many": b"\x83" + (b"\x99\xff\xff" + b"\xf6" * 0xFFFF) * 3,
    "too deep": b"\x81" * (MAX_DEPTH + 1) + b"\x01",
}


@pytest.mark.parametrize("name", BAD)
def test_malformed(name: str) -> None:
    with pytest.raises(AgentError, match="malformed CBOR") as caught:
        decode(BAD[name])
    assert caught.value.code == "protocol"


def test_as_many_items_as_a_command_may_have_words() -> None:
    words: list[Value] = ["word"] * 100_000
    assert decode(encode(words)) == words


def test_an_error_does_not_repeat_all_that_a_guest_says() -> None:
    key = encode("k" * (1 << 20))
    with pytest.raises(AgentError) as caught:
        decode(b"\xa2" + key + b"\x01" + key + b"\x02")
    assert len(str(caught.value)) < 200


def test_the_deepest_nesting() -> None:
    assert decode(b"\x81" * MAX_DEPTH + b"\x01") is not None


@given(_VALUES)
def test_reads_what_another_library_writes(value: Any) -> None:
    # Integers beyond 64 bits are tags, which are refused elsewhere.
    assert decode(cbor2.dumps(value)) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_an_agent_error(data: bytes) -> None:
    try:
        value = decode(data)
    except AgentError:
        return
    assert decode(cbor2.dumps(value)) == value


@given(_VALUES, st.data())
def test_every_cut_is_noticed(value: Any, data: st.DataObject) -> None:
    encoded = cbor2.dumps(value)
    with pytest.raises(AgentError):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(_VALUES)
def test_writes_what_another_library_writes(value: Any) -> None:
    assert encode(value) == cbor2.dumps(value)


def test_a_number_that_has_no_form() -> None:
    with pytest.raises(OverflowError):
        encode(1 << 64)
