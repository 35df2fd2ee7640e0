"""The datasets are found from an editable install and a wheel, each truly tried.

From a checkout they are found in tests/robust/test_places.py.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas_lab
from nas_lab import checks

ROOT = Path(__file__).resolve().parents[1]
PROBE = "probe.npz"
LOAD = """
from nas_lab import devices, estimation
print(len(estimation.Table.load().archs), len(devices.DEVICES))
"""
ASK = f"from nas_lab import checks; print(checks.__file__); print(checks.dataset({PROBE!r}))"


def run(*command, **options):
    """Run a command that must succeed; return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", checks.VARIABLE)}
    command = list(map(str, command))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def copy(tmp_path):
    """Copy what the build reads, with a dataset of its own that no other place has."""
    copy = tmp_path / "a clone"
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for folder in ("nas_lab", "datasets"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-data"):
        shutil.copy(ROOT / name, copy)
    (copy / "datasets" / PROBE).write_bytes(b"found")
    return copy


@pytest.fixture
def environment(tmp_path):
    """Make an empty environment that sees our libraries, but no nas_lab; return its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = tmp_path / "env" / scripts / Path(sys.executable).name
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return python


def pip(python, *arguments):
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    run(sys.executable, "-m", "pip", "--python", python, *arguments, *options)


def ask(python, elsewhere):
    """Run the package from another folder; return where it lies and what it found."""
    elsewhere.mkdir()
    return tuple(map(Path, run(python, "-I", "-c", ASK, cwd=elsewhere).splitlines()))


def test_editable_install(copy, environment, tmp_path):
    pip(environment, "install", "--ignore-installed", "-e", copy)
    module, found = ask(environment, tmp_path / "elsewhere")
    assert module.is_relative_to(copy)
    assert found == copy / "datasets" / PROBE


def test_wheel(copy, environment, tmp_path):
    """By way of the source package, as `python -m build` goes. It holds the whole package and the
    datasets, no tests, stays small, and works outside of a clone."""
    backend = "from setuptools import build_meta; build_meta.build_sdist('../sdist')"
    run(sys.executable, "-c", backend, cwd=copy)
    pip(sys.executable, "wheel", "--wheel-dir", tmp_path / "dist", *(tmp_path / "sdist").iterdir())
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        size = {item.filename: item.file_size for item in archive.infolist()}
        (metadata,) = (archive.read(name).decode() for name in size if name.endswith("/METADATA"))
    assert f"\nVersion: {nas_lab.__version__}\n" in metadata
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", metadata) == []  # an index has no files of ours
    tops = {name.split("/")[0] for name in size}
    assert tops == {"nas_lab", wheel.name.replace("-py3-none-any.whl", ".dist-info")}
    sources = {path.relative_to(copy).as_posix() for path in (copy / "nas_lab").rglob("*.py")}
    assert sources | {"nas_lab/py.typed", f"nas_lab/datasets/{PROBE}"} <= set(size)
    assert not [name for name in size if re.search(r"(^|/)(tests?|conftest)[/_.]", name)]
    assert sum(n for name, n in size.items() if not name.startswith("nas_lab/datasets/")) < 2e6
    assert wheel.stat().st_size < 40e6
    pip(environment, "install", "--ignore-installed", wheel)
    shutil.rmtree(copy)
    module, found = ask(environment, tmp_path / "elsewhere")
    assert module.is_relative_to(tmp_path / "env")
    assert found == module.parent / "datasets" / PROBE
    assert found.read_bytes() == b"found"
    loaded = run(environment, "-I", "-c", LOAD, cwd=tmp_path / "elsewhere").split()
    assert loaded == ["6466", "16"]


def test_another_folder_overrides_and_hides_the_usual_one(monkeypatch, tmp_path):
    monkeypatch.setenv(checks.VARIABLE, str(tmp_path))
    (tmp_path / "folder.npz").mkdir()
    for name in ("fashion_mnist.npz", "folder.npz"):
        with pytest.raises(FileNotFoundError, match=f"{name}.*unset the variable") as told:
            checks.dataset(name)
        assert str(tmp_path) in str(told.value)
    (tmp_path / PROBE).touch()
    assert checks.dataset(PROBE) == tmp_path / PROBE


@pytest.mark.parametrize("way_out", ["git checkout", "reinstall"])
def test_a_missing_file_of_a_checkout_or_an_install_says_what_to_do(monkeypatch, tmp_path, way_out):
    monkeypatch.delenv(checks.VARIABLE, raising=False)
    searched = ROOT / "datasets"
    if way_out == "reinstall":
        monkeypatch.setattr(checks, "_PACKAGE", tmp_path / "nas_lab")
        searched = tmp_path / "nas_lab" / "datasets"
    with pytest.raises(
        FileNotFoundError, match=rf"nowhere\.npz.*{re.escape(str(searched))}.*{way_out}"
    ):
        checks.dataset("nowhere.npz")


@given(value=st.integers(-5, 5), least=st.integers(-2, 2))
def test_a_number_is_checked_once_for_all(value, least):
    """What every argument that is a number goes through."""
    for check, kind in ((checks.whole_number, int), (checks.number_in, float)):
        if value < least:
            with pytest.raises(ValueError, match="some must be"):
                check("some", value, least=least)
        else:
            assert check("some", np.int64(value), least=least) == value
            assert type(check("some", value, least=least)) is kind
    for wrong in (1.5, True, "2", None):
        with pytest.raises(TypeError, match="some must be a whole number, not"):
            checks.whole_number("some", wrong)
    with pytest.raises(ValueError, match="nan"):
        checks.number_in("some", float("nan"))


def test_arrays_are_written_as_they_are_and_python_objects_are_not(tmp_path):
    arrays = {"numbers": np.arange(6).reshape(2, 3), "words": np.array(["a", "bc"])}
    with open(tmp_path / "some.npz", "wb") as file:
        checks.save_arrays(file, arrays)
    with np.load(tmp_path / "some.npz", allow_pickle=False) as found:
        assert set(found.files) == set(arrays)
        assert all((found[name] == array).all() for name, array in arrays.items())
    with open(tmp_path / "bad.npz", "wb") as file, pytest.raises(ValueError, match="objects"):
        checks.save_arrays(file, {"bad": np.array([{}, None])})
