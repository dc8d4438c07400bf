"""Rows whose machinery does not exist yet. They are listed, never faked."""

from rows.base import Row

ROWS = [
    Row("single-100gb", "100 GB file", promise="full line rate", aim="full line rate",
        not_yet="a lab disk that large"),
]
