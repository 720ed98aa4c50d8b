"""Measurements that mock tests share."""

import numpy as np
import pytest
from scipy.spatial import Delaunay, cKDTree


@pytest.fixture(scope="session")
def correlation():
    """xi(r) of points (n, 3) in a periodic cube, from all pairs: the natural estimator DD/RR - 1."""

    def measure(points, side, edges):
        tree = cKDTree(points, boxsize=side)
        pairs = np.diff(tree.count_neighbors(tree, edges).astype(float))
        shells = np.diff(4.0 / 3.0 * np.pi * edges**3)
        return pairs / (len(points) ** 2 / side**3 * shells) - 1.0

    return measure


@pytest.fixture(scope="session")
def empty_sphere():
    """Largest sphere, centred within a planted void, that holds none of the wall galaxies: (centre, radius).

    As VoidFinder does, galaxies whose third neighbour is farther than mean + 1.5 sigma do not count.
    """

    def measure(galaxies, centre, radius):
        third = cKDTree(galaxies).query(galaxies, 4)[0][:, 3]
        wall = galaxies[third < third.mean() + 1.5 * third.std()]
        near = wall[np.linalg.norm(wall - centre, axis=1) < 3.0 * radius]
        corners = near[Delaunay(near).simplices]
        first = corners[:, 0]
        matrix = 2.0 * (corners[:, 1:] - first[:, None])
        right = (corners[:, 1:] ** 2).sum(axis=2) - (first**2).sum(axis=1)[:, None]
        solid = np.abs(np.linalg.det(matrix)) > 1e-6
        place = np.linalg.solve(matrix[solid], right[solid][..., None])[..., 0]
        size = np.linalg.norm(place - first[solid], axis=1)
        size[np.linalg.norm(place - centre, axis=1) > radius] = 0.0
        best = np.argmax(size)
        return place[best], size[best]

    return measure
