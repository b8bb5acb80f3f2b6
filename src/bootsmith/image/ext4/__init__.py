"""ext4 images from file trees, and file trees from ext4 images, in pure Python."""

from bootsmith.image.ext4.options import Ext4Options, Profile
from bootsmith.image.ext4.plan import Ext4Layout, plan_ext4
from bootsmith.image.ext4.reader import Ext4Facts, Ext4Reader, FoundEntry
from bootsmith.image.ext4.writer import Ext4Summary, write_ext4, write_layout

__all__ = [
    "Ext4Facts",
    "Ext4Layout",
    "Ext4Options",
    "Ext4Reader",
    "Ext4Summary",
    "FoundEntry",
    "Profile",
    "plan_ext4",
    "write_ext4",
    "write_layout",
]
