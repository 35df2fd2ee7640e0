"""What a reader of the repository relies on: links, targets, versions, and no stray addresses."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import nas_lab

ROOT = Path(__file__).resolve().parents[1]

# Written in halves, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "npm" + "js.com",
    "registry.yarn" + "pkg.com",
    "deb.deb" + "ian.org",
    "security.deb" + "ian.org",
    "archive.ub" + "untu.com",
    "download.py" + "torch.org",
    "conda.ana" + "conda.org",
]
MACHINE_PATHS = [
    re.compile(b"(?<![\\w.$}/-])/" + name + rb"/[\w.-]") for name in (b"home", b"root", b"work")
]


@pytest.fixture(scope="module")
def tracked():
    """Return {path: content} of every file in git."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return {path: path.read_bytes() for path in paths if path.is_file()}


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(tracked, host):
    assert [str(path) for path, content in tracked.items() if host.encode() in content] == []


def test_no_file_names_a_path_of_one_machine(tracked):
    text = {path: content for path, content in tracked.items() if b"\0" not in content}
    found = {
        str(path): match.group()
        for path, content in text.items()
        for pattern in MACHINE_PATHS
        if (match := pattern.search(content))
    }
    assert found == {}


def test_no_file_is_large(tracked):
    assert [str(path) for path, content in tracked.items() if len(content) > 20e6] == []


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\(([^)#]+)", document.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("https://", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_readme_names_both_commands_and_all_notebooks():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make lab" in readme
    assert "make test" in readme
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{notebook.name})" in readme


def test_the_end_of_a_test_run_says_what_was_not_tested(tmp_path):
    """As seen where bubblewrap and chromium are missing: a line each, with the command."""
    write(
        tmp_path / "test_some.py",
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_box(n):\n    pytest.skip('bubblewrap is not there or does not work')\n"
        "def test_page():\n    pytest.skip('no chromium is on the path')\n"
        "def test_lecture():\n    pytest.skip('tests/browser/test_notebooks.py runs it')\n",
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull]
    command += [f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("not tested")]
    assert len(found) == 2
    assert re.match(r"not tested, 3 times: .*apt-get install bubblewrap", found[0])
    assert re.match(r"not tested, 1 times: .*apt-get install chromium", found[1])


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@needs_make
def test_make_help_lists_every_target_and_is_the_default():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    assert sorted(targets) == sorted(phony)
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\S+) +\w", shown, re.MULTILINE) == targets


@needs_make
def test_set_up_runs_again_only_when_a_requirement_file_changed(tmp_path):
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    write(folder / "tools" / "setup.sh", 'mkdir -p .venv && touch ".venv/.$1" && echo "ran $1"')
    for name in ("requirements.txt", "pyproject.toml"):
        write(folder / name, "")
    assert set_up(folder) == ["ran lab", "ran dev"]
    assert set_up(folder) == []
    write(folder / "setup.py", "")
    assert set_up(folder) == []
    for name in ("requirements.txt", "pyproject.toml"):
        later = time.time() + 1
        os.utime(folder / name, (later, later))
        assert "ran lab" in set_up(folder)
        os.utime(folder / name, (0, 0))


def set_up(folder):
    done = subprocess.run(
        ["make", "--silent", ".venv/.dev"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("ran")]


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_citation_is_valid_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["version"] == nas_lab.__version__


EXTRAS = ("cluster", "automl", "edge")


def test_students_install_what_the_package_and_notebook_09_need():
    """Hold requirements.txt and pyproject.toml to the same packages and floors."""
    student = {line for line in lines("requirements.txt") if not line.startswith("#")}
    needed = {name for part in ("dependencies", *EXTRAS) for name in packages(part)}
    assert needed == {line for line in student if not line.startswith("jupyterlab")}


def test_tests_install_the_extras_that_they_test():
    """An installation of nas-lab[dev] alone can run all tests."""
    assert {name for part in EXTRAS for name in packages(part)} <= set(packages("dev"))


def packages(name):
    """Return the list that pyproject.toml gives this name; tomllib comes with Python 3.11 only."""
    block = re.search(rf"^{name} = \[(.*?)\]$", read("pyproject.toml"), re.DOTALL | re.M)
    return re.findall(r'"([^"]+)"', block[1])


def read(name):
    return (ROOT / name).read_text("utf-8")


def lines(name):
    return [line for line in read(name).splitlines() if line.strip()]


def test_git_keeps_line_ends_and_binary_files():
    attributes = read(".gitattributes")
    assert "*.npz binary" in attributes
    assert "* text=auto eol=lf" in attributes


def test_scripts_are_for_a_shell():
    for name in ("tools/setup.sh", ".ci/run"):
        shell = read(name).splitlines()[0].rsplit("/", 1)[-1].split()[-1]
        subprocess.run([shell, "-n", ROOT / name], check=True)
