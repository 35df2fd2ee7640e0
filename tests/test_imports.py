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

# Modules after whose import the heavy libraries are still unloaded.
LIGHT = (
    *("checks", "spaces", "order", "scaling", "devices", "history", "explain"),
    *("estimation.tables", "estimation.curves", "estimation.pareto", "estimation.predictors"),
    *("estimation.scaling_grid", "strategies.base", "strategies.baselines", "strategies.halving"),
    *("strategies.racing", "workflow.images", "workflow.cluster", "workflow.studies"),
)
TABLE = "from nas_lab.estimation import Evaluation, Table; from nas_lab.strategies import search"
HEAVY = ["torch", "torchvision", "d2l", "matplotlib", "ipywidgets", "sklearn", "pandas"]


def imported(source: str, module: str, is_package: bool = False) -> set[str]:
    """Return the modules that the source of `module` imports, and what it takes from them."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def parts(names: set[str]) -> set[str]:
    """Return the parts of nas_lab that are named."""
    return {name.split(".")[1] for name in names if name.startswith("nas_lab.")} & set(HEIGHT)


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
    module, is_package = name.removesuffix(".__init__"), path.name == "__init__.py"
    others = parts(imported(path.read_text("utf-8"), module, is_package)) - {layer}
    above = sorted(other for other in others if HEIGHT[other] > HEIGHT[layer])
    assert not above, f"{name} imports {above}, which stand above it"
    if layer != "widgets":
        assert not others & SHOWS, f"{name} imports {others & SHOWS}; only widgets may"
    assert "build" not in others, f"{name} imports build: what reads a result needs no builder"


def test_no_imports_go_in_a_circle():
    """Which file of the package imports which, anywhere in it; a package's face is its folder."""
    files = {name.removesuffix(".__init__"): path for _, name, path in MODULES}
    graph = networkx.DiGraph()
    for name, path in files.items():
        found = imported(path.read_text("utf-8"), name, path.name == "__init__.py")
        graph.add_edges_from((name, other) for other in found & {*files} - {name})
    assert list(networkx.simple_cycles(graph)) == []


# Plain texts of the pictures, which a state may say as well.
WORDS = {"duration", "label", "part_label", "quantity"}
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
    kinds = {"State", "Playing", "Cell", "OnDevice"}
    states = [n for n, base in bases.items() if n == "State" or kinds & {*map(ast.unparse, base)}]
    places = [i for i, node in enumerate(tree.body) if getattr(node, "name", "") in states]
    code = tree.body[: places[-1] + 1]
    if path.stem == "base":
        code = [tree.body[place] for place in places]
    used = {n.id for node in code for n in ast.walk(node) if isinstance(n, ast.Name)}
    assert not used & shows, f"{states} use {used & shows}"


def test_light_modules_leave_heavy_libraries_unloaded():
    """All imports one after the other in one fresh interpreter."""
    statements = [*(f"import nas_lab.{name}" for name in LIGHT), TABLE]
    report = ["import sys, nas_lab", "print('nas_lab.checks' in sys.modules)"]
    report += ["import nas_lab.spaces", "print('numpy.linalg' in sys.modules)"]
    for statement in statements:
        report += [statement, f"print(*(set({HEAVY}) & set(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(report)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, numpy, *loaded = done.stdout.splitlines()
    assert first == "False"  # submodules load on first use
    assert numpy == "False"  # and numpy, for spaces
    assert dict(zip(statements, loaded, strict=True)) == dict.fromkeys(statements, "")


def test_the_front_door_names_what_there_is():
    nas_lab = importlib.import_module("nas_lab")
    present = {name for name, _, _ in MODULES if not name.startswith("_")}
    assert present <= set(nas_lab.__all__)
