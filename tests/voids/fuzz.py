"""Tessellate small adversarial sets by the hundred thousand, each checked in exact integers, on all cores.

A set follows from its number alone. The program ends at the first set that fails, with status 1, its number and its points;
``--first`` begins with that number, or where an interrupted run left off.
"""

import argparse
import os
import sys

from tests.voids.adversarial import examine_many, small_set

from armillary.compute import Processes

_PER_TASK = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=100_000, help="how many sets")
    parser.add_argument("--first", type=int, default=0, help="number of the first set: the seed")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    arguments = parser.parse_args()
    end = arguments.first + arguments.sets
    tasks = [range(start, min(start + _PER_TASK, end)) for start in range(arguments.first, end, _PER_TASK)]
    tessellated = 0
    with Processes(arguments.workers) as executor:
        for task, (clean, failure) in zip(tasks, executor.map(examine_many, tasks), strict=True):
            tessellated += clean
            if failure is not None:
                number, why = failure
                kind, points, _ = small_set(number)
                print(f"\nset {number} ({kind}): {why}\n{points.tolist()}", file=sys.stderr)
                return 1
            print(f"\r{task.stop - arguments.first} of {arguments.sets} sets, next {task.stop}", end="", file=sys.stderr)
    print(f"\nall clean: {tessellated} tessellated, the others are in a plane or too few", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
