"""Draw the pictures of the documentation: ``python docs/make_pictures.py [DIRECTORY]``.

The illustrations of the definitions are drawn from small made-up point sets; everything else shows what the simulator
and the finders of this version give. Takes about a minute.
"""

import sys
from pathlib import Path

from armillary.plots.style import figure_bytes

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from illustrations import draw_illustrations  # noqa: E402 (a neighbour of this file, not a package)
from results import draw_results  # noqa: E402
from tessellations import draw_tessellations  # noqa: E402


def main(directory: Path) -> None:
    """Write every picture and table into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, picture in {**draw_illustrations(), **draw_results(), **draw_tessellations()}.items():
        if isinstance(picture, str):
            (directory / f"{name}.md").write_text(picture)
        else:
            (directory / f"{name}.png").write_bytes(figure_bytes(picture, "png", dpi=150))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures")
