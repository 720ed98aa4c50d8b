"""The figures by which a run of one method is known: counts, radii, and which share of the galaxies is in voids."""

from __future__ import annotations

import numpy as np

from armillary.model import Membership, MembershipCode, SurveyRegion, VoidCatalog


def summarize(catalog: VoidCatalog) -> dict[str, object]:
    """The figures of one method.

    ``void_fraction`` is of the tracers, the galaxies that the voids were found with: for VoidFinder no wall galaxy is
    ever in a hole, so it stays below the field fraction. ``all_galaxies`` counts every galaxy of the input that is in the region
    searched or in a void, fainter ones included.
    """
    figures: dict[str, object] = {"voids": len(catalog)}
    if catalog.holes is not None:
        figures["holes"] = len(catalog.holes)
    if catalog.zones is not None:
        figures["zones"] = len(catalog.zones)
    codes = (0, 1, 2) if catalog.holes is not None else (0, 1)
    figures["edge"] = {str(code): int(np.count_nonzero(catalog.edge == code)) for code in codes}
    figures["median_radius"] = float(np.median(catalog.radius)) if len(catalog) else None
    figures["median_r_eff"] = float(np.median(catalog.r_eff)) if len(catalog) else None
    figures["max_r_eff"] = float(np.max(catalog.r_eff)) if len(catalog) else None
    if catalog.membership is not None:
        figures |= _membership_figures(catalog.membership)
    if isinstance(catalog.region, SurveyRegion):
        figures["mask"] = catalog.region.mask.describe()
    figures["seconds"] = dict(catalog.seconds)
    return figures


def _membership_figures(membership: Membership) -> dict[str, object]:
    inside = membership.code == MembershipCode.VOID
    searched = membership.code != MembershipCode.OUTSIDE
    tracers = membership.tracer
    figures: dict[str, object] = {
        "galaxies": int(tracers.sum()),
        "galaxies_in_voids": int((inside & tracers).sum()),
        "void_fraction": _ratio((inside & tracers).sum(), tracers.sum()),
        "void_fraction_of": "tracers: the galaxies that the voids were found with",
        "all_galaxies": int(searched.sum()),
        "all_galaxies_in_voids": int(inside.sum()),
        "all_void_fraction": _ratio(inside.sum(), searched.sum()),
    }
    if membership.wall is not None:
        figures["wall"] = int((membership.wall == 1).sum())
        figures["field"] = int((membership.wall == 0).sum())
    return figures


def _ratio(part: np.integer, whole: np.integer) -> float | None:
    return float(part) / float(whole) if whole else None
