"""Armillary: a research platform for survey spectroscopy that fits on a closet shelf.

The package imports nothing heavy by itself: each room (``armillary.voids``, ``armillary.mock`` ...)
loads what it needs when it is opened.
"""

__version__ = "0.1.0"
