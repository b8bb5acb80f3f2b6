import pytest

from bootsmith.errors import ImageError
from bootsmith.sources.debian.relation import (
    Clause,
    Relation,
    parse_clauses,
    parse_relations,
    show_clause,
)
from bootsmith.sources.debian.version import Version

V = Version.parse

GOOD = {
    "nothing": ("", ()),
    "a name": ("libc6", ((Relation("libc6"),),)),
    "two clauses": ("a, b", ((Relation("a"),), (Relation("b"),))),
    "alternatives": ("a | b|c", ((Relation("a"), Relation("b"), Relation("c")),)),
    "a bound": ("a (>= 1:2-3)", ((Relation("a", operator=">=", version=V("1:2-3")),),)),
    "no blanks": ("a(>=1)", ((Relation("a", operator=">=", version=V("1")),),)),
    "many blanks": ("a  ( <<  1 ) ", ((Relation("a", operator="<<", version=V("1")),),)),
    "old operators": ("a (< 1)", ((Relation("a", operator="<", version=V("1")),),)),
    "any architecture": ("python3:any", ((Relation("python3", "any"),),)),
    "an architecture and a bound": (
        "gcc:amd64 (= 1)",
        ((Relation("gcc", "amd64", "=", V("1")),),),
    ),
    "restrictions of a source package": (
        "a [linux-any !hurd-any] <!nocheck> <cross x>, b",
        ((Relation("a"),), (Relation("b"),)),
    ),
    "several lines": ("a,\n b", ((Relation("a"),), (Relation("b"),))),
    "comma at the end": ("a, b,", ((Relation("a"),), (Relation("b"),))),
    "signs in names": ("libstdc++6, g++", ((Relation("libstdc++6"),), (Relation("g++"),))),
}
BAD = {
    "empty alternative": "a | | b",
    "no operator": "a (1)",
    "no version": "a (>=)",
    "unknown operator": "a (~ 1)",
    "open bracket": "a (>= 1",
    "two names": "a b",
    "bad version": "a (= 1_0)",
    "bad name": "_a",
}


@pytest.mark.parametrize(("text", "clauses"), GOOD.values(), ids=GOOD)
def test_clauses(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse_clauses(text) == clauses


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_malformed(text: str) -> None:
    with pytest.raises(ImageError):
        parse_clauses(text)


def test_alternatives_only_where_they_belong() -> None:
    assert parse_relations("a, b (<< 1)") == (
        Relation("a"),
        Relation("b", operator="<<", version=V("1")),
    )
    with pytest.raises(ImageError, match="alternatives"):
        parse_relations("a | b")


@pytest.mark.parametrize(
    ("operator", "admitted"),
    [
        ("<<", "1"),
        ("<=", "12"),
        ("<", "12"),
        ("=", "2"),
        (">=", "23"),
        (">", "23"),
        (">>", "3"),
        ("", "123"),
    ],
)
def test_bounds(operator: str, admitted: str) -> None:
    relation = Relation("a", operator=operator, version=V("2") if operator else None)
    assert "".join(text for text in "123" if relation.admits(V(text))) == admitted
    # A name that is provided without a version meets no bound.
    assert relation.admits(None) is (operator == "")


def test_a_clause_is_shown_as_it_is_written() -> None:
    (clause,) = parse_clauses("a:any(>=1)|b")
    assert show_clause(clause) == "a:any (>= 1) | b"
