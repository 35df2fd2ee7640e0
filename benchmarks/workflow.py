"""What two Dask workers do beside one, on real trainings, and what an engine costs a trial.

Every cluster trains the same networks with the same seeds; workers have loaded torch before the
clock starts. Turns change, so that other programs disturb both alike.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import timeit
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from _report import report

from nas_lab import spaces
from nas_lab.build.networks import RECIPE, SKELETON
from nas_lab.estimation import Table
from nas_lab.estimation.training import TrainFromScratch
from nas_lab.history import Evaluation
from nas_lab.strategies import RandomSearch, RegularizedEvolution, Reinforce, search
from nas_lab.workflow import OptunaSearch, Recorded, StrategySampler, open_study, run_study

TRIALS, ROUNDS, INSTANT = 32, 2, 400


def trainings(executor: Executor) -> float:
    """Return the seconds of a search by random trials, each of them a training."""
    from nas_lab.data import FashionMNIST

    space = spaces.nasbench201()
    data = FashionMNIST(SKELETON.resolution, 128, images=1_000)
    estimate = TrainFromScratch(space, SKELETON, data, replace(RECIPE, epochs=2))
    began = time.perf_counter()
    done = search(RandomSearch(space), estimate, TRIALS, batch=TRIALS, executor=executor)
    scores = [trial.result.score for trial in done]
    seconds = time.perf_counter() - began
    assert len(scores) == TRIALS
    return seconds


def clusters() -> list[dict]:
    """Return the time of the same trainings with one worker and with two, with Dask and without.

    Plain processes say what the machine has to give: two cores that share their caches, or that
    are two halves of one, do not do twice the work.
    """
    from dask.distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    options["silence_logs"] = logging.ERROR
    seconds: dict[tuple[str, int], list[float]] = {}
    with (
        LocalCluster(n_workers=2, **options) as cluster,
        Client(cluster) as client,
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_warm_up) as one,
        ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_warm_up) as two,
    ):
        addresses = list(client.scheduler_info()["workers"])
        client.run(_warm_up)
        executors = {
            ("Dask", 1): client.get_executor(pure=False, workers=addresses[:1]),
            ("processes", 1): one,
            ("Dask", 2): client.get_executor(pure=False),
            ("processes", 2): two,
        }
        for executor in (one, two):  # start them all
            list(executor.map(time.sleep, [1.0, 1.0]))
        for _ in range(ROUNDS):
            for name, executor in executors.items():
                seconds.setdefault(name, []).append(trainings(executor))
    best = {name: min(found) for name, found in seconds.items()}
    return [
        {
            "workers": f"{n} ({kind})",
            "s a trial": best[kind, n] / TRIALS,
            "times the trials of one": best[kind, 1] / best[kind, n],
        }
        for kind, n in best
    ]


def _warm_up() -> None:
    """Load what a worker needs, and train once."""
    import torch

    from nas_lab.data import FashionMNIST

    torch.set_num_threads(1)
    data = FashionMNIST(SKELETON.resolution, 128, images=200)
    space = spaces.nasbench201()
    TrainFromScratch(space, SKELETON, data, RECIPE)((1, 2, 3, 4, 0, 1), 0)


def best_of(action: Callable[[], object]) -> float:
    """Return the seconds that ``action`` takes, the best of several rounds."""
    return min(timeit.repeat(action, number=1, repeat=ROUNDS))


def overheads() -> list[dict]:
    """Return what each engine costs a trial, beside a training of the table."""
    from dask.distributed import Client, LocalCluster

    table, space = Table.load(), spaces.nasbench201()
    mean = float(np.mean(table.seconds))
    strategies = {
        "random search": RandomSearch,
        "regularized evolution": RegularizedEvolution,
        "REINFORCE": Reinforce,
        "Optuna's TPE": OptunaSearch,
    }
    seconds = {
        f"search, {name}": best_of(lambda make=make: list(search(make(space), table, 100))) / 100
        for name, make in strategies.items()
    }

    def study(folder: str | None = None) -> None:
        path = folder and os.path.join(folder, f"{time.perf_counter_ns()}.journal")
        opened = open_study(space, StrategySampler(RandomSearch(space)), path=path)
        list(run_study(opened, space, _silent, 100))

    seconds["Optuna study in memory, random search"] = best_of(study) / 100
    with tempfile.TemporaryDirectory() as folder:
        spent = best_of(lambda: study(folder))
    seconds["Optuna study in a journal, random search"] = spent / 100
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    options["silence_logs"] = logging.ERROR
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        executor = client.get_executor(pure=False)

        def instant() -> None:
            strategy = RandomSearch(space)
            list(search(strategy, Recorded(), INSTANT, batch=INSTANT, executor=executor))

        instant()
        seconds["Dask, two workers"] = best_of(instant) / INSTANT
    return [
        {"engine": name, "ms a trial": 1e3 * s, "of a table's training": f"{s / mean:.2%}"}
        for name, s in seconds.items()
    ]


def _silent(arch: tuple, seed: int, on_epoch: object = None) -> Evaluation:
    return Evaluation(0.5)


if __name__ == "__main__":
    report("workflow, engines", overheads())
    report("workflow, clusters", clusters())
