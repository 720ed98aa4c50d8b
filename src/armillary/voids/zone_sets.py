"""Sets of zones, and what a void made of them is like: its volume, centre, axes and boundary.

Sets may overlap and nest, as ZOBOV voids do: each quantity is summed over the zones of a set, never over their cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from armillary.voids.watershed import ZoneLinks, ZoneMap


@dataclass(frozen=True)
class ZoneSets:
    """Sets of zones, each of at least one, end to end.

    Attributes
    ----------
    zones : (m,) the zones of the first set, of the second, and so on.
    size : (v,) number of zones of each set.
    """

    zones: NDArray[np.int64]
    size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return iter(np.split(self.zones, self.start[1:]) if len(self) else [])

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(v,) place of the first zone of each set."""
        return np.cumsum(self.size) - self.size

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(m,) the set that each zone stands in."""
        return np.repeat(np.arange(len(self)), self.size)

    def kept(self, keep: NDArray[np.bool_]) -> ZoneSets:
        """The sets for which ``keep`` (v,) is True."""
        return ZoneSets(self.zones[keep[self.owner]], self.size[keep])

    def where(self, keep: NDArray[np.bool_]) -> ZoneSets:
        """All sets, with those of their zones for which ``keep`` (m,) is True; one at least must be left in each."""
        return ZoneSets(self.zones[keep], np.bincount(self.owner[keep], minlength=len(self)))

    def total(self, values: NDArray) -> NDArray:
        """Sums (v, ...) over each set of the values (m, ...) that stand beside its zones."""
        return np.add.reduceat(values, self.start) if len(self) else values

    def holders(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first and the last set (k,) that holds each zone, -1 for none."""
        first, last = np.full(k, -1, dtype=np.int64), np.full(k, -1, dtype=np.int64)
        # Of places that are written several times, the last value stays.
        first[self.zones[::-1]] = self.owner[::-1]
        last[self.zones] = self.owner
        return first, last


class Moments:
    """Volumes, centres and inertia of sets of zones.

    Moments are taken about the position of each zone's core, so that sums keep their digits far from the origin.
    """

    def __init__(
        self, xyz: NDArray[np.float64], volume: NDArray[np.float64], zones: ZoneMap, period: NDArray[np.float64] | None
    ) -> None:
        """Sum over the cells with positions (n, 3) [Mpc/h] and volumes (n,); ``period`` (3,) are the sides of a periodic box."""
        self.core, self.period = xyz[zones.core], period
        member = np.flatnonzero(zones.zone >= 0)
        zone, weight = zones.zone[member], volume[member]
        offset = [xyz[member, axis] - self.core[zone, axis] for axis in range(3)]
        if period is not None:
            offset = [d - side * np.round(d / side) for d, side in zip(offset, period, strict=True)]
        k = len(self.core)
        self.volume = _sums(zone, weight, k)
        self.first, self.second = np.empty((k, 3)), np.empty((k, 3, 3))
        for i in range(3):
            weighted = weight * offset[i]
            self.first[:, i] = _sums(zone, weighted, k)
            for j in range(i + 1):
                self.second[:, i, j] = _sums(zone, weighted * offset[j], k)
                self.second[:, j, i] = self.second[:, i, j]

    def volumes(self, sets: ZoneSets) -> NDArray[np.float64]:
        """Volumes (v,) of sets of zones [(Mpc/h)^3]."""
        return sets.total(self.volume[sets.zones])

    def centres(self, sets: ZoneSets) -> NDArray[np.float64]:
        """Volume-weighted mean positions (v, 3) [Mpc/h]; in a periodic box near the first zone of each set."""
        weighted = self._cores(sets) * self.volume[sets.zones, None] + self.first[sets.zones]
        return sets.total(weighted) / self.volumes(sets)[:, None]

    def axes(self, sets: ZoneSets, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """Semi-axes (v, 3, 3), longest first, of the uniform ellipsoids with the sets' second moments about ``centre`` (v, 3)."""
        zones = sets.zones
        shift = self._cores(sets) - centre[sets.owner]
        cross = shift[:, :, None] * self.first[zones][:, None, :]
        moment = self.second[zones] + cross + cross.transpose(0, 2, 1)
        moment += self.volume[zones, None, None] * shift[:, :, None] * shift[:, None, :]
        values, vectors = np.linalg.eigh(sets.total(moment) / self.volumes(sets)[:, None, None])
        return (np.sqrt(np.maximum(5.0 * values, 0.0))[:, None, :] * vectors).transpose(0, 2, 1)[:, ::-1]

    def _cores(self, sets: ZoneSets) -> NDArray[np.float64]:
        """Core positions of the zones, unwrapped to lie near that of the first zone of their set."""
        core = self.core[sets.zones]
        if self.period is not None:
            first = core[sets.start][sets.owner]
            core = core - self.period * np.round((core - first) / self.period)
        return core


class Borders:
    """What lies around each zone: every link under both its zones."""

    def __init__(self, links: ZoneLinks, k: int) -> None:
        first = np.concatenate((links.first, links.second))
        order = np.argsort(first, kind="stable")
        self.k = k
        self.across = np.concatenate((links.second, links.first))[order]
        self.area = np.concatenate((links.area, links.area))[order]
        self.count = np.bincount(first, minlength=k + 1)
        self.start = np.cumsum(self.count) - self.count

    def areas(self, sets: ZoneSets) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boundary area (v,) of sets of zones, and the part of it that borders on edge cells (v,) [(Mpc/h)^2]."""
        count = self.count[sets.zones]
        skipped = np.cumsum(count) - count
        row = np.repeat(self.start[sets.zones] - skipped, count) + np.arange(count.sum())
        void, across, area = np.repeat(sets.owner, count), self.across[row], self.area[row]
        # One number for each (set, zone): is what lies across in the same set?
        inner = np.isin(void * (self.k + 1) + across, sets.owner * (self.k + 1) + sets.zones)
        total = _sums(void[~inner], area[~inner], len(sets))
        edge = across == self.k
        return total, _sums(void[edge], area[edge], len(sets))


def _sums(place: NDArray[np.int64], weight: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Sums (n,) of the weights at each place."""
    return np.bincount(place, weights=weight, minlength=n).astype(np.float64, copy=False)
