"""The top of a lecture tells its core sections and its minutes, as CONTRIBUTING counts them."""

import json
import re
from pathlib import Path

import pytest

from tools import course_map

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
TOP = re.compile(
    r"\*\*Core path, (\d+) minutes\*\*: sections ([\d, toand]+)\. "
    r"With the sections marked \*more\*, (\d+) minutes\."
)


def minutes(cells: list[dict]) -> dict[str, float]:
    """Return {heading of a section: minutes}; what is looked up does not count."""
    heading, found = "", {}
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            lines = 0 if "source_hidden" in str(cell["metadata"]) else len(text.split("\n"))
            spent = lines / 20 + 5 * len(re.findall(r"^check\(", text, re.MULTILINE))
            found[heading] = found.get(heading, 0) + spent
            continue
        for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
            heading = part.split("\n")[0] if part.startswith("## ") else heading
            spent = len(part.split()) / 150 + 2 * part.count("**Predict")
            found[heading] = found.get(heading, 0) + spent
    looked_up = ("## Course map", "## Glossary", "## Sources")
    return {name: spent for name, spent in found.items() if name not in looked_up}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_top_names_the_core_and_its_minutes(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    core, sections, everything = TOP.search("".join(cells[0]["source"])).groups()
    spent = minutes(cells)
    kept = {name: each for name, each in spent.items() if not name.endswith("(more)")}
    assert sum(kept.values()) == pytest.approx(int(core), abs=5)
    assert sum(spent.values()) == pytest.approx(int(everything), abs=5)
    named = re.sub(r"(\d+) to (\d+)", lambda m: f"{[*range(int(m[1]), int(m[2]) + 1)]}", sections)
    assert re.findall(r"\d+", named) == re.findall(r"^## (\d+)", "\n".join(kept), re.MULTILINE)


@pytest.mark.parametrize("path", course_map.PAGES, ids=lambda path: path.stem)
def test_the_course_map_is_that_of_its_tool(path):
    assert course_map.renewed(path) == path.read_text("utf-8")
    assert "[09](" in path.read_text("utf-8")
