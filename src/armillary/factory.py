"""The one place that wires settings to services: the command line, and any other door, asks it for them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import armillary
from armillary.config import Settings, load_settings, set_kernel_cache, user_cache_directory

if TYPE_CHECKING:
    from armillary.compute import Executor
    from armillary.cosmology import Cosmology
    from armillary.services.voids import FindVoids, FindVoidsResult, Progress, Say


@dataclass(frozen=True)
class Services:
    """The services, with this machine's settings applied.

    Attributes
    ----------
    settings : the settings in force, a command's own options included.
    """

    settings: Settings

    @classmethod
    def configured(cls, **overrides: Any) -> Services:
        """Read the settings, and find a place for compiled kernels before one is imported.

        Parameters
        ----------
        overrides : settings by name that win over file and environment; None means not given.
        """
        settings = load_settings(**overrides)
        cache = kernel_cache(settings.cache_dir)
        if cache is not None:
            set_kernel_cache(cache)
        return cls(settings)

    @property
    def cosmo(self) -> Cosmology:
        """The cosmology that the settings describe."""
        from armillary.cosmology import Cosmology

        return Cosmology(omega_m=self.settings.omega_m, h=self.settings.h)

    @property
    def workers(self) -> int:
        """Threads or processes to use: those of the settings, and no more than this process may run at once."""
        here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.settings.workers, here)

    def executor(self) -> Executor:
        """Who does work in many pieces; use it as a context, which ends the workers.

        Raises
        ------
        ArmillaryError
            The settings name a Ray cluster that does not answer, or Ray is not installed.
        """
        from armillary.compute import Processes, RayCluster, Serial

        if self.settings.executor == "ray":
            return RayCluster(self.settings.ray_address, workers=self.workers)
        return Processes(self.workers) if self.workers > 1 else Serial()

    def find_voids(
        self, request: FindVoids, *, progress: Progress | None = None, say: Say | None = None
    ) -> FindVoidsResult:
        """See :func:`armillary.services.voids.find_voids`."""
        from armillary.services.voids import find_voids

        return find_voids(request, workers=self.workers, progress=progress, say=say)


def kernel_cache(wanted: Path | None) -> Path | None:
    """Directory for compiled kernels, or None to keep them beside the package.

    An installed package is often not writable, and a service account may have no home: the user's cache and then
    the temporary directory take its place.
    """
    if wanted is not None:
        return wanted.expanduser()
    if os.access(Path(armillary.__file__).parent, os.W_OK):
        return None
    for place in (user_cache_directory(), Path(tempfile.gettempdir()) / f"armillary-{os.getuid()}"):
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            return place / "kernels"
    return None
