"""The cosmic web that mock galaxies trace: Lagrangian-biased Poisson points moved by the Zel'dovich approximation.

A Gaussian linear density contrast with the BBKS spectrum (Bardeen, Bond, Kaiser & Szalay 1986, ApJ 304, 15, eq. G3),

    P(k) ~ k^n_s T(q)^2,   q = k / Gamma [h/Mpc],
    T(q) = ln(1 + 2.34 q) / (2.34 q) [1 + 3.89 q + (16.1 q)^2 + (5.46 q)^3 + (6.71 q)^4]^(-1/4),

normalized to sigma_8 at z = 0, is drawn on a periodic grid and smoothed by a Gaussian, which keeps filaments thin after
shell crossing (the truncated Zel'dovich approximation: Coles, Melott & Shandarin 1993, MNRAS 260, 765). Galaxies are
drawn at Lagrangian positions q with density ~ exp(b delta(q)) and displaced by psi, div psi = -delta (Zel'dovich 1970,
A&A 5, 84), in two steps: the part of psi on scales above ``split`` (the bulk flow) first, then the rest (the collapse
into walls and filaments), taken at the position reached. Voids are planted between the two: their walls
then break up into filaments and knots as the rest of the web does, and no flow carries the voids away from their places.
Some galaxies are satellites, spread around a galaxy of the densest places, which makes the correlation function rise
inside a few Mpc/h, as haloes do.

The default amplitude is below the real universe's sigma_8 of 0.8 because the planted voids bring variance of their own:
together they give xi(r) = (r / 5.5 Mpc/h)^-1.8 (Zehavi et al. 2005, ApJ 630, 1) within a factor 2 between 1 and 10
Mpc/h.

The method fails below the smoothing length, where the satellites alone set the clustering, and has no redshift
evolution: the z = 0 web fills the volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates

from armillary.errors import OptionError

#: More grid cells than this are refused rather than tried: each costs about 40 bytes.
_MAX_CELLS = 100_000_000

#: Lagrangian positions (m, 3) [Mpc/h] to the share (m,) of galaxies wanted there.
Share = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class CosmicWeb:
    """A statistical model of the galaxy distribution.

    Attributes
    ----------
    sigma8 : rms linear density contrast in spheres of 8 Mpc/h at z = 0.
    shape : Gamma = Omega_M h, the shape of the spectrum.
    spectral_index : n_s of the primordial spectrum.
    smoothing : Gaussian smoothing length of the linear field [Mpc/h].
    split : Gaussian length that separates bulk flow from collapse [Mpc/h].
    bias : Lagrangian bias b of the galaxies.
    satellite_fraction : share of the galaxies that surround another one, 0 to 1 (1 excluded).
    satellite_radius : rms distance of a satellite from its host along each axis [Mpc/h].
    cell : largest side of a grid cell [Mpc/h]; about the smoothing length is enough.
    """

    sigma8: float = 0.6
    shape: float = 0.21
    spectral_index: float = 0.96
    smoothing: float = 2.0
    split: float = 6.0
    bias: float = 0.2
    satellite_fraction: float = 0.25
    satellite_radius: float = 0.8
    cell: float = 2.5

    def __post_init__(self) -> None:
        for name in ("sigma8", "shape", "smoothing", "split", "cell", "satellite_radius"):
            if not getattr(self, name) > 0.0:
                raise OptionError(f"{name} of the cosmic web is {getattr(self, name)}; expected a positive number")
        if not 0.0 <= self.satellite_fraction < 1.0:
            raise OptionError(f"satellite_fraction is {self.satellite_fraction}; expected 0 <= fraction < 1")

    def power(self, k: NDArray[np.float64]) -> NDArray[np.float64]:
        """Linear power spectrum [(Mpc/h)^3] at wavenumbers k [h/Mpc] of any shape, unsmoothed; 0 at k = 0."""
        return self._amplitude() * _bbks(k, self.shape, self.spectral_index)

    def realise(
        self, low: NDArray[np.float64], size: NDArray[np.float64], *, rng: np.random.Generator
    ) -> WebRealisation:
        """Draw the linear field in the periodic cuboid from ``low`` (3,) with sides ``size`` (3,), in Mpc/h.

        Raises
        ------
        OptionError
            When the grid would need more cells than fit in the memory of an ordinary computer.
        """
        shape = tuple(fft.next_fast_len(int(np.ceil(side / self.cell)), real=True) for side in size)
        if np.prod(np.asarray(shape, dtype=np.float64)) > _MAX_CELLS:
            raise OptionError(f"a volume of {np.round(size)} Mpc/h needs a grid of {shape} cells of {self.cell} Mpc/h, "
                              f"more than {_MAX_CELLS}; take a larger cell or a smaller volume")
        step = np.asarray(size) / shape
        k = _wavenumbers(shape, step)
        k2 = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
        table = np.geomspace(np.pi / np.max(size), np.sqrt(k2.max()), 4096)
        amplitude = np.interp(np.sqrt(k2), table, np.sqrt(self.power(table) / np.prod(step)))
        amplitude *= np.exp(-0.5 * k2 * self.smoothing**2)
        amplitude[0, 0, 0] = 0.0
        modes = fft.rfftn(rng.standard_normal(shape, dtype=np.float32)) * amplitude.astype(np.float32)
        delta = fft.irfftn(modes, s=shape)
        bulk = np.exp(-0.5 * k2 * self.split**2).astype(np.float32)
        k2[0, 0, 0] = 1.0
        modes *= (1j / k2).astype(np.complex64)
        flow, collapse = np.empty((2, 3, *shape), dtype=np.float32)
        for i, axis in enumerate(k):
            psi = axis.astype(np.float32) * modes
            flow[i] = fft.irfftn(bulk * psi, s=shape)
            collapse[i] = fft.irfftn((1.0 - bulk) * psi, s=shape)
        return WebRealisation(self, np.asarray(low, dtype=np.float64), np.asarray(size, dtype=np.float64), delta,
                              flow, collapse)

    def _amplitude(self) -> float:
        k = np.geomspace(1e-4, 30.0, 4000)
        x = 8.0 * k
        top_hat = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3
        variance = np.trapezoid(_bbks(k, self.shape, self.spectral_index) * top_hat**2 * k**3, np.log(k))
        return float(self.sigma8**2 * 2.0 * np.pi**2 / variance)


@dataclass(frozen=True)
class WebRealisation:
    """One realisation of a :class:`CosmicWeb` in a periodic cuboid.

    Attributes
    ----------
    web : the model.
    low, size : (3,) corner and sides of the cuboid [Mpc/h].
    delta : (nx, ny, nz) smoothed linear density contrast at z = 0, at Lagrangian cell centres.
    flow, collapse : (3, nx, ny, nz) Zel'dovich displacement [Mpc/h] on scales above and below ``web.split``.
    """

    web: CosmicWeb
    low: NDArray[np.float64]
    size: NDArray[np.float64]
    delta: NDArray[np.float32]
    flow: NDArray[np.float32]
    collapse: NDArray[np.float32]

    def wrap(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] moved into the cuboid by whole periods."""
        inside = self.low + (xyz - self.low) % self.size
        # A tiny negative remainder rounds up to a full period.
        return np.where(inside >= self.low + self.size, self.low, inside)

    @property
    def largest_step(self) -> float:
        """An upper limit [Mpc/h] to how far flow and collapse together move a galaxy."""
        return float(sum(np.sqrt(np.einsum("i...,i...->...", field, field).max())
                         for field in (self.flow, self.collapse)))

    def carry(self, lagrangian: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] to which the bulk flow carries Lagrangian ones, wrapped into the cuboid."""
        return self._displace(lagrangian, self.flow)

    def condense(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] after the collapse into filaments, wrapped into the cuboid."""
        return self._displace(xyz, self.collapse)

    def contrast(self, lagrangian: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smoothed linear density contrast (n,) at Lagrangian positions (n, 3) [Mpc/h]."""
        return map_coordinates(self.delta, self._cells(lagrangian), order=1, mode="grid-wrap").astype(np.float64)

    def scatter(
        self, density: float, *, rng: np.random.Generator, share: Share | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Galaxies of mean number density ``density`` [(Mpc/h)^-3], carried by the flow.

        Parameters
        ----------
        share : function of Lagrangian positions (m, 3) that gives the share (m,) of the galaxies to make there, 0 to 1:
            what a survey cannot see need not be made. By default all are.

        Returns
        -------
        xyz : (n, 3) Mpc/h.
        share : (n,) the share of its kind that each galaxy, or the host of a satellite, was drawn with.
        """
        share = share or (lambda positions: np.ones(len(positions)))
        web, shape = self.web, self.delta.shape
        step = self.size / shape
        mean = np.mean(np.exp(web.bias * self.delta), dtype=np.float64)
        plane = np.zeros((shape[1] * shape[2], 3))
        plane[:, 1:] = np.stack(np.unravel_index(np.arange(len(plane)), shape[1:]), axis=1)
        made, contrast, drawn_with = [], [], []
        expected = 0.0
        for i in range(shape[0]):
            here = share(self.low + (plane + np.array([i + 0.5, 0.5, 0.5])) * step)
            biased = np.exp(web.bias * self.delta[i].ravel().astype(np.float64)) / mean
            wanted = density * np.prod(step) * here * biased
            expected += wanted.sum()
            cell = np.repeat(np.arange(len(plane)), rng.poisson((1.0 - web.satellite_fraction) * wanted))
            made.append(self.low + (plane[cell] + np.array([i, 0.0, 0.0]) + rng.random((len(cell), 3))) * step)
            contrast.append(self.delta[i].ravel()[cell])
            drawn_with.append(here[cell])
        central, with_share = self.carry(np.concatenate(made)), np.concatenate(drawn_with)
        n_satellites = rng.poisson(web.satellite_fraction * expected) if len(central) else 0
        cumulative = np.cumsum(np.exp(np.concatenate(contrast).astype(np.float64)))
        draw = rng.random(n_satellites) * (cumulative[-1] if n_satellites else 0.0)
        host = np.minimum(np.searchsorted(cumulative, draw, side="right"), len(central) - 1)
        satellite = self.wrap(central[host] + rng.normal(scale=web.satellite_radius, size=(n_satellites, 3)))
        return np.concatenate([central, satellite]), np.concatenate([with_share, with_share[host]])

    def _displace(self, xyz: NDArray[np.float64], field: NDArray[np.float32]) -> NDArray[np.float64]:
        cells = self._cells(xyz)
        shift = [map_coordinates(axis, cells, order=1, mode="grid-wrap") for axis in field]
        return self.wrap(xyz + np.stack(shift, axis=1))

    def _cells(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        # Fields live at cell centres, so the first centre is half a cell from the corner.
        return ((xyz - self.low) / (self.size / self.delta.shape) - 0.5).T


def _bbks(k: NDArray[np.float64], shape: float, spectral_index: float) -> NDArray[np.float64]:
    q = np.maximum(k, 1e-8) / shape
    polynomial = 1.0 + 3.89 * q + (16.1 * q) ** 2 + (5.46 * q) ** 3 + (6.71 * q) ** 4
    transfer = np.log1p(2.34 * q) / (2.34 * q) * polynomial**-0.25
    return np.where(k > 0.0, np.maximum(k, 1e-8) ** spectral_index * transfer**2, 0.0)


def _wavenumbers(shape: tuple[int, ...], step: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """kx, ky, kz [h/Mpc] of a real FFT on the grid, each with two axes of length 1."""
    k = [2.0 * np.pi * fft.fftfreq(n, d) for n, d in zip(shape[:2], step[:2], strict=True)]
    k.append(2.0 * np.pi * fft.rfftfreq(shape[2], step[2]))
    return list(np.meshgrid(*k, indexing="ij", sparse=True))
