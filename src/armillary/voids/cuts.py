"""Surfaces that can be laid flat without stretching, along which voids are cut for a flat picture: planes and cones.

A cut knows the way from space to the page and back. For a survey it is the cone of constant declination, cut open opposite to
its middle right ascension and unrolled, so that a length on the page is a length on the cone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.cosmology import cartesian_to_sky, sky_to_cartesian
from armillary.errors import OptionError


@dataclass(frozen=True)
class PlaneCut:
    """The plane on which coordinate ``axis`` (0, 1, 2 for x, y, z) equals ``position`` [Mpc/h]."""

    axis: int
    position: float

    def __post_init__(self) -> None:
        if self.axis not in (0, 1, 2) or not np.isfinite(self.position):
            raise OptionError(
                f"a plane needs axis 0, 1 or 2 and a finite position; received {self.axis} and {self.position}"
            )

    def describe(self) -> str:
        """The plane in words."""
        return f"the plane {'xyz'[self.axis]} = {self.position:g} Mpc/h"

    @property
    def across(self) -> tuple[int, int]:
        """The two axes that span the plane, in the order in which they are drawn."""
        return ((1, 2), (0, 2), (0, 1))[self.axis]

    def project(self, xyz: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Place (n, 2) on the plane, and height (n,) above it, of positions (n, 3); all in Mpc/h."""
        xyz = np.asarray(xyz, dtype=np.float64)
        return xyz[:, list(self.across)], xyz[:, self.axis] - self.position

    def embed(self, uv: ArrayLike) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] of places (n, 2) on the plane."""
        uv = np.asarray(uv, dtype=np.float64)
        return np.insert(uv, self.axis, self.position, axis=1)

    def windows(self, centre: ArrayLike, radius: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (n, 2) of windows that hold what balls cut out of the plane, low > high where that is nothing [Mpc/h]."""
        flat, height = self.project(centre)
        half = np.asarray(radius) ** 2 - height**2
        half = np.where(half >= 0.0, np.sqrt(np.abs(half)), -np.inf)[:, None]
        return flat - half, flat + half


@dataclass(frozen=True)
class ConeCut:
    """The cone of declination ``dec`` [deg] about the observer, unrolled with right ascension ``ra`` [deg] upward.

    On the page the observer is at (0, 0), the distance from it is the comoving distance, and the angle from the upward
    direction, counted anticlockwise, is (RA - ra) cos(dec).
    """

    dec: float
    ra: float

    def __post_init__(self) -> None:
        if not -85.0 <= self.dec <= 85.0 or not np.isfinite(self.ra):
            raise OptionError(
                f"a declination cone needs dec between -85 and 85 and a finite ra; received {self.dec} and {self.ra}"
            )

    def describe(self) -> str:
        """The cone in words."""
        return f"the cone of declination {self.dec:g} deg"

    @property
    def half_opening(self) -> float:
        """Largest angle from the upward direction that the unrolled cone covers [rad]."""
        return float(np.pi * np.cos(np.radians(self.dec)))

    def angle(self, ra: ArrayLike) -> NDArray[np.float64]:
        """Angle on the page [rad], anticlockwise from upward, of right ascensions [deg]."""
        turn = (np.asarray(ra, dtype=np.float64) - self.ra + 180.0) % 360.0 - 180.0
        return np.radians(turn) * np.cos(np.radians(self.dec))

    def project(self, xyz: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nearest place (n, 2) on the unrolled cone, and height (n,) above it, of positions (n, 3); all in Mpc/h."""
        ra, dec, distance = cartesian_to_sky(xyz)
        tilt, angle = np.radians(dec - self.dec), self.angle(ra)
        along = distance * np.cos(tilt)
        return np.column_stack([-along * np.sin(angle), along * np.cos(angle)]), distance * np.sin(tilt)

    def embed(self, uv: ArrayLike) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] of places (n, 2) on the unrolled cone; NaN where it is cut open."""
        uv = np.asarray(uv, dtype=np.float64)
        angle = np.arctan2(-uv[:, 0], uv[:, 1])
        angle = np.where(np.abs(angle) <= self.half_opening, angle, np.nan)
        ra = self.ra + np.degrees(angle / np.cos(np.radians(self.dec)))
        distance = np.where(np.isfinite(angle), np.hypot(uv[:, 0], uv[:, 1]), np.nan)
        return sky_to_cartesian(ra, self.dec, distance)

    def windows(self, centre: ArrayLike, radius: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (n, 2) of windows that hold what balls cut out of the cone, low > high where that is nothing [Mpc/h]."""
        ra, dec, distance = cartesian_to_sky(centre)
        radius = np.asarray(radius, dtype=np.float64)
        # A ball without the observer is seen under sin(separation) = radius / distance; what is left of the parallel of
        # declination is |RA - ra| with cos(separation) = sin sin + cos cos cos(RA - ra).
        around = radius >= distance
        apart = np.sqrt(1.0 - (radius / np.where(around, np.inf, distance)) ** 2)
        here, there = np.radians(self.dec), np.radians(dec)
        turn = (apart - np.sin(here) * np.sin(there)) / (np.cos(here) * np.maximum(np.cos(there), 1e-12))
        half = np.where(around, np.pi, np.arccos(np.clip(turn, -1.0, 1.0))) * np.cos(here)
        # Where the arcs are widest or highest: at their ends, or where they cross an axis of the page.
        middle = self.angle(ra)
        whole = half + np.abs(middle) >= self.half_opening  # may come back on the other side of the cut
        first, last = np.where(whole, -np.pi, middle - half), np.where(whole, np.pi, middle + half)
        angle = np.stack([np.clip(quarter * 0.5 * np.pi, first, last) for quarter in (-4, -2, -1, 0, 1, 2, 4)])
        near, far = np.maximum(distance - radius, 0.0), distance + radius
        u = np.concatenate([-near * np.sin(angle), -far * np.sin(angle)])
        v = np.concatenate([near * np.cos(angle), far * np.cos(angle)])
        missed = (~around & (turn > 1.0))[:, None]
        low = np.stack([u.min(axis=0), v.min(axis=0)], axis=1)
        high = np.stack([u.max(axis=0), v.max(axis=0)], axis=1)
        return np.where(missed, np.inf, low), np.where(missed, -np.inf, high)


Cut = PlaneCut | ConeCut
