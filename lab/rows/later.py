"""Rows whose machinery does not exist yet. They are listed, never faked."""

from rows.base import Row

ROWS = [
    Row("single-100gb", "100 GB file", promise="full line rate", aim="full line rate",
        not_yet="a lab disk that large"),
    Row("identical", "An identical 1 GB again", promise="< 1 s",
        aim="< 0.1 s in place, < 0.5 s elsewhere, < 64 KiB on the wire",
        not_yet="the chunk index"),
    Row("dedup", "Identical files across sessions", promise="> 99 %",
        aim="100 %, renamed, moved, copied, restarted", not_yet="the chunk index"),
]
