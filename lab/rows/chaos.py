"""Killed and cut at random, run again: every byte right."""

import time

import chaos
from rows.base import Outcome, Row

# (gigabytes, interruptions)
FULL, QUICK = (20, 20), (1, 6)


def measure(context):
    gigabytes, interruptions = QUICK if context.quick else FULL
    faults, notes = chaos.run(context, gigabytes, interruptions, seed=time.time_ns())
    return Outcome([0.0 if faults else 1.0], notes=notes + faults[:20])


ROWS = [
    Row("chaos", "20 GB of mixed files, killed and cut 20 times (quick: 1 GB, 6 times)",
        aim="every byte right", aim_value=1.0, floor="every byte right", floor_value=1.0,
        unit="right", measure=measure),
]
