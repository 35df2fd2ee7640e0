"""Fixtures that hand a test a running JupyterLab in a real browser."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.browser.lab import OUTSIDE, PATIENCE, ROOT, Browser, Lab, Server, find_browser


def pytest_collection_modifyitems(items):
    """Mark every test that asks for `lab`, so that `-m 'not browser'` leaves it out."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    """Return the path of a browser; without one skip, or fail where it is required."""
    found = find_browser()
    if found is None and os.environ.get("NAS_LAB_REQUIRE_BROWSER") == "1":
        pytest.fail("NAS_LAB_REQUIRE_BROWSER=1, but no chromium is on the path")
    if found is None:
        pytest.skip("no chromium is on the path; Debian has it: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    """Run one JupyterLab over a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("jupyter")
    notebooks = folder / "notebooks"
    if (ROOT / "notebooks").is_dir():
        ignore = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(ROOT / "notebooks", notebooks, ignore=ignore)
    notebooks.mkdir(exist_ok=True)
    with Server(folder, notebooks) as server:
        yield server


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory):
    """Return the folder for pictures: NAS_LAB_SCREENSHOTS, or a temporary one."""
    named = os.environ.get("NAS_LAB_SCREENSHOTS")
    folder = Path(named).expanduser() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser(chromium, tmp_path_factory):
    """Run one browser."""
    with Browser(chromium, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def lab(server, browser, screenshots):
    """Yield the page of JupyterLab; in another module's tests, Playwright's loop is gone."""
    with browser.connected() as connection:
        lab = Lab(server, connection.contexts[0].pages[0], screenshots)
        yield lab
        lab.close()


@pytest.fixture
def show(lab):
    """Return what shows cells; in the end nothing went wrong in them, in widgets or in the page."""
    yield lab.show
    assert lab.errors() == []


@pytest.fixture
def visit(browser):
    """Yield what opens a page of a folder from a plain server; nothing went wrong in it."""
    with contextlib.ExitStack() as stack:
        connection, said = stack.enter_context(browser.connected()), []

        def open_page(folder, address, **look):
            serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            context = connection.new_context(**look)
            page = context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            for end in (server.server_close, server.shutdown, context.close):
                stack.callback(end)
            page.on("console", lambda each: said.extend([each.text] * (each.type != "log")))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.route(OUTSIDE, lambda route: said.append(route.request.url) or route.abort())
            page.goto(f"http://127.0.0.1:{server.server_port}/{address}")
            return page

        yield open_page
        assert said == []
