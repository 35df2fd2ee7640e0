"""Every notebook in JupyterLab: 'run all' in a fresh kernel, without an error left behind."""

import pytest

from tests.browser.lab import ROOT

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_run_all_leaves_no_error(lab, name):
    lab.open(name)
    lab.run_all()
    assert lab.errors() == []
    lab.screenshot(name.removesuffix(".ipynb"))
