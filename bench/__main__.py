"""``python -m bench [NAME…]``: print the ratios of a run, and where it ran."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from bench import alpine_build, alpine_index, debian_build, ext4_rows, runtime, startup
from bench.measure import Row, machine, table

BENCHES: dict[str, Callable[[], Iterator[Row]]] = {
    "startup": startup.rows,
    "ext4": ext4_rows.rows,
    "debian": debian_build.rows,
    "alpine": alpine_build.rows,
    "alpine-index": alpine_index.rows,
    "runtime": runtime.rows,
}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    print(machine(), flush=True)
    rows: list[Row] = []
    for name in names or list(BENCHES):
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows += BENCHES[name]()
    print(table(rows))


main(sys.argv[1:])
