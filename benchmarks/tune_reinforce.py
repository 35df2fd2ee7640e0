"""Choose REINFORCE's defaults on the table: tuned on half of the seeds, judged on the other half.

    python benchmarks/tune_reinforce.py --seeds 100 --trials 300

What is compared is the mean regret over the seeds, at the end and as a mean over all trials.
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from _report import report

from nas_lab.estimation import Table
from nas_lab.strategies import FactorisedController, LSTMController, RandomSearch, Reinforce, race

RATES = {LSTMController: (0.003, 0.01, 0.03), FactorisedController: (0.1, 0.2, 0.4)}
ENTROPIES = (0.003, 0.01, 0.03)
BATCHES = (2, 4, 8)


def candidates() -> dict[str, partial]:
    """Every combination, by a name that says it; each controller has learning rates of its own."""
    found = {}
    for controller, rates in RATES.items():
        for rate, entropy, batch in itertools.product(rates, ENTROPIES, BATCHES):
            found[f"{controller.__name__} {rate} {entropy} {batch}"] = partial(
                Reinforce, controller=controller, learning_rate=rate, entropy=entropy, batch=batch
            )
    return found


def rows(result, reference: str | None = None) -> list[dict]:
    """One row for each strategy of a race, the best first."""
    against = result.against(reference) if reference else {}
    found = [
        {
            "strategy": name,
            "regret at the end, %": 100 * run.regret[:, -1].mean(),
            "mean regret, %": 100 * run.regret.mean(),
            "p": against[name].p_value if name in against else np.nan,
        }
        for name, run in result.items()
    ]
    return sorted(found, key=lambda row: row["regret at the end, %"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    table, half = Table.load(), given.seeds // 2
    tuning, judging = range(half), range(half, 2 * half)
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        tuned = rows(race(candidates(), table, given.trials, tuning, executor=pool))
        report("tune_reinforce", tuned)
        best = {
            kind.__name__: next(row for row in tuned if row["strategy"].startswith(kind.__name__))
            for kind in RATES
        }
        finalists = {row["strategy"]: candidates()[row["strategy"]] for row in best.values()}
        finalists |= {"Reinforce, defaults": Reinforce, "random search": RandomSearch}
        judged = race(finalists, table, given.trials, judging, executor=pool)
    report("judge_reinforce", rows(judged, "random search"))


if __name__ == "__main__":
    main()
