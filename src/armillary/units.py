"""Units and constants that every room agrees on.

Lengths are comoving Mpc/h, angles degrees (ICRS), redshifts dimensionless and free of peculiar-velocity
corrections, areas square degrees, volumes (Mpc/h)^3. Wavelengths are vacuum Angstrom.
"""

from __future__ import annotations

import math

#: Speed of light in vacuum [km/s], exact (SI).
SPEED_OF_LIGHT = 299792.458

#: Hubble distance c/H0 in Mpc/h: c / (100 km/s/Mpc).
HUBBLE_DISTANCE = SPEED_OF_LIGHT / 100.0

#: Square degrees on the whole sky.
FULL_SKY = 4.0 * math.pi * math.degrees(1.0) ** 2

#: FITS spelling of the length unit, as the DESIVAST files write it.
MPC_H = "Mpc h-1"
