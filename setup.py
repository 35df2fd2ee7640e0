"""What pyproject.toml cannot say: datasets/ is packed as nas_lab/datasets; links of the README."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def readme() -> str:
    """Return the README for a package index, where links and pictures need whole addresses."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    home = re.search(r'^Source = "(.+)"', project, re.MULTILINE)[1]
    text = (ROOT / "README.md").read_text("utf-8")
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{home}/raw/main/", text)
    return re.sub(r"(\]\()(?!https?:|#)", rf"\1{home}/blob/main/", text)


setup(
    long_description=readme(),
    long_description_content_type="text/markdown",
    packages=[*find_packages(include=["nas_lab", "nas_lab.*"]), "nas_lab.datasets"],
    package_dir={"nas_lab.datasets": "datasets"},
)
