"""Reads a QR code from the SVG in which it is drawn, as a camera would (ISO/IEC 18004), without error correction."""

import re

# By version, for level M: error-correction codewords a block, data codewords of each block, alignment centres.
_VERSIONS = {
    3: (26, [44], [6, 22]),
    4: (18, [32, 32], [6, 26]),
    5: (24, [43, 43], [6, 30]),
    6: (16, [27] * 4, [6, 34]),
    7: (18, [31] * 4, [6, 22, 38]),
    8: (22, [38, 38, 39, 39], [6, 24, 42]),
}
_MASKS = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)
_LEVEL_M, _FORMAT_MASK = 0b00, 0b101010000010010


def read_qr(svg: str) -> str:
    """The text in the code."""
    dark, border = _modules(svg)
    size = max(row for row, _ in dark) - border + 1
    grid = [[(row + border, column + border) in dark for column in range(size)] for row in range(size)]
    version = (size - 17) // 4
    level, mask = _format(grid)
    assert level == _LEVEL_M
    correction, blocks, centres = _VERSIONS[version]
    bits = _walk(grid, _reserved(version, size, centres), _MASKS[mask])
    codewords = [int("".join(map(str, bits[at : at + 8])), 2) for at in range(0, len(bits) - 7, 8)]
    assert len(codewords) >= sum(blocks) + correction * len(blocks)
    return _text(_in_order(codewords, blocks))


def _modules(svg: str) -> tuple[set[tuple[int, int]], int]:
    found = re.search(r' d="([^"]+)"', svg)
    assert found is not None
    dark: set[tuple[int, int]] = set()
    x, y = 0, 0.0
    for command, first, second in re.findall(r"([MmhH])\s*(-?[\d.]+)(?:[ ,](-?[\d.]+))?", found[1]):
        if command == "M":
            x, y = int(float(first)), float(second)
        elif command == "m":
            x, y = x + int(float(first)), y + float(second)
        else:
            dark |= {(int(y), column) for column in range(x, x + int(first))}
            x += int(first)
    border = min(row for row, _ in dark)
    assert border == min(column for _, column in dark) == 4, "cameras want a quiet zone of four modules"
    return dark, border


def _format(grid: list[list[bool]]) -> tuple[int, int]:
    places = [*((8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)), *((row, 8) for row in (7, 5, 4, 3, 2, 1, 0))]
    value = int("".join(str(int(grid[row][column])) for row, column in places), 2) ^ _FORMAT_MASK
    return value >> 13, value >> 10 & 0b111


def _reserved(version: int, size: int, centres: list[int]) -> set[tuple[int, int]]:
    taken = {(6, at) for at in range(size)} | {(at, 6) for at in range(size)}
    for row, column in ((0, 0), (0, size - 8), (size - 8, 0)):
        height, width = 9 if row == 0 else 8, 9 if column == 0 else 8
        taken |= {(row + i, column + j) for i in range(height) for j in range(width)}
    last = centres[-1]
    for row in centres:
        for column in centres:
            if (row, column) not in ((6, 6), (6, last), (last, 6)):
                taken |= {(row + i, column + j) for i in range(-2, 3) for j in range(-2, 3)}
    if version >= 7:
        taken |= {(i, size - 11 + j) for i in range(6) for j in range(3)}
        taken |= {(size - 11 + j, i) for i in range(6) for j in range(3)}
    return taken


def _walk(grid: list[list[bool]], reserved: set[tuple[int, int]], mask) -> list[int]:  # type: ignore[no-untyped-def]
    size = len(grid)
    bits = []
    upwards = True
    columns = [column for column in range(size - 1, 0, -2) if column > 6] + [5, 3, 1]
    for right in columns:
        for row in range(size - 1, -1, -1) if upwards else range(size):
            for column in (right, right - 1):
                if (row, column) not in reserved:
                    bits.append(int(grid[row][column] ^ mask(row, column)))
        upwards = not upwards
    return bits


def _in_order(codewords: list[int], blocks: list[int]) -> list[int]:
    split: list[list[int]] = [[] for _ in blocks]
    at = 0
    for place in range(max(blocks)):
        for block, length in zip(split, blocks, strict=True):
            if place < length:
                block.append(codewords[at])
                at += 1
    return [codeword for block in split for codeword in block]


def _text(data: list[int]) -> str:
    stream = "".join(f"{codeword:08b}" for codeword in data)
    assert stream[:4] == "0100", "one segment of bytes"
    length = int(stream[4:12], 2)
    return bytes(int(stream[at : at + 8], 2) for at in range(12, 12 + 8 * length, 8)).decode()
