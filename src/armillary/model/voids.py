"""Void catalogues: the voids, what they are made of, and what they say of each galaxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology, cartesian_to_sky
from armillary.errors import InputError
from armillary.model.regions import Region, SurveyRegion

#: The four methods, in the order in which reports list them.
METHODS = ("voidfinder", "vide", "zobov", "revolver")


class MembershipCode(IntEnum):
    """Where a galaxy or any other position stands with respect to the voids of one method."""

    WALL = 0
    VOID = 1
    NEAR_EDGE = 2
    OUTSIDE = 9


@dataclass(frozen=True)
class Holes:
    """The spheres that VoidFinder voids are unions of.

    Attributes
    ----------
    centre : (m, 3) Mpc/h.
    radius : (m,) Mpc/h.
    void : (m,) index of the void.
    boundary : (m,) True where the sphere's surface leaves the region.
    touching : (m, 4) rows (in the input catalogue) of the wall galaxies on the sphere, or None when read from a file.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    void: NDArray[np.int64]
    boundary: NDArray[np.bool_] | None = None
    touching: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.radius)


@dataclass(frozen=True)
class VoidSurface:
    """Triangles of the outer boundary of watershed voids.

    Attributes
    ----------
    void : (t,) index of the void.
    normal : (t, 3) unit outward normals.
    vertices : (t, 3, 3) Mpc/h, the three corners of each triangle.
    """

    void: NDArray[np.int64]
    normal: NDArray[np.float64]
    vertices: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.void)


@dataclass(frozen=True)
class Zones:
    """The watershed zones, the galaxies in them and the voids that they belong to.

    Attributes
    ----------
    void0, void1 : (k,) smallest and largest void that holds the zone, -1 for none.
    volume : (k,) summed cell volume [(Mpc/h)^3], or None when read from a file.
    galaxy : (n,) rows of the input catalogue that were tessellated.
    xyz : (n, 3) their positions, Mpc/h.
    zone : (n,) zone of each, -1 for edge cells.
    depth : (n,) number of steps from the zone's core.
    edge : (n,) True for an edge cell: unbounded, or with a vertex outside the region.
    out : (n,) True where the galaxy itself lies outside the region.
    axes : (n_voids, 3, 3) semi-axes [Mpc/h], each row one axis, longest first, or None.
    total_area, edge_area : (n_voids,) boundary area and the part of it next to edge cells [(Mpc/h)^2], or None.
    surface : boundary triangles, or None.
    targetid : (n,) identifiers of the tessellated galaxies, or None.
    """

    void0: NDArray[np.int64]
    void1: NDArray[np.int64]
    galaxy: NDArray[np.int64]
    xyz: NDArray[np.float64]
    zone: NDArray[np.int64]
    depth: NDArray[np.int64]
    edge: NDArray[np.bool_]
    out: NDArray[np.bool_]
    volume: NDArray[np.float64] | None = None
    axes: NDArray[np.float64] | None = None
    total_area: NDArray[np.float64] | None = None
    edge_area: NDArray[np.float64] | None = None
    surface: VoidSurface | None = None
    targetid: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.void0)


@dataclass(frozen=True)
class Membership:
    """What one method says of every galaxy of the input catalogue, in its order.

    Attributes
    ----------
    code : (n,) :class:`MembershipCode`.
    tracer : (n,) True for the galaxies that the voids were found with.
    wall : (n,) 1 wall, 0 field, -1 for a galaxy that is not a tracer (VoidFinder only, else None).
    zone : (n,) zone, -1 for none (watershed methods only, else None).
    void : (n,) a void that holds the galaxy (the largest hole, or the smallest void), -1 for none.
    centre_distance : (n,) smallest distance to a void centre in units of that void's effective radius.
    """

    code: NDArray[np.int8]
    tracer: NDArray[np.bool_]
    void: NDArray[np.int64]
    centre_distance: NDArray[np.float64]
    wall: NDArray[np.int8] | None = None
    zone: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.code)


@dataclass(frozen=True)
class VoidCatalog:
    """The voids that one method found.

    Attributes
    ----------
    method : one of ``voidfinder, vide, zobov, revolver``.
    centre : (n, 3) Mpc/h: the maximal sphere's centre, or the volume-weighted mean of a watershed void.
    radius : (n,) Mpc/h: the maximal sphere's radius, or the effective radius of a watershed void.
    r_eff : (n,) Mpc/h: radius of the sphere with the void's volume.
    r_eff_uncertainty : (n,) Mpc/h: standard error of ``r_eff`` as computed; 0 where it is exact.
    edge : (n,) 0 interior; 1 touches the edge of the region; 2 (VoidFinder) within 10 Mpc/h of it.
    parameters : every option with the value used.
    region : the volume searched, or None when read from a file that does not describe it.
    cosmo : the cosmology of the distances, or None for a box.
    holes, zones : what the voids are made of; the one that the method has.
    membership : the galaxies of the input, or None when read from a file.
    seconds : CPU time by stage.
    """

    method: str
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    r_eff: NDArray[np.float64]
    r_eff_uncertainty: NDArray[np.float64]
    edge: NDArray[np.int64]
    parameters: Mapping[str, object] = field(default_factory=dict)
    region: Region | None = None
    cosmo: Cosmology | None = None
    holes: Holes | None = None
    zones: Zones | None = None
    membership: Membership | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"void method is {self.method!r}; expected one of {', '.join(METHODS)}")
        n = len(self.radius)
        if self.centre.shape != (n, 3):
            raise InputError(f"void centres have shape {self.centre.shape}; expected ({n}, 3)")
        for name in ("r_eff", "r_eff_uncertainty", "edge"):
            if getattr(self, name).shape != (n,):
                raise InputError(f"{name} has shape {getattr(self, name).shape}; expected ({n},)")
        if (self.holes is None) == (self.zones is None):
            raise InputError("a void catalogue has either holes or zones")

    def __len__(self) -> int:
        return len(self.radius)

    @property
    def on_sky(self) -> bool:
        """True when ra, dec and redshift of the centres mean something."""
        return self.cosmo is not None and (self.region is None or isinstance(self.region, SurveyRegion))

    def sky(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """ra, dec [deg] and distance [Mpc/h] of the centres."""
        return cartesian_to_sky(self.centre)

    def redshift(self) -> NDArray[np.float64]:
        """Redshift of the centres, NaN without a cosmology."""
        if self.cosmo is None:
            return np.full(len(self), np.nan)
        return self.cosmo.redshift(self.sky()[2])
