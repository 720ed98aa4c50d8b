"""Planted voids: how they are packed, and how the galaxies are moved out of them.

A planted void of radius R has the mean density profile, in units of the mean density and of x = r/R,

    rho(x) = d + (1 - d) x^s                             for x <= 1,
    rho(x) = 1 + 4 A t (1 - t),  t = (x - 1)/(c - 1)     for 1 < x <= c,

flat and nearly empty inside, with a steep wall at R and a compensating ridge, as voids have in simulations (Hamaus,
Sutter & Wandelt 2014, PRL 112, 251302), but confined to x <= c: the height A follows from mass conservation. The profile
is made by a spherical mass-conserving map, so the galaxies of the void end up in its wall, as in the spherical model of
Sheth & van de Weygaert (2004, MNRAS 350, 517): a galaxy at unperturbed radius q moves to the x with

    q^3 = 3 int_0^x rho(y) y^2 dy.

Since the map sends the ball x <= c onto itself, voids may share their walls (one's ball may reach into another's
ridge, never into its interior) without any of them being disturbed inside R. The collapse of the web afterwards moves
galaxies by 1 to 2 Mpc/h: it makes the walls irregular and brings a few of their galaxies inside R.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from armillary.errors import InputError, OptionError
from armillary.mock.clustering import WebRealisation
from armillary.model import Region

#: Random places tried for void centres, in a volume of the cube of the smallest radius.
_PLACES = 8.0


@dataclass(frozen=True)
class VoidProfile:
    """The mean density profile of a planted void (see the module's equations).

    Attributes
    ----------
    inner_density : d, density at the centre over the mean, 0 to 1 (1 excluded).
    steepness : s, the larger the steeper the wall.
    support : c, radius over R beyond which nothing is moved, more than 1.
    """

    inner_density: float = 0.05
    steepness: float = 20.0
    support: float = 1.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.inner_density < 1.0:
            raise OptionError(f"inner_density is {self.inner_density}; expected 0 <= density < 1 (mean density)")
        if not self.steepness > 0.0:
            raise OptionError(f"steepness is {self.steepness}; expected a positive number")
        if not self.support > 1.0:
            raise OptionError(f"support is {self.support}; expected a radius beyond the wall, more than 1")

    @property
    def ridge(self) -> float:
        """A, height of the ridge over the mean density, from mass conservation in x <= c."""
        d, s, c = self.inner_density, self.steepness, self.support
        deficit = (1.0 - d) * (1.0 - 3.0 / (s + 3.0))
        width = c - 1.0
        # 3 int_1^c 4 t (1-t) x^2 dx with x = 1 + width t.
        moment = 12.0 * width * (1.0 / 6.0 + width / 6.0 + width**2 / 20.0)
        return deficit / moment

    def density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean density over the mean of the universe at x = r/R, of any shape."""
        x = np.asarray(x, dtype=np.float64)
        inner = self.inner_density + (1.0 - self.inner_density) * np.minimum(x, 1.0) ** self.steepness
        t = np.clip((x - 1.0) / (self.support - 1.0), 0.0, 1.0)
        return np.where(x <= 1.0, inner, 1.0 + 4.0 * self.ridge * t * (1.0 - t))

    def enclosed(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """q^3 = 3 int_0^x rho y^2 dy, the enclosed mass over that of a sphere of radius R at mean density."""
        d, s, c = self.inner_density, self.steepness, self.support
        x = np.asarray(x, dtype=np.float64)
        y = np.minimum(x, 1.0)
        inner = d * y**3 + (1.0 - d) * 3.0 / (s + 3.0) * y ** (s + 3.0)
        width = c - 1.0
        t = np.clip((x - 1.0) / width, 0.0, 1.0)
        moment = 12.0 * width * (
            t**2 / 2.0 - t**3 / 3.0
            + 2.0 * width * (t**3 / 3.0 - t**4 / 4.0)
            + width**2 * (t**4 / 4.0 - t**5 / 5.0)
        )
        return inner + np.maximum(x, 1.0) ** 3 - 1.0 + self.ridge * moment

    def displaced(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """x = r/R to which a galaxy at unperturbed q (in units of R) moves; q itself beyond the support."""
        table = np.linspace(0.0, self.support, 2049)
        # Interpolating between cube roots keeps the map smooth at the centre, where both are proportional.
        return np.where(q < self.support, np.interp(q, np.cbrt(self.enclosed(table)), table), q)


@dataclass(frozen=True)
class VoidPlan:
    """Which voids to plant: radii from dn/dR ~ R^-slope, packed largest first into underdense places.

    Attributes
    ----------
    radius : smallest and largest radius [Mpc/h].
    slope : exponent of the power law.
    filling : share of the volume wanted in voids; what does not fit is left out.
    profile : their density profile.
    """

    radius: tuple[float, float] = (12.0, 25.0)
    slope: float = 3.0
    filling: float = 0.5
    profile: VoidProfile = VoidProfile()

    def __post_init__(self) -> None:
        low, high = self.radius
        if not 0.0 < low <= high:
            raise OptionError(f"void radii are {low} to {high} Mpc/h; expected 0 < smallest <= largest")
        if not 0.0 <= self.filling < 1.0:
            raise OptionError(f"filling is {self.filling}; expected a share of the volume, 0 <= filling < 1")

    @property
    def reach(self) -> float:
        """Largest distance from a void's centre at which it moves galaxies [Mpc/h]."""
        return self.profile.support * self.radius[1]

    def draw_radii(self, volume: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Radii [Mpc/h] in descending order that together fill the wanted share of ``volume`` [(Mpc/h)^3]."""
        low, high = self.radius
        most = int(self.filling * volume / (4.0 / 3.0 * np.pi * low**3)) + 1
        u = rng.random(most)
        power = 1.0 - self.slope
        if abs(power) < 1e-9:
            radii = low * (high / low) ** u
        else:
            radii = (low**power + u * (high**power - low**power)) ** (1.0 / power)
        used = np.cumsum(4.0 / 3.0 * np.pi * radii**3) <= self.filling * volume
        return np.sort(radii[used])[::-1]

    def pack(
        self, web: WebRealisation, *, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres (n, 3) and radii (n,) [Mpc/h], largest first, in the periodic cuboid of ``web``.

        Each void takes the most underdense of the random places where its interior keeps clear of the walls of those
        before it: |c_i - c_j| >= R_i + c R_j, nearest image, for every earlier (larger) j.

        Raises
        ------
        OptionError
            When the largest void does not fit in the cuboid.
        """
        if self.filling > 0.0 and 2.0 * self.reach > web.size.min():
            raise OptionError(f"voids of radius {self.radius[1]} Mpc/h with walls to {self.reach:.4g} Mpc/h do not fit "
                              f"in a volume {web.size.min():.4g} Mpc/h across; take a smaller void radius")
        volume = float(np.prod(web.size))
        wanted = self.draw_radii(volume, rng=rng)
        lagrangian = web.low + rng.random((int(_PLACES * volume / self.radius[0] ** 3), 3)) * web.size
        place, contrast = web.carry(lagrangian), web.contrast(lagrangian)
        place = place[np.argsort(contrast, kind="stable")]
        # The tree wants positions in [0, size), which rounding in the subtraction can miss.
        tree = cKDTree(np.mod(place - web.low, web.size) % web.size, boxsize=web.size)
        clearance = np.full(len(place), np.inf)
        alive = np.arange(len(place))
        chosen, radii = [], []
        for radius in wanted:
            free = clearance[alive] >= radius
            if not free.any():
                continue
            best = alive[np.argmax(free)]
            chosen.append(best)
            radii.append(radius)
            wall = self.profile.support * radius
            # Later voids are no larger, so places farther than this stay free.
            near = np.asarray(tree.query_ball_point(tree.data[best], wall + radius), dtype=np.int64)
            offset = nearest_image(place[near] - place[best], web.size)
            clearance[near] = np.minimum(clearance[near], np.sqrt(np.einsum("ij,ij->i", offset, offset)) - wall)
            if len(radii) % 64 == 0:
                alive = alive[clearance[alive] >= self.radius[0]]
        return place[chosen], np.array(radii)

    def evacuate(
        self, web: WebRealisation, xyz: NDArray[np.float64], centre: NDArray[np.float64], radius: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Galaxies ``xyz`` (n, 3), carried but not condensed, moved out of the voids into their walls, in the same order."""
        moved = xyz.copy()
        if not len(radius):
            return moved
        reach = self.profile.support * radius
        tree = cKDTree(np.mod(xyz - web.low, web.size) % web.size, boxsize=web.size)
        members = [np.asarray(rows, dtype=np.int64)
                   for rows in tree.query_ball_point(np.mod(centre - web.low, web.size) % web.size, reach)]
        for i in range(len(radius)):
            # A galaxy that earlier voids brought into this ball comes from one of their balls that overlap it.
            gap = np.linalg.norm(nearest_image(centre[:i] - centre[i], web.size), axis=1) - reach[:i] - reach[i]
            rows = np.unique(np.concatenate([members[i], *(members[j] for j in np.flatnonzero(gap < 0.0))]))
            offset = nearest_image(moved[rows] - centre[i], web.size)
            distance = np.sqrt(np.einsum("ij,ij->i", offset, offset))
            inside = (distance < reach[i]) & (distance > 0.0)
            members[i], offset, distance = rows[inside], offset[inside], distance[inside]
            stretch = self.profile.displaced(distance / radius[i]) * radius[i] / distance
            moved[members[i]] = web.wrap(centre[i] + offset * stretch[:, None])
        return moved


@dataclass(frozen=True)
class PlantedVoids:
    """The truth: where the voids are.

    Attributes
    ----------
    centre : (n, 3) Mpc/h.
    radius : (n,) Mpc/h, where the mean density profile reaches the mean density.
    inside : (n,) share of the sphere's volume that lies inside the survey or box.
    ra, dec : (n,) degrees, or None in a box.
    z : (n,) redshift, or None in a box.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    inside: NDArray[np.float64]
    ra: NDArray[np.float64] | None = None
    dec: NDArray[np.float64] | None = None
    z: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.radius)
        if self.centre.shape != (n, 3):
            raise InputError(f"planted void centres have shape {self.centre.shape}; expected ({n}, 3)")
        for name in ("inside", "ra", "dec", "z"):
            column = getattr(self, name)
            if column is not None and column.shape != (n,):
                raise InputError(f"{name} of the planted voids has shape {column.shape}; expected ({n},)")

    def __len__(self) -> int:
        return len(self.radius)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """(n,) True where no part of the sphere was found outside."""
        return self.inside >= 1.0

    def select(self, rows: NDArray) -> PlantedVoids:
        """The voids at ``rows`` (a boolean (n,) or an index array), in that order."""
        sky = {name: None if getattr(self, name) is None else getattr(self, name)[rows] for name in ("ra", "dec", "z")}
        return replace(self, centre=self.centre[rows], radius=self.radius[rows], inside=self.inside[rows], **sky)


def nearest_image(offset: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Separations (n, 3) [Mpc/h] to the nearest periodic image in a cuboid of sides ``size`` (3,)."""
    return offset - size * np.rint(offset / size)


def share_inside(centre: NDArray[np.float64], radius: NDArray[np.float64], region: Region) -> NDArray[np.float64]:
    """Share (n,) of each sphere's volume inside ``region``, from 1000 fixed points: exact to about 0.01."""
    ball = _ball(1000)
    points = centre[:, None, :] + radius[:, None, None] * ball
    return region.contains(points.reshape(-1, 3)).reshape(len(radius), len(ball)).mean(axis=1)


def holder(
    xyz: NDArray[np.float64], centre: NDArray[np.float64], radius: NDArray[np.float64],
    size: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Index (n,) of the void whose sphere holds each position (n, 3) [Mpc/h], -1 for none; ``size`` when periodic."""
    held = np.full(len(xyz), -1, dtype=np.int64)
    if not len(radius) or not len(xyz):
        return held
    if size is None:
        tree, where = cKDTree(xyz), centre
    else:
        tree, where = cKDTree(np.mod(xyz, size) % size, boxsize=size), np.mod(centre, size) % size
    for void, rows in enumerate(tree.query_ball_point(where, radius)):
        held[rows] = void
    return held


def _ball(n: int) -> NDArray[np.float64]:
    """n points evenly spread in the unit ball: a golden spiral whose radii follow a second irrational sequence."""
    i = np.arange(n) + 0.5
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    z = 1.0 - 2.0 * i / n
    phi = 2.0 * np.pi * i / golden
    r = np.cbrt(np.modf(i * np.sqrt(2.0))[0])
    ring = np.sqrt(1.0 - z**2)
    return r[:, None] * np.stack([ring * np.cos(phi), ring * np.sin(phi), z], axis=1)
