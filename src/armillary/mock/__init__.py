"""Mock surveys and boxes with planted truth: what was put in is handed back beside what a survey would see.

A mock is made in four steps, one module each. ``clustering`` scatters galaxies along the cosmic web of a Zel'dovich
realisation; ``voids`` packs voids of known centre and radius into its underdense places and evacuates them, conserving
galaxies; ``luminosity`` gives magnitudes; ``footprint`` draws the sky mask with irregular edges and holes. ``survey``
and ``box`` put them together.
"""

from armillary.mock.box import MockBox, SimulatedBox
from armillary.mock.clustering import CosmicWeb, WebRealisation
from armillary.mock.footprint import Footprint
from armillary.mock.luminosity import Schechter
from armillary.mock.survey import MockSurvey, SimulatedSurvey
from armillary.mock.voids import PlantedVoids, VoidPlan, VoidProfile

__all__ = [
    "CosmicWeb",
    "Footprint",
    "MockBox",
    "MockSurvey",
    "PlantedVoids",
    "Schechter",
    "SimulatedBox",
    "SimulatedSurvey",
    "VoidPlan",
    "VoidProfile",
    "WebRealisation",
]
