"""What pyproject.toml cannot say: datasets/ is packed as nas_lab/datasets."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["nas_lab", "nas_lab.*"]), "nas_lab.datasets"],
    package_dir={"nas_lab.datasets": "datasets"},
)
