"""Interleaved timing: each round runs every contender once, so that a busy moment of the machine hits all."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Timing:
    """Seconds of one contender, round by round: on the clock, and of this process's CPUs together."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median on the clock."""
        return median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        """Median of CPU time; it hardly moves when the machine does other work as well."""
        return median(self.cpu)

    @property
    def spread(self) -> str:
        """Fastest to slowest round."""
        return f"{min(self.wall):.3f}–{max(self.wall):.3f}"


@dataclass(frozen=True)
class Ratio:
    """Ours ÷ peer, taken round by round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def interleave(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: bool = True
) -> dict[str, Timing]:
    """Run every contender once a round and return their times; the warm-up round is not counted."""
    timings = {name: Timing() for name in contenders}
    for number in range(-1 if warm_up else 0, rounds):
        for name, run in contenders.items():
            cpu, clock = time.process_time(), time.perf_counter()
            run()
            wall, used = time.perf_counter() - clock, time.process_time() - cpu
            if number >= 0:
                timings[name].wall.append(wall)
                timings[name].cpu.append(used)
                say(f"    {name}: {wall:.3f} s")
    return timings


def ratio(ours: Timing, peer: Timing) -> Ratio:
    """Return ours ÷ peer of neighbouring runs: the median of the rounds, the lowest and the highest."""
    rounds = [mine / theirs for mine, theirs in zip(ours.wall, peer.wall, strict=True)]
    return Ratio(median(rounds), min(rounds), max(rounds))


def cpu_ratio(ours: Timing, peer: Timing) -> float:
    """Return ours ÷ peer in CPU time, of the medians."""
    return ours.cpu_seconds / peer.cpu_seconds


def say(text: str) -> None:
    """Write a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
