"""What a row of the targets is, and what measuring it gives."""

from dataclasses import dataclass, field
from statistics import median
from typing import Callable, Optional


@dataclass
class Outcome:
    """`reached` holds one value a round, in the row's unit; `contestants` as Contest.report()."""
    reached: list
    contestants: list = field(default_factory=list)
    contestants_unit: str = "MB/s"
    limit: str = ""  # what the link itself gave, as text
    notes: list = field(default_factory=list)
    reason: str = ""  # why `reached` is empty

    @property
    def value(self):
        return median(self.reached)


@dataclass
class Row:
    name: str
    title: str
    promise: str = "-"  # the mission's words
    aim: str = "-"
    aim_value: Optional[float] = None
    floor: str = "-"  # what this stage must show
    floor_value: Optional[float] = None
    # From where on a run fails, where half of the target would not do: see fails().
    fails_value: Optional[float] = None
    unit: str = "x limit"
    lower_is_better: bool = False
    measure: Optional[Callable] = None
    not_yet: str = ""  # why it cannot be measured today
    quick: bool = True

    def meets(self, value, target):
        return value <= target if self.lower_is_better else value >= target

    def fails(self, value):
        """So far off that the run fails: below half of the floor, or of the aim where there is no
        floor. A few milliseconds are doubled by any busy machine; such a row says what would be a
        fault of ours."""
        if self.fails_value is not None:
            return not self.meets(value, self.fails_value)
        target = self.floor_value if self.floor_value is not None else self.aim_value
        if target is None:
            return False
        return value > 2 * target if self.lower_is_better else value < target / 2


def judged(contest, quantity, ours, references, reached, unit="MB/s", notes=()):
    """The Outcome of a contest: `reached` turns our values and the references' into the row's.
    Without one of them the row is not measured, but the others' figures are kept."""
    entries = contest.entries
    missing = [f"{name}: {entries[name].error or 'not measured'}" for name in (ours, *references)
               if not any(entries[name].samples)]
    values = [] if missing else reached(entries[ours].values(quantity),
                                        *(entries[name].values(quantity) for name in references))
    limits = entries["iperf3"].measured(quantity) if "iperf3" in entries else []
    return Outcome(values, contest.report(quantity), unit,
                   f"{median(limits):.1f} {unit}" if limits and unit == "MB/s" else "",
                   list(notes),
                   "; ".join(missing))


def present(values):
    return [value for value in values if value is not None]
