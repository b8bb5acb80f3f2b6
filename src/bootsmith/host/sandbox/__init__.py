"""Putting a tree on disk, running programs in it apart from this machine, reading back what changed.

::

    process     starts a keeper, and talks with it          in bootsmith
    keeper      makes the tree, captures, cleans up         a process of its own, in a user namespace
    init        runs the commands                           process 1 inside
"""
