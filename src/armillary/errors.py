"""The error tree: one base class, and one class for each thing that a user can do about it.

A message gives the quantity, what was received, what was expected and the next step. The command line
turns every :class:`ArmillaryError` into one sentence on stderr and exit status 2.
"""

from __future__ import annotations


class ArmillaryError(Exception):
    """Base of every error that Armillary raises on purpose."""


class InputError(ArmillaryError):
    """The data handed in cannot be used: a column, a value, a shape or a file is not as expected."""


class ColumnError(InputError):
    """A table lacks a column, or has more than one that could be meant."""


class CoordinateError(InputError):
    """Coordinates are NaN, infinite, out of range, duplicated or coplanar."""


class MaskError(InputError):
    """A sky mask has the wrong size, or leaves no galaxy."""


class FormatError(InputError):
    """A file cannot be read as the format that it claims to be."""


class OptionError(ArmillaryError):
    """An option has a value outside its range, or two options contradict each other."""


class RunDirectoryError(ArmillaryError):
    """An output directory is not one of ours, or holds a run with another configuration."""


class StorageError(ArmillaryError):
    """Results cannot be written: the disk is full, or the place is not writable."""


class WorkerError(ArmillaryError):
    """A worker died at a task, or no worker can be had: memory ran out, or a cluster does not answer."""
