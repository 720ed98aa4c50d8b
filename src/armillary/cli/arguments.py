"""Texts of the command line that stand for more than a number: column names and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armillary.errors import OptionError

if TYPE_CHECKING:
    from armillary.model import BoxRegion


def parse_columns(text: str | None) -> dict[str, str]:
    """``ra=RA_J2000,dec=DE`` as a mapping from our names to the file's.

    Raises
    ------
    OptionError
        A part is not ``name=COLUMN``, or a name is given twice.
    """
    columns: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, _, column = (piece.strip() for piece in part.partition("="))
        if not name or not column:
            raise OptionError(f"--columns has {part.strip()!r}; expected name=COLUMN, e.g. ra=RA,dec=DEC,z=Z")
        if name.lower() in columns:
            raise OptionError(f"--columns names {name.lower()} twice; give it once")
        columns[name.lower()] = column
    return columns


def parse_box(text: str | None, *, periodic: bool = False) -> BoxRegion | None:
    """Limits of a box [Mpc/h]: ``100`` is [0, 100]^3, ``100,100,50`` has three sides, ``-50:50`` gives low and high.

    Raises
    ------
    OptionError
        The text is none of these, or a side has no length.
    """
    from armillary.model import BoxRegion

    if text is None:
        return None
    sides = text.split(",")
    if len(sides) not in (1, 3):
        raise OptionError(f"--box-size is {text!r}; expected one side or three, e.g. 100 or 100,100,50 or -50:50")
    limits = [_side(text, side) for side in (sides * 3 if len(sides) == 1 else sides)]
    low, high = zip(*limits, strict=True)
    return BoxRegion(low, high, periodic=periodic)


def _side(text: str, side: str) -> tuple[float, float]:
    low, colon, high = side.partition(":")
    try:
        return (float(low), float(high)) if colon else (0.0, float(low))
    except ValueError as error:
        raise OptionError(f"--box-size is {text!r}: {side!r} is neither a number nor LOW:HIGH") from error
