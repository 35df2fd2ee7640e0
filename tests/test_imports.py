"""Imports point one way, and what is light stays light (design: the order of the layers)."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "nas_lab"

# From the ground up. A module may import from its own row and from the rows before it.
LAYERS = [
    ["checks", "order", "scaling", "spaces"],
    ["devices", "history"],
    ["data", "nets", "runtime", "training"],
    ["estimation"],
    ["strategies"],
    ["build", "explain"],
    ["workflow"],
    ["plots"],
    ["widgets"],
    ["homework"],
]
HEIGHT = {name: height for height, row in enumerate(LAYERS) for name in row}

# Only widgets shows: no other module of the package may import these.
SHOWS = {"plots", "widgets"}

# Statements after which the heavy libraries are still unloaded.
LIGHT = {
    "nas_lab": "import nas_lab",
    "nas_lab.checks": "from nas_lab import checks",
    "nas_lab.spaces": "from nas_lab import spaces",
    "nas_lab.order": "from nas_lab import order",
    "nas_lab.scaling": "from nas_lab import scaling",
    "nas_lab.devices": "from nas_lab import devices",
    "nas_lab.history": "from nas_lab.history import Trial, History",
    "nas_lab.estimation.tables": "from nas_lab.estimation import DartsRuns, Evaluation, Table",
    "nas_lab.estimation.curves": (
        "from nas_lab.estimation import CurveRegression, EarlyStopped, PowerLaw"
    ),
    "nas_lab.estimation.pareto": "from nas_lab.estimation import LookupTable, OnDevice",
    "nas_lab.estimation.predictors": "from nas_lab.estimation import NeuralPredictor",
    "nas_lab.estimation.scaling_grid": "import nas_lab.estimation.scaling_grid",
    "nas_lab.strategies.base": "from nas_lab.strategies import search",
    "nas_lab.strategies.baselines": (
        "from nas_lab.strategies import NSGA2, LocalSearch, RandomSearch, RegularizedEvolution"
    ),
    "nas_lab.strategies.halving": "from nas_lab.strategies import Hyperband, SuccessiveHalving",
    "nas_lab.strategies.racing": "from nas_lab.strategies import band, race",
    "nas_lab.explain": "from nas_lab.explain import rank_correlation",
    "nas_lab.workflow.images": "from nas_lab.workflow import check_data, split",
    "nas_lab.workflow.cluster": "from nas_lab.workflow import OnWorker, Plan, Replay",
    "nas_lab.workflow.studies": "from nas_lab.workflow import OptunaSearch, open_study",
}
HEAVY = ["torch", "torchvision", "d2l", "matplotlib", "ipywidgets", "sklearn", "pandas"]


def imported(source: str, module: str, is_package: bool = False) -> set[str]:
    """Return every part of nas_lab that the source of `module` names in an import."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("nas_lab.")}
    return found & set(HEIGHT)


def modules():
    """Yield (layer, dotted name, path) of every file of the package but its front door."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("nas_lab", *path.relative_to(PACKAGE).with_suffix("").parts)
        if parts != ("nas_lab", "__init__"):
            yield parts[1], ".".join(parts), path


MODULES = list(modules())


@pytest.mark.parametrize(("layer", "name", "path"), MODULES, ids=[name for _, name, _ in MODULES])
def test_imports_point_one_way(layer, name, path):
    assert layer in HEIGHT, f"say in LAYERS where {layer} belongs"
    is_package = path.name == "__init__.py"
    module = name.removesuffix(".__init__")
    others = imported(path.read_text("utf-8"), module, is_package) - {layer}
    above = sorted(other for other in others if HEIGHT[other] > HEIGHT[layer])
    assert not above, f"{name} imports {above}, which stand above it"
    if layer != "widgets":
        assert not others & SHOWS, f"{name} imports {others & SHOWS}; only widgets may"
    assert "build" not in others, f"{name} imports build: what reads a result needs no builder"


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("import nas_lab.plots", "nas_lab.explain", {"plots"}),
        ("from nas_lab import plots as p, spaces", "nas_lab.explain", {"plots", "spaces"}),
        ("from nas_lab.plots import draw", "nas_lab.explain", {"plots"}),
        ("def f():\n from ..plots import draw", "nas_lab.nets.modules", {"plots"}),
        ("from .. import plots", "nas_lab.nets.modules", {"plots"}),
        ("from . import ops", "nas_lab.nets.modules", {"nets"}),
        ("from . import plots", "nas_lab.explain", {"plots"}),
        ("import numpy.plots", "nas_lab.explain", set()),
    ],
)
def test_every_form_of_import_is_seen(source, module, expected):
    assert imported(source, module) == expected


def dependencies():
    """Which file of the package imports which, anywhere in it; a package's face is its folder."""
    files = {name.removesuffix(".__init__"): path for _, name, path in MODULES}
    graph = networkx.DiGraph()
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            graph.add_edges_from((name, other) for other in {*found} & {*files} - {name})
    return graph


def test_no_imports_go_in_a_circle():
    assert list(networkx.simple_cycles(dependencies())) == []


def test_readers_import_no_builders():
    above = {"nas_lab.build"} | {
        name for _, name, _ in MODULES if name.startswith("nas_lab.build.")
    }
    wrong = [edge for edge in dependencies().edges if edge[1] in above and edge[0] not in above]
    assert wrong == []


# Plain texts of the pictures, which a state may say as well.
WORDS = {"decision_labels", "duration", "label", "part_label", "quantity"}
STATES = sorted((PACKAGE / "widgets").glob("[a-z]*.py"))


@pytest.mark.parametrize("path", STATES, ids=[path.stem for path in STATES])
def test_a_state_uses_no_plots(path):
    """In a widget's file only what follows the state may name plots, matplotlib or ipywidgets."""
    tree = ast.parse(path.read_text("utf-8"))
    shows = {"plots", "ipywidgets"}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("matplotlib"):
            shows |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nas_lab.plots"):
            shows |= {alias.name for alias in node.names} - WORDS
    bases = {node.name: node.bases for node in tree.body if isinstance(node, ast.ClassDef)}
    kinds = {"State", "Playing", "Cell"}
    states = [n for n, base in bases.items() if n == "State" or kinds & {*map(ast.unparse, base)}]
    places = [i for i, node in enumerate(tree.body) if getattr(node, "name", "") in states]
    code = tree.body[: places[-1] + 1]
    if path.stem == "base":
        code = [tree.body[place] for place in places]
    used = {n.id for node in code for n in ast.walk(node) if isinstance(n, ast.Name)}
    assert not used & shows, f"{states} use {used & shows}"


def test_relative_imports_of_a_package_start_at_itself():
    assert imported("from ..plots import draw", "nas_lab.nets", is_package=True) == {"plots"}


@pytest.fixture(scope="module")
def loaded():
    """Run all statements in one fresh interpreter; return the heavy libraries after each."""
    report = ["import sys, nas_lab", "print('nas_lab.checks' in sys.modules)"]
    for statement in LIGHT.values():
        report += [statement, f"print(*(set({HEAVY}) & set(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(report)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_leave_heavy_libraries_unloaded(loaded, module):
    first, *after = loaded
    assert first == "False"  # submodules load on first use
    assert after[list(LIGHT).index(module)] == ""


def test_the_front_door_names_what_there_is():
    nas_lab = importlib.import_module("nas_lab")
    present = {name for name, _, _ in MODULES if not name.startswith("_")}
    assert present <= set(nas_lab.__all__)
