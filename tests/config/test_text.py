"""The three languages a config may be written in, and their traps."""

from __future__ import annotations

import pytest

from bootsmith.config.text import parse_text
from bootsmith.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "origin", "fields"),
    [
        ('[debian]\nsuite = "trixie"', "a.toml", {"debian": {"suite": "trixie"}}),
        ('{"a": 1, // one\n /* two\n lines */ "b": [1, 2,],}', "a.json", {"a": 1, "b": [1, 2]}),
        ('{"a": "// no /* comment */ ,]", "b": "\\",}"}', "a",
         {"a": "// no /* comment */ ,]", "b": '",}'}),
        ('{"a": "http://x"}', "a.jsonc", {"a": "http://x"}),
        ("a: no\nb: 0755\nc: [on, 12:30, 0x1f, 1_000, 2024-01-01, 010]", "a.yaml",
         {"a": "no", "b": "0755", "c": ["on", "12:30", "0x1f", "1_000", "2024-01-01", "010"]}),
        ("a: true\nb: ~\nc: -1.5e3\nd: '1'\ne: |\n  12\nf:\n", "A.YML",
         {"a": True, "b": None, "c": -1500.0, "d": "1", "e": "12\n", "f": None}),
        ("", "a.yaml", {}),
        ("# nothing yet\n", "a.yaml", {}),
    ],
)  # fmt: skip
def test_a_text_is_read(text: str, origin: str, fields: dict[str, object]) -> None:
    assert parse_text(text, origin=origin) == fields


@pytest.mark.parametrize(
    ("text", "origin", "says"),
    [
        ("[" * 100_000, "a.json", "cannot be read"),
        ("{,}", "a.json", "line 1, column 2"),
        ('{"a": [1,,]}', "a.json", "line 1, column 10"),
        ('{\n// x\n"a": 1 /* open\n}', "a.json", "line 3, column 8"),
        ('{"a": NaN}', "a.json", "NaN"),
        ("a =", "a.toml", "Invalid value"),
        ("a = 1\na = 2", "a.toml", "Cannot overwrite"),
        ("[]", "a.json", "a list"),
        ("null", "a.json", "must hold an object, not null"),
        ("3", "a.yaml", "a number"),
        ("a: [1,\n", "a.yaml", "line 2, column 1"),
        ("a: !!python/object:os.system x", "a.yaml", "the tag"),
        ("a: &x 1\nb: *x", "a.yaml", "an alias"),
        ("a: &x [*x]", "a.yaml", "an alias"),
        ("? [1]\n: 2", "a.yaml", "a key must be text"),
        ("[" * 1_000, "a.yaml", "nested too deep"),
        ("a: 1\n---\nb: 2", "a.yaml", "another document"),
        ("a: \x07", "a.yaml", "special characters"),
    ],
    ids=lambda value: value if len(value) < 20 else "long",
)
def test_a_text_that_is_no_config(text: str, origin: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_text(text, origin=origin)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('{"x": [{"b": {"c": 1, "c": 2}}], "x2": 1, "d": 1, "d": 2}', "a.json"),
        ("x: [{b: {c: 1, c: 2}}]\nd: 1\nd: 2\n", "a.yaml"),
    ],
)
def test_a_key_that_stands_twice_is_named(text: str, origin: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_text(text, origin=origin)
    assert [problem.pointer for problem in caught.value.problems] == ["d", "x[0].b.c"]
