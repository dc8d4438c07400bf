"""Medians and ratios. Ratios are taken run by run, as the contestants of one round shared the
machine's moods, and only then summed up."""

from statistics import median


def summary(values):
    return {"median": median(values), "min": min(values), "max": max(values),
            "values": list(values)}


def paired(values, *references):
    """Ratios of `values` to the reference of the same round; of several references, to the
    largest. Rounds that lack one are left out."""
    return [value / max(others) for value, *others in zip(values, *references)
            if value is not None and None not in others]
