"""After its test a picture is closed, and none of its texts covers another."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from tests.plots.readable import covered


@pytest.fixture(autouse=True)
def _no_text_covers_another_and_figures_are_closed():
    yield
    figures = [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")
    assert [covered(figure) for figure in figures] == [[]] * len(figures)


@pytest.fixture
def ax():
    return Figure().add_subplot()
