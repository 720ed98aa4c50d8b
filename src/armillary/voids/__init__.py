"""Cosmic voids: the tessellation, the four finders, and what they say of any position.

>>> from armillary.voids import VoidFinder, V2, classify
>>> voids = VoidFinder(z_max=0.1).find(galaxies, cosmo=Cosmology(omega_m=0.3))  # doctest: +SKIP

Lengths are comoving Mpc/h. Nothing here opens a file or prints.
"""

from armillary.voids.membership import classify
from armillary.voids.tessellation import Tessellation
from armillary.voids.v2 import V2
from armillary.voids.voidfinder import VoidFinder

__all__ = ["V2", "Tessellation", "VoidFinder", "classify"]
