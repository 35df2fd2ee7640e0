"""Threads, devices and generators."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas_lab import runtime

IMPORTS = """
import importlib, torch
for name in ("data", "nets.modules", "strategies.reinforce"):
    torch.set_num_threads(3)
    importlib.import_module(f"nas_lab.{name}")
    print(torch.get_num_threads())
"""


@pytest.mark.parametrize(("variables", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_what_trains_runs_on_one_thread_unless_the_reader_says_otherwise(variables, threads):
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, env=free | variables)
    assert done.stdout.split() == [threads] * 3, done.stderr


def test_threads_are_put_back_also_after_an_error():
    before = torch.get_num_threads()
    with runtime.threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), runtime.threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before


def test_small_networks_get_one_thread_large_ones_all_and_a_gpu(monkeypatch):
    assert runtime.num_threads(runtime.SMALL_MACS - 1) == 1
    assert runtime.num_threads(runtime.SMALL_MACS) == runtime.cpu_count()
    assert 1 <= runtime.cpu_count() <= len(os.sched_getaffinity(0))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.device(runtime.SMALL_MACS).type == "cuda"
    assert runtime.device(runtime.SMALL_MACS - 1).type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.device().type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert runtime.device().type == "cpu"


@pytest.mark.parametrize(
    ("convolution", "expected"),
    [
        (nn.Conv2d(4, 8, 3, stride=2), torch.channels_last),
        (nn.Conv2d(4, 8, 1), torch.channels_last),
        (nn.Conv2d(16, 8, 1, stride=2), torch.channels_last),
        (nn.Conv2d(4, 8, 1, stride=2), torch.contiguous_format),
        (nn.Conv2d(32, 8, 1, stride=(1, 2), groups=4), torch.contiguous_format),
    ],
)
def test_channels_come_last_but_where_that_spoils_memory(convolution, expected):
    net = nn.Sequential(nn.Sequential(nn.ReLU(), convolution), nn.Flatten())
    assert runtime.memory_format(net) is expected


def test_generators_repeat_and_differ():
    def draw(*seeds):
        return tuple(torch.rand(4, generator=runtime.generator(*seeds)).tolist())

    assert draw(0, 1) == draw(0, 1)
    assert len({draw(*seeds) for seeds in [(0, 1), (1, 0), (0, 2), (1, 1), (2,)]}) == 5
    with pytest.raises(ValueError, match="non-negative"):
        runtime.generator(-1)


def drawn(seed, n=50):
    with runtime.seeded_global_generator(seed):
        return [torch.rand(1).item() for _ in range(n)]


def test_seeded_blocks_repeat_do_not_mix_and_leave_no_trace():
    before, inside = torch.get_rng_state(), threading.Barrier(2)

    def work(seed):
        inside.wait()
        return drawn(seed)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (1, 2)))
    for seed, numbers in zip((1, 2), found, strict=True):
        alone = torch.Generator().manual_seed(seed)
        assert numbers == [torch.rand(1, generator=alone).item() for _ in range(50)]
        assert numbers == drawn(seed)
    assert torch.equal(before, torch.get_rng_state())


def test_multiply_adds_of_convolutions_and_dense_layers():
    """By hand, and as torch's counter has them; counting changes nothing."""
    # 6 * 4 * 4 outputs of 9 products, then 5 of 96
    layers = nn.Conv2d(2, 6, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(6), nn.Dropout(0.5)
    mixed_net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 5))
    mixed_net[1].eval()
    modes = [module.training for module in mixed_net.modules()]
    before = {name: value.clone() for name, value in mixed_net.state_dict().items()}
    assert runtime.count_macs(mixed_net, torch.ones(3, 2, 8, 8)) == 3 * (6 * 16 * 9 + 96 * 5)
    assert [module.training for module in mixed_net.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in mixed_net.state_dict().items())
    assert not any(module._forward_hooks for module in mixed_net.modules())
    images = torch.zeros(1, 2, 8, 8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        mixed_net.eval()(images)
    assert 2 * runtime.count_macs(mixed_net, images) == counter.get_total_flops()
