"""All rows, in the order of the report."""

from rows import (changed, chaos, compression, concurrent, efficiency, first_byte, later, put,
                  resume, reuse, reuse_cost, small_files, sustained, throughput, trees, wan)

ROWS = [row for group in (throughput, sustained, wan, compression, first_byte, small_files, trees,
                          put, efficiency, concurrent, chaos, resume, changed, reuse, reuse_cost,
                          later)
        for row in group.ROWS]
