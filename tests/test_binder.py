"""Binder's image is made of exact versions that are those the package asks for."""

import json
import os
import re
import subprocess
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
BINDER = ROOT / "binder"
# They come from PyTorch's index of CPU wheels, in postBuild.
TORCH = {"torch", "torchvision"}


def requirements(path):
    lines = path.read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(name):
    """Return {name: version}; every line of a file is exact."""
    found = {}
    for requirement in requirements(BINDER / name):
        (only,) = requirement.specifier
        assert only.operator == "==", requirement
        assert "*" not in only.version
        found[canonicalize_name(requirement.name)] = only.version
    return found


def test_versions_are_exact_and_satisfy_the_package():
    image = pins("requirements.txt")
    assert not TORCH & set(image)
    assert set(pins("torch.txt")) == TORCH
    image |= pins("torch.txt")
    for needed in requirements(ROOT / "requirements.txt"):
        assert needed.specifier.contains(image[canonicalize_name(needed.name)], prereleases=True)


def test_no_gpu_library_is_installed():
    assert not [name for name in pins("requirements.txt") if re.match("nvidia|cuda|triton", name)]


def test_python_is_one_that_the_package_supports():
    version = re.fullmatch(r"python-3\.(\d+)", (BINDER / "runtime.txt").read_text().strip())
    assert 10 <= int(version[1]) <= 13


def test_post_build_is_a_script_that_repo2docker_can_start():
    script = BINDER / "postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    copied = re.findall(r"\b(binder/[\w.]+)", script.read_text("utf-8"))
    assert copied
    assert all((ROOT / name).is_file() for name in copied)
    json.loads((BINDER / "overrides.json").read_text("utf-8"))
