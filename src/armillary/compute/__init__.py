"""One contract for work in many pieces, and three executors that keep it.

:class:`Serial` does the work in this process, :class:`Processes` in processes of this machine, :class:`RayCluster` on a
Ray cluster. Which one is used is a setting; what is computed does not depend on it.

>>> from armillary.compute import Processes
>>> with Processes(2) as executor:                                                    # doctest: +SKIP
...     for volumes in executor.map(cell_volumes, blocks, shared=positions):
...         ...

Nothing heavy is imported here, and Ray only when it is chosen.
"""

from armillary.compute.contract import Executor, Progress
from armillary.compute.processes import Processes
from armillary.compute.ray_cluster import RayCluster
from armillary.compute.serial import Serial

__all__ = ["Executor", "Processes", "Progress", "RayCluster", "Serial"]
