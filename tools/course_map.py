"""Draw the course map: each point of the lecture, where it is taught, and where it is practised.

`make pictures` writes ``notebooks/pictures/course_map.png``, and the same as a table into the
README and into notebook 01. Titles are those of the notebooks; a section that is not there is an
error.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "notebooks" / "pictures" / "course_map.png"
PAGES = [ROOT / "README.md", ROOT / "notebooks" / "01_search_space.ipynb"]
COLORS = ["#DCE9F5", "#FBE9C6", "#DDEFD9", "#F6DDDA"]

# A part of the lecture: its points, each with the sections and the questions of the homework.
LECTURE = {
    "Search space": [
        ("topology: resnet-ish, mobilenet-ish, layers, skips", "01.2 01.3", "1.2 1.4"),
        ("layers: kernels, channels, hidden outputs", "01.2 01.7", "1.3 1.6"),
        ("an architecture is a list of decisions", "01.4 01.5", "1.1 1.5"),
    ],
    "Performance estimation": [
        ("accuracy at convergence, and what it costs", "02.1", "2.2 2.7"),
        ("only the ranking matters", "02.2", "2.3 2.4"),
        ("proxy metrics: fewer epochs, less data", "02.3 02.7", "2.5 2.8"),
        ("learning curves", "02.4", ""),
        ("zero-cost proxies", "02.5", ""),
        ("a predictor: a model of models", "02.6", "2.6"),
    ],
    "Search by reinforcement learning": [
        ("random search: the baseline", "01.8", "2.1"),
        ("an RNN writes the tokens of a network", "03.2", "3.1 3.2"),
        ("REINFORCE", "03.3 03.4", "3.3 3.4 3.5 3.6"),
        ("against random search and evolution", "03.6 03.7", ""),
        ("the cost: 800 GPUs for 28 days", "03.9", ""),
        ("ENAS shares weights", "03.10", ""),
        ("EAS inherits weights", "03.11", ""),
    ],
    "One-shot": [
        ("one supernet, a path for each step", "04.1 04.2 04.3", "4.1 4.2 4.3"),
        ("rank on shared weights, retrain the best", "04.4 04.6 04.7", "4.4 4.6"),
    ],
    "DARTS": [
        ("softmax over candidates, their weighted sum", "05.1", "5.1 5.2"),
        ("argmax in the end", "05.2", "5.5 5.6"),
        ("weights and alphas learnt jointly", "05.3 05.4", "5.3 5.4"),
        ("where it fails: gap and collapse", "05.5 05.7", ""),
    ],
    "EfficientNet": [
        ("deeper, wider, larger images", "06.1 06.2", "6.1 6.2"),
        ("compound scaling, and tuning its factors", "06.3 06.4 06.6 06.7", "6.3"),
        ("scaling laws", "06.8", ""),
    ],
    "Edge devices": [
        ("latency and energy of a device", "07.1 07.2 07.6", "6.4"),
        ("loss × log(latency)^β; the Pareto front", "07.4 07.5", "6.5 6.6"),
    ],
    "Transformers": [
        ("sizes are slices of one network", "10.2 10.3 10.4", "4.5 4.7"),
        ("trained once, for all devices", "10.5", ""),
        ("a trained network, replaced part by part", "10.6", ""),
    ],
    "Summary": [
        ("which decision mattered?", "08.2 08.3 08.5", "6.7"),
        ("the whole workflow automated", "09.2 09.3 09.7", "capstone"),
        ("search on many machines", "09.10", ""),
        ("NAS is practical now", "01.1 09.12 10.7", ""),
    ],
}


def titles(path: Path) -> dict[str, str]:
    """Return {number: title} of the sections of a notebook."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return dict(re.findall(r"^## (\d+) (.*?)(?: \(more\))?$", text, re.MULTILINE))


def rows() -> list[tuple[str, str, dict[str, list[str]], list[str]]]:
    """Return part, point, {file: its sections} and questions, for each point of the lecture."""
    lectures = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    found = []
    for part, points in LECTURE.items():
        for point, places, questions in points:
            sections: dict[str, list[str]] = {}
            for number, section in (place.split(".") for place in places.split()):
                path = lectures[number]
                sections.setdefault(path.stem, []).append(f"{section} {titles(path)[section]}")
            asked: dict[str, list[str]] = {}
            for number, _, question in (each.partition(".") for each in questions.split()):
                asked.setdefault(number, []).append(question)
            texts = [f"hw{n}: {', '.join(q)}" if n.isdigit() else n for n, q in asked.items()]
            found.append((part, point, sections, texts))
    return found


def table(folder: str) -> str:
    """Return the map as a Markdown table, with notebooks in ``folder``."""
    lines = ["| the lecture | taught in | homework |", "|---|---|---|"]
    for part, point, sections, questions in rows():
        taught = "; ".join(
            f"[{stem[:2]}]({folder}{stem}.ipynb): {', '.join(names)}"
            for stem, names in sections.items()
        )
        lines.append(f"| **{part}**: {point} | {taught} | {', '.join(questions)} |")
    return "\n".join(lines)


def renewed(path: Path) -> str:
    """Return the text of a page with the table of today between its marks."""
    text = path.read_text("utf-8")
    marks = re.compile(r"(<!-- map -->\n\n).*?(\n\n<!-- /map -->)", re.DOTALL)
    if path.suffix == ".md":
        return marks.sub(lambda m: m[1] + table("notebooks/") + m[2], text)
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        source = marks.sub(lambda m: m[1] + table("") + m[2], "".join(cell["source"]))
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def numbers(headings: list[str]) -> str:
    """Return the numbers of sections alone."""
    return "sections " + ", ".join(heading.split()[0] for heading in headings)


def draw() -> None:
    """Draw the map: a row for each point, a colour for each part."""
    found = rows()
    parts = list(LECTURE)
    figure, ax = plt.subplots(figsize=(12.8, 0.34 * len(found) + 0.5), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(len(found) - 0.4, -1.4))
    ax.set_axis_off()
    for x, heading in ((0, "part"), (16, "the lecture"), (50, "taught in"), (88, "homework")):
        ax.text(x, -0.9, heading, weight="bold", size=11)
    shown = None
    for y, (part, point, sections, questions) in enumerate(found):
        ax.axhspan(y - 0.5, y + 0.5, color=COLORS[parts.index(part) % len(COLORS)], lw=0)
        name = textwrap.fill(part, 16) if part != shown else ""
        ax.text(0.3, y - 0.3, name, weight="bold", size=10.5, va="top")
        shown = part
        named = {stem[:2]: ", ".join(names) for stem, names in sections.items()}
        if len(" ".join(named.values())) > 56:
            named = {stem[:2]: numbers(names) for stem, names in sections.items()}
        taught = "   ".join(f"{number}: {names}" for number, names in named.items())
        ax.text(16, y, point, size=10.5, va="center")
        ax.text(50, y, taught, size=10.5, va="center")
        ax.text(88, y, ", ".join(questions), size=10.5, va="center")
        ax.annotate("", (49.5, y), (46.5, y), arrowprops={"arrowstyle": "->", "color": "#444444"})
        if questions:
            ax.annotate(
                "", (87.5, y), (84.5, y), arrowprops={"arrowstyle": "->", "color": "#444444"}
            )
    figure.savefig(PICTURE, dpi=100)
    plt.close(figure)
    Image.open(PICTURE).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(PICTURE)


def main() -> None:
    """Draw the picture, and renew the tables."""
    draw()
    for path in PAGES:
        path.write_text(renewed(path), "utf-8")


if __name__ == "__main__":
    main()
