"""A program to put into an image; see python.json."""

import getpass

print(f"hello from {getpass.getuser()}")
