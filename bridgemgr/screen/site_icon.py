"""The site's icon as PNG, for phones that take no SVG: drawn here, so that no binary file has to be kept."""

import struct
import zlib
from functools import lru_cache
from math import hypot

# As in static/icon.svg, in sixteenths of the side.
_GREEN = (0x1D, 0x7A, 0x4C)
_TICK = ((4.0, 8.4), (7.0, 11.2), (12.2, 5.0))
_STROKE = 2.0
_CORNER = 4.0
_SAFE = 0.75  # what a launcher may cut from a maskable icon lies outside of this (W3C App Manifest, icon masks)


def _distance(x: float, y: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """From a point to the line between two others."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = max(0.0, min(1.0, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)))
    return hypot(x - a[0] - along * dx, y - a[1] - along * dy)


def _cover(beyond: float, scale: float) -> float:
    """How much of a pixel lies inside an edge that is ``beyond`` units away, negative for inside."""
    return max(0.0, min(1.0, 0.5 - beyond * scale))


def _pixel(x: float, y: float, scale: float, maskable: bool) -> bytes:
    tick = min(_distance(x, y, _TICK[0], _TICK[1]), _distance(x, y, _TICK[1], _TICK[2]))
    white = _cover(tick - _STROKE / 2, scale)
    colour = bytes(round(part + (255 - part) * white) for part in _GREEN)
    if maskable:
        return colour + b"\xff"
    dx, dy = abs(x - 8) - (8 - _CORNER), abs(y - 8) - (8 - _CORNER)
    corner = hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - _CORNER
    return colour + bytes([round(255 * _cover(corner, scale))])


@lru_cache(maxsize=8)
def png(side: int, *, maskable: bool) -> bytes:
    """The icon, ``side`` pixels square (PNG, ISO/IEC 15948).

    Args:
        side: pixels; 512 take a second of CPU, once.
        maskable: filled to the edges, the sign within what every launcher shows.
    """
    shown = _SAFE if maskable else 1.0
    scale = side / 16 * shown
    middle = side / 2
    places = [8 + (at + 0.5 - middle) / scale for at in range(side)]
    rows = bytearray()
    for y in places:
        rows.append(0)  # no filter
        rows += b"".join(_pixel(x, y, scale, maskable) for x in places)
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
