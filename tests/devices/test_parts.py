"""Parts: what repeats itself in a network is added up, and nothing gets lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import devices
from nas_lab.spaces import Skeleton, nasbench201
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_parts_hold_every_kernel_once(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    profile = devices.profile(space, arch, SKELETON, "laptop")
    found = devices.parts(profile.kernels)
    assert sum(len(part.kernels) for part in found) == len(profile.kernels)
    assert sum(part.seconds for part in found) == pytest.approx(profile.seconds)
    assert [part.seconds for part in found] == sorted((p.seconds for p in found), reverse=True)
    assert len({part.name for part in found}) == len(found)
    assert all(0 < part.waiting <= part.seconds for part in found)


def test_equal_places_of_cells_are_one_part():
    skeleton = Skeleton(channels=4, cells=3, stages=2, resolution=8, in_channels=1)
    profile = devices.profile(nasbench201(), (3, 0, 0, 0, 2, 0), skeleton, "raspberry_pi_4")
    count = {part.name: len(part.kernels) for part in devices.parts(profile.kernels)}
    assert count["edge_01.conv"] == count["edge_13.conv"] == 6
    assert count["stem.conv"] == count["classifier.linear"] == 1


def test_memory_bound_says_what_the_slowest_does():
    profile = devices.profile(nasbench201(), (3, 0, 0, 0, 1, 0), Skeleton(), "raspberry_pi_4")
    bound = {part.name: part.memory_bound for part in devices.parts(profile.kernels)}
    assert not bound["edge_01.conv"]
    assert bound["residual.relu"]
