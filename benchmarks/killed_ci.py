"""`benchmarks/killed-ci`: kills the CI server again and again while it delivers, and checks what is made of it."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import randbits
from tempfile import TemporaryDirectory

from benchmarks.killed_ci_server import KilledCiServer
from services.contract.waiting import NotInTime, wait_until

EXAMPLE = "example: benchmarks/killed-ci --kills 500 --seed 7"
# The history of hundreds of instances says nothing new, and one page of the API has a hundred.
KILLS_OF_A_STATE = 30
SETTLED_SECONDS = 60.0
# A promotion is delivered within this on a quiet machine.
LONGEST_SECONDS = 1.5


@dataclass
class Told:
    """`wrong` is what did not hold after a kill, `again` how many jobs ran more than once because of one."""

    kills: int = 0
    promotions: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)


def run(kills: int, seed: int, folder: Path) -> Told:
    """What is promoted, and when the server is killed, follows from the seed."""
    random, told = Random(seed), Told()
    while told.kills < kills:
        with TemporaryDirectory(dir=folder, prefix="state-") as state:
            _live(Path(state), random, told, min(KILLS_OF_A_STATE, kills - told.kills))
    return told


def _live(state: Path, random: Random, told: Told, kills: int) -> None:
    server = KilledCiServer(state)
    try:
        server.start()
        server.define()
        for _ in range(kills):
            # A second one comes while the first is on its way, or in the same poll.
            for pause in random.choice(([0.0], [0.0, 0.0], [random.uniform(0.0, 0.5), 0.0])):
                server.promote()
                time.sleep(pause)
            moment = random.uniform(0.0, LONGEST_SECONDS)
            server.wait_end(moment)
            server.kill()
            told.kills += 1
            server.start()
            told.wrong += [f"killed after {moment:.2f} s: {one}" for one in _wrong(server)]
        told.promotions += len(server.promoted)
        told.again += server.ran_again()
    finally:
        server.stop()


def _wrong(server: KilledCiServer) -> list[str]:
    found: list[str] = []

    def settled() -> bool:
        found[:] = server.wrong()
        return not found

    try:
        wait_until(settled, "what must hold", SETTLED_SECONDS)
    except NotInTime:
        return found
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else randbits(32)
    sys.stderr.write(f"seed {seed}\n")
    began = time.monotonic()
    with TemporaryDirectory(prefix="trackback-killed-ci-") as folder:
        told = run(options.kills, seed, Path(folder))
    for line in told.wrong:
        sys.stdout.write(f"wrong: {line}\n")
    sys.stdout.write(
        f"seed {seed}: {told.kills} kills in {time.monotonic() - began:.0f} s, {told.promotions} promotions, "
        f"{told.again} jobs ran again, {len(told.wrong)} inconsistent states\n"
    )
    return 1 if told.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/killed-ci",
        description="Kills the CI server with SIGKILL at any time while it polls and delivers promotions, and checks "
        "that each that it saw is in one build, that each build is delivered once, and that nothing is left behind.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--kills", type=int, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, help="of what is promoted and when it is killed; a new one if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
