"""How a run goes on over time: what has crossed the link so far, how the link changes under way."""

STEP_SECONDS = 0.25


class Course:
    """`script`: (seconds, command of the link emulator), in order, of which the first is at 0."""

    def __init__(self, client, wan, script=()):
        self.points = []
        self._client, self._wan, self._ahead = client, wan, list(script)
        self._before = client.wire_bytes()[0]
        self.on_tick(0.0)

    def on_tick(self, seconds):
        while self._ahead and self._ahead[0][0] <= seconds:
            self._wan.command(self._ahead.pop(0)[1])
        if not self.points or seconds - self.points[-1][0] >= STEP_SECONDS:
            self.points.append((round(seconds, 3), self._client.wire_bytes()[0] - self._before))


def rates(points):
    """[(middle of the step in seconds, bytes per second)]"""
    return [((one + other) / 2, (later - before) / (other - one))
            for (one, before), (other, later) in zip(points, points[1:])]


def rate_between(points, first, last):
    """Bytes per second from the first point at or after `first` seconds to the last one at or before
    `last`; None where that is not a second."""
    inside = [point for point in points if first <= point[0] <= last]
    if not inside or inside[-1][0] - inside[0][0] < 1:
        return None
    return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])
