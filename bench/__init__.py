"""Measurements against the peers.  ``./dev bench`` runs them all, ``./dev bench ext4`` one."""
