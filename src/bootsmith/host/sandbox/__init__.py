"""Trees on disk, programs run in them apart from this machine, and what they changed.

::

    process     starts a keeper, and talks with it      in bootsmith
    keeper      makes the tree, captures, cleans up     a process with its own user namespace
    init        runs the commands                       process 1 of the sandbox
"""
