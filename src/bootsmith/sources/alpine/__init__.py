"""Alpine: repositories, packages, and the choice of packages.

From the outside in::

    repositories ──load_universe──▶ Universe      signed indexes, read on demand (repository.py)
    Universe, world ──solve──▶ Solution           apk's choice, in apk's order (solver.py)
    .apk ──▶ files, scripts                       verified against the index (apk.py)
    packages ──install──▶ tree, then apk's database (install.py, apk_database.py)

``trust.py`` decides whom to believe, ``mirror.py`` whom to ask; ``apk_version.py`` and
``dependency.py`` read apk's notations.
"""
