"""Debian: archives, packages, and the choice of packages.

From the outside in::

    repositories ──load_universe──▶ Universe     signed releases, indexed packages (archive.py)
    Universe, Request ──solve──▶ Solution        apt's choice (solver.py)
    .deb ──▶ layer and dpkg database             (deb.py, dpkg_database.py)

``trust.py`` decides whom to believe, ``mirror.py`` which mirror to ask; ``control.py``,
``version.py`` and ``relation.py`` read the notations of Debian Policy.
"""
