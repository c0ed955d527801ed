"""How much a reader accepts before it refuses a file."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Bytes of the file; rows; columns; characters of a cell and of a physical line. For a
    workbook: inflated bytes of all parts and of one, inflation ratio (looked at above
    ``ratio_from`` bytes), parts of the archive, and cells of the rectangle that a sheet
    covers, which is held in memory whole.
    """

    max_bytes: int = 50_000_000
    max_rows: int = 500_000
    max_columns: int = 500
    max_cell: int = 32_767
    max_line: int = 2_000_000
    max_inflated: int = 500_000_000
    max_part: int = 250_000_000
    max_ratio: int = 200
    ratio_from: int = 10_000_000
    max_parts: int = 10_000
    max_cells: int = 5_000_000


DEFAULT = Limits()
