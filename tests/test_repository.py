"""What a reader of the repository relies on: links, targets, versions, and no stray addresses."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
import yaml
from check_jsonschema import builtin_schemas
from jsonschema import Draft7Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nas_lab
from tests.conftest import ELSEWHERE, not_tested
from tools import links

ROOT = Path(__file__).resolve().parents[1]

# Endings are separate, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    *(f"{host}.org" for host in ("pypi", "pythonhosted", "registry.npmjs", "conda.anaconda")),
    *(f"{host}.org" for host in ("deb.debian", "security.debian", "download.pytorch")),
    *(f"{host}.com" for host in ("npmjs", "registry.yarnpkg", "archive.ubuntu")),
]
OF_ONE_MACHINE = re.compile(rb"(?<![\w.$}/-])/(?:home|root|work)/[\w.-]")


def read(name):
    return (ROOT / name).read_text("utf-8")


def run(*command, cwd=ROOT):
    """Run a command that must succeed; return the lines that it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# ---- files and links -----------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_no_file_names_a_package_registry_or_a_path_of_one_machine_or_is_large():
    paths = [ROOT / name for name in "".join(run("git", "ls-files", "-z")).split("\0") if name]
    for path in filter(Path.is_file, paths):
        content = path.read_bytes()
        assert not [host for host in REGISTRY_HOSTS if host.encode() in content], path
        assert b"\0" in content or not OF_ONE_MACHINE.search(content), path
        assert len(content) < 20e6, path


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_to_files(document):
    found = re.findall(r"\]\(([^)#]+)", document.read_text("utf-8"))
    local = [link for link in found if not link.startswith(("https://", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_readme_names_commands_and_notebooks_and_git_keeps_line_ends_and_binary_files():
    names = [f"(notebooks/{path.name})" for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert [n for n in ["make lab", "make test", *names] if n not in read("README.md")] == []
    assert {"*.npz binary", "* text=auto eol=lf"} <= set(read(".gitattributes").splitlines())


# ---- commands ------------------------------------------------------------------------------------


def test_the_end_of_a_test_run_says_what_was_not_tested():
    """As seen where bubblewrap and chromium are missing: a line each, with the command."""
    boxes = ["bubblewrap is not there or does not work"] * 3
    first, second = not_tested(["no chromium is on the path", *boxes, ELSEWHERE])
    assert re.match(r"not tested, 3 times: .*apt-get install bubblewrap", first)
    assert re.match(r"not tested, 1 times: .*apt-get install chromium", second)


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@needs_make
def test_make_help_lists_every_target_and_is_the_default():
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", read("Makefile"), re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[0].split()
    assert sorted(targets) == sorted(phony)
    assert re.findall(r"^  make (\S+) +\w", "\n".join(run("make")), re.MULTILINE) == targets


@needs_make
def test_set_up_runs_again_only_when_a_requirement_file_changed(tmp_path):
    folder = tmp_path / "a clone"
    for name in ("tools", "binder"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    script = 'mkdir -p .venv && touch ".venv/.$1" && echo "ran $1"'
    (folder / "tools" / "setup.sh").write_text(script)

    def set_up():
        said = run("make", "--silent", ".venv/.dev", cwd=folder)
        return [line for line in said if line.startswith("ran")]

    names = ("requirements.txt", "pyproject.toml", "binder/overrides.json", "tools/hints.py")
    required = [folder / name for name in names]
    for path in required:
        path.touch()
    assert set_up() == ["ran lab", "ran dev"]
    assert set_up() == []
    (folder / "setup.py").touch()
    assert set_up() == []
    for path in required:
        later = time.time() + 1
        os.utime(path, (later, later))
        assert "ran lab" in set_up()
        os.utime(path, (0, 0))


@pytest.mark.parametrize("name", ["tools/setup.sh", ".ci/run", "binder/postBuild"])
def test_scripts_are_for_a_shell(name):
    shell = read(name).splitlines()[0].rsplit("/", 1)[-1].split()[-1]
    run(shell, "-n", str(ROOT / name))
    copied = re.findall(r"\b(binder/[\w.]+)", read(name))
    assert all((ROOT / other).is_file() for other in copied)
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


# ---- GitHub --------------------------------------------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def steps(path):
    """Yield the steps of all jobs of a workflow."""
    for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_of_the_makefile_and_actions_of_a_fixed_version(path):
    targets = re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE)
    commands = [step["run"] for step in steps(path) if "run" in step]
    assert commands
    assert {*commands} <= {f"make {target}" for target in targets}
    uses = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses)


def test_every_workflow_has_its_badge():
    text = read("README.md")
    assert [p.name for p in WORKFLOWS if f"/workflows/{p.name}/badge.svg" not in text] == []
    assert f"https://{links.pages(links.home())}/" in text


@needs_make
def test_tests_without_torch_are_there_and_import_none():
    (makes,) = run("make", "--no-print-directory", "-n", "-o", ".venv/.light", "light")
    paths = [ROOT / word for word in makes.split() if word.startswith("tests/")]
    assert len(paths) > 5
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    assert [
        p for p in files if re.search(r"^(import|from) torch", p.read_text("utf-8"), re.M)
    ] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_is_one_that_github_reads(path):
    """By GitHub's schema; and each question has a name of its own, so a link can fill it in."""
    form = yaml.safe_load(path.read_text("utf-8"))
    schema = builtin_schemas.get_builtin_schema("vendor.github-issue-forms")
    assert [error.message for error in Draft7Validator(schema).iter_errors(form)] == []
    asked = [question for question in form["body"] if question["type"] != "markdown"]
    assert len({question["id"] for question in asked}) == len(asked)
    assert any(question["validations"]["required"] for question in asked)


def test_the_form_about_grades_names_every_homework():
    asked = {part.get("id"): part for part in yaml.safe_load(FORMS[-1].read_text("utf-8"))["body"]}
    named = asked["homework"]["attributes"]["options"]
    homework = sorted(path.stem for path in (ROOT / "notebooks" / "homework").glob("*.ipynb"))
    assert sorted(named[:-1]) == sorted(homework)


# ---- versions ------------------------------------------------------------------------------------

EXTRAS = ("cluster", "automl", "edge")
# They come from PyTorch's index of CPU wheels, in binder/postBuild.
TORCH = {"torch", "torchvision"}


def packages(name):
    """Return the list that pyproject.toml gives this name; tomllib comes with Python 3.11 only."""
    block = re.search(rf"^{name} = \[(.*?)\]$", read("pyproject.toml"), re.DOTALL | re.M)
    return re.findall(r'"([^"]+)"', block[1])


def required(name):
    """Return the lines of a requirement file."""
    return [line for line in read(name).splitlines() if line.strip() and line[0] != "#"]


def pins(name):
    """Return {name: version} of a file of Binder's, every line of which is exact."""
    found = {}
    for requirement in map(Requirement, required(f"binder/{name}")):
        (only,) = requirement.specifier
        assert only.operator == "==", requirement
        assert "*" not in only.version
        found[canonicalize_name(requirement.name)] = only.version
    return found


def test_citation_is_valid_and_of_this_version():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["version"] == nas_lab.__version__
    (top, *_) = re.findall(r"^## \[([^]]+)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert top in (nas_lab.__version__, "Unreleased")


def test_students_and_tests_install_what_is_needed():
    """Students: the package and notebook 09, same floors; nas-lab[dev] alone runs all tests."""
    student = {line for line in required("requirements.txt") if not line.startswith("jupyterlab")}
    assert student == {name for part in ("dependencies", *EXTRAS) for name in packages(part)}
    assert {name for part in EXTRAS for name in packages(part)} <= set(packages("dev"))


def test_binders_versions_are_exact_satisfy_the_package_and_need_no_gpu():
    image, torch = pins("requirements.txt"), pins("torch.txt")
    assert not [name for name in image if name in TORCH or re.match("nvidia|cuda|triton", name)]
    assert set(torch) == TORCH
    for needed in map(Requirement, required("requirements.txt")):
        version = (image | torch)[canonicalize_name(needed.name)]
        assert needed.specifier.contains(version, prereleases=True)
    assert 10 <= int(re.fullmatch(r"python-3\.(\d+)\s*", read("binder/runtime.txt"))[1]) <= 13


# ---- one value names the repository's home, and every link to it follows -------------------------


def test_everything_links_to_the_one_home_and_a_fork_follows_with_one_command(tmp_path):
    def contents():
        return {path: path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()}

    def move(to):
        for file, text in links.changes(to, tmp_path).items():
            file.write_text(text, "utf-8")

    named = [*map(ROOT.joinpath, links.DOCUMENTS), ROOT / "requirements.txt", *links.notebooks()]
    for path in named:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    before, home = contents(), links.home(tmp_path)
    assert links.changes(home) == {}
    move("ada/my.fork")
    after = contents()
    assert links.home(tmp_path) == "ada/my.fork"
    olds = (f"{home}/", f"/{home}", links.pages(home))
    assert [p for p, text in after.items() if any(old in text for old in olds)] == []
    moved = {path.name for path, text in after.items() if "ada/my.fork" in text}
    notebooks = {path.name for path in links.notebooks()}
    assert moved == notebooks | {"pyproject.toml", "CITATION.cff", "README.md"}
    assert links.changes("ada/my.fork", tmp_path) == {}
    move(home)
    assert contents() == before


def test_only_addresses_move():
    text = "github.com/a/b, github.com/a/b-c, and a/b: mybinder.org/v2/gh/a/b/main"
    text += " https://a.github.io/b/ https://a.github.io/b-c/"
    moved = "github.com/x/y, github.com/a/b-c, and a/b: mybinder.org/v2/gh/x/y/main"
    moved += " https://x.github.io/y/ https://a.github.io/b-c/"
    assert links.moved(text, "a/b", "x/y") == moved


def test_links_to_the_home_lead_to_notebooks():
    texts = [read(name) for name in links.DOCUMENTS]
    for path in links.notebooks():
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells]
    pattern = r"(?:/blob/main/|lab/tree/)([^)\s\"]+)"
    found = {target for text in texts for target in re.findall(pattern, text)}
    assert len(found) >= len(links.notebooks()) // 2
    assert [target for target in found if not (ROOT / target).exists()] == []


def test_the_set_up_cell_installs_on_colab_what_is_missing_and_does_nothing_elsewhere(monkeypatch):
    enabled, magics = [], []
    magic = types.SimpleNamespace(run_line_magic=lambda name, line: magics.append((name, line)))

    def set_up():
        exec(links.set_up("ada/fork"), {"get_ipython": lambda: magic})

    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    set_up()
    assert magics == []
    colab = types.ModuleType("google.colab")
    colab.output = types.SimpleNamespace(enable_custom_widget_manager=lambda: enabled.append(True))
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    set_up()
    (pip, line), load = magics
    command, *words = line.replace("'", "").split()
    assert (pip, command) == ("pip", "install")
    assert "--no-deps" in words  # nothing else is resolved anew
    asked = [word for word in words if not word.startswith("-")]
    pinned = {pin for pin in required("requirements.txt") if pin.startswith(("d2l=", "lazy_"))}
    assert set(asked[:-1]) == pinned
    assert asked[-1] == "nas-lab@git+https://github.com/ada/fork@main"
    assert load == ("load_ext", "nas_lab.order")
    assert enabled == [True]
