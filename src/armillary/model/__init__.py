"""The frozen nouns that rooms hand to one another: what was observed, where, and what was found."""

from armillary.model.galaxies import GalaxyCatalog
from armillary.model.masks import EqualAngleMask, HealpixMask, SkyMask
from armillary.model.provenance import RunRecord
from armillary.model.regions import BoxRegion, Region, SurveyRegion
from armillary.model.voids import Holes, Membership, MembershipCode, VoidCatalog, VoidSurface, Zones

__all__ = [
    "BoxRegion",
    "EqualAngleMask",
    "GalaxyCatalog",
    "HealpixMask",
    "Holes",
    "Membership",
    "MembershipCode",
    "Region",
    "RunRecord",
    "SkyMask",
    "SurveyRegion",
    "VoidCatalog",
    "VoidSurface",
    "Zones",
]
