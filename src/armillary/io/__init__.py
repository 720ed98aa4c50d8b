"""Foreign formats, one module each: bytes to model, model to bytes.

``galaxies`` reads catalogues, ``sky_masks`` HEALPix footprints, ``desivast`` void catalogues in the DESIVAST layout;
``membership`` writes what each method says of each galaxy, ``ply`` void surfaces. Every file is written through
:func:`armillary.io.atomic.atomic_path`, so that a half-written one is never left behind.
"""
