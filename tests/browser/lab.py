"""Drive JupyterLab as a reader would: open a notebook, run all cells, look, touch.

    def test_notebook(lab):
        lab.open("01_search_space.ipynb")
        lab.run_all()
        assert lab.errors() == []
        lab.screenshot("all-run")

    def test_widget(lab):
        widget = lab.show("from nas_lab.widgets import CellBuilder; CellBuilder()")
        widget.get_by_role("button", name="Reset").click()

Server, browser and kernels stay on the loopback interface, read nothing of the
user's configuration and write into temporary folders only.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
BROWSER_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",  # any free one; it is noted down in the profile
]
VIEW = {"width": 1280, "height": 900}
# Guards against a hang, in seconds: far above what a busy machine takes.
PATIENCE, PATIENCE_OF_A_NOTEBOOK = 120, 1800
OUTSIDE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")
IN_BROWSER = ("01_search_space",)
"""What is run here; other notebooks run without a page, which is cheaper, and their widgets have
tests of their own here."""
SHOWN = "shown.ipynb"
"""The notebook of all that is shown for a moment: its kernel stays, and with it what is loaded."""

# As set-up has it; and all cells are in the page, also those out of sight.
SETTINGS = json.loads((ROOT / "binder" / "overrides.json").read_text())
SETTINGS["@jupyterlab/notebook-extension:tracker"] = {
    "windowingMode": "none",
    "recordTiming": False,
}

# What the page knows of the notebook in front, more exactly than it shows it. It is asked for again
# and again, so it reads of the outputs only what it needs: pictures are long.
STATE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const cells = [...(panel?.content?.model?.cells ?? [])];
    const code = cells.filter(cell => cell.type === "code");
    const outputs = code.flatMap(
        cell => Array.from({length: cell.outputs.length}, (_, n) => cell.outputs.get(n)));
    return {
        ready: panel?.context?.isReady === true,
        status: panel?.sessionContext?.session?.kernel?.status,
        left: code.filter(cell => cell.sharedModel.getSource() && !cell.executionCount).length,
        errors: outputs.filter(output => output.type === "error")
            .map(output => output.toJSON())
            .map(error => `${error.ename}: ${error.evalue}`),
    };
}"""
READY = f"() => {{ const now = ({STATE})(); return now.ready && now.status === 'idle'; }}"
FINISHED = f"""() => {{
    const now = ({STATE})();
    return now.status === "idle" && (now.left === 0 || now.errors.length > 0);
}}"""

# One page serves many tests: what a test opened is closed before the next. A kernel ends then, or
# where it stays, forgets all names and widgets.
OPEN = """async path => {
    await window.jupyterapp.restored;
    await window.jupyterapp.commands.execute("docmanager:open", {path});
}"""
FORGET = """
from ipywidgets import Widget
Widget.close_all()
get_ipython().run_line_magic("reset", "-f")
"""
CLOSE = """async ([stays, code]) => {
    for (const panel of [...(window.jupyterapp?.shell.widgets("main") ?? [])]) {
        const session = panel.sessionContext;
        const kernel = panel.context?.path === stays ? session.session?.kernel : null;
        const late = new Promise(resolve => setTimeout(resolve, 60000, "late"));
        const forgot = kernel?.requestExecute({code, store_history: false}).done;
        const said = await Promise.race([forgot?.catch(() => "late") ?? "late", late]);
        if (said === "late") await session?.shutdown();
        panel.dispose();
    }
}"""
SAVE = "window.jupyterapp.commands.execute('docmanager:save')"
THEME = """name => window.jupyterapp.commands.execute("apputils:change-theme", {theme: name})"""
THEMED = """name => document.body.dataset.jpThemeName === name"""


def find_browser() -> str | None:
    """Return the path of a browser on this machine, None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Process:
    """A process that serves on a loopback port, which it notes down in a file once it is up."""

    def __init__(self, command: list[str], folder: Path, note: str, **options):
        self._log = folder / "server.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
                **options,
            )
        self._note = folder / note.format(pid=self._process.pid)
        self.url = self._wait_until_up()

    def _answering(self) -> str:
        """Return the address that was noted down; OSError or ValueError while it is not up."""
        raise NotImplementedError

    def _wait_until_up(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return self._answering()
            except (OSError, ValueError):
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{type(self).__name__} did not start:\n{self._log.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, and with it what it started."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Browser(Process):
    """Chromium, to which tests connect one after the other.

    Playwright's event loop is in a test's process only as long as the test is connected. Otherwise
    it would stand in the way of other tests that run one.
    """

    def __init__(self, chromium: str, folder: Path):
        folder.mkdir(exist_ok=True)
        command = [chromium, *BROWSER_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
        super().__init__(command, folder, "DevToolsActivePort")

    def _answering(self) -> str:
        return f"http://127.0.0.1:{int(self._note.read_text().splitlines()[0])}"

    @contextmanager
    def connected(self):
        """Yield Playwright's browser, which is left running afterwards."""
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            yield playwright.chromium.connect_over_cdp(self.url)


class Server(Process):
    """JupyterLab over the files of one folder."""

    def __init__(self, folder: Path, notebooks: Path):
        self.notebooks = notebooks
        self._folder = folder
        self._write_settings()
        note, env = "runtime/jpserver-{pid}.json", self._environment()
        super().__init__(self._command(), folder, note, cwd=notebooks, env=env)

    def _answering(self) -> str:
        url = json.loads(self._note.read_text())["url"]
        urllib.request.urlopen(f"{url}api/status", timeout=5).close()
        return url

    def _command(self) -> list[str]:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": free_port(),
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.disable_check_xsrf": True,
            "IdentityProvider.token": "",
            "LabApp.expose_app_in_browser": True,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "jupyterlab", *flags]

    def _environment(self) -> dict[str, str]:
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        folders = {name: str(self._folder / value) for name, value in own.items()}
        return os.environ | folders | {"JUPYTER_PREFER_ENV_PATH": "0", "PYTHONPATH": str(ROOT)}

    def _write_settings(self) -> None:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
        write_json(self._folder / "data/kernels/python3/kernel.json", kernel)
        for name, values in SETTINGS.items():
            path = self._folder / f"settings/{name.replace(':', '/')}.jupyterlab-settings"
            write_json(path, values)


class Lab:
    """One page of JupyterLab. Cells count from 0, text cells included."""

    def __init__(self, server: Server, page, screenshots: Path):
        self.server = server
        self.page = page
        self._screenshots = screenshots
        self._console: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.route(OUTSIDE, self._refuse)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self._console.append(f"page: {error}"))

    def _refuse(self, route) -> None:
        self._console.append(f"asked for {route.request.url}")
        route.abort()

    def _listen(self, message) -> None:
        if message.type == "error":
            self._console.append(f"console: {message.text}")

    def open(self, notebook: str) -> None:
        """Open a notebook of the server's folder and wait until its kernel is idle."""
        self.close()
        self.page.set_viewport_size(VIEW)
        if not self.page.url.startswith(self.server.url) or self.page.locator(".jp-Dialog").count():
            self.page.goto(f"{self.server.url}lab?reset")
            self.page.wait_for_function("window.jupyterapp")
        self._console.clear()
        self.page.evaluate(OPEN, notebook)
        self.page.wait_for_function(READY)

    def close(self) -> None:
        """Close what is open, so that the next one has the memory for itself."""
        self.page.evaluate(CLOSE, [SHOWN, FORGET])

    def show(self, *cells, run=True):
        """Open a notebook of these cells, sources of code among them; run them, return output 0."""
        make = nbformat.v4.new_code_cell
        cells = [make(cell.strip()) if isinstance(cell, str) else cell for cell in cells]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.server.notebooks / SHOWN)
        self.open(SHOWN)
        if run:
            self.run_all()
        return self.output(0)

    def choose_theme(self, name: str) -> None:
        """Show the page in a theme, and wait until it is there."""
        self.page.evaluate(THEME, name)
        self.page.wait_for_function(THEMED, arg=name)

    def choose(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar, by its name or how that begins."""
        bar = self.page.get_by_role("menubar")
        bar.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=re.compile(f"^{entry}")).click()

    def run_all(self) -> None:
        """Run all cells and wait until all have run, or one has failed."""
        self.choose("Run", "Run All Cells")
        patience = PATIENCE_OF_A_NOTEBOOK * 1000
        self.page.wait_for_function(FINISHED, timeout=patience, polling=500)
        waiting = self.page.get_by_text("Loading widget")
        if waiting.count():
            waiting.first.wait_for(state="detached")

    def run(self, n: int) -> None:
        """Run the n-th cell as a reader does: a click into it, and the keyboard."""
        self.cell(n).locator(".cm-content").click()
        self.press("Control+Enter")

    def tell(self) -> str:
        """Run the second cell, which the kernel does after all that came before, and read it."""
        prompt = self.cell(1).locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        self.run(1)
        self.page.wait_for_function(
            "([e, old]) => /[0-9]/.test(e.innerText) && e.innerText !== old",
            arg=[prompt.element_handle(), before],
        )
        self.output(1).get_by_text(re.compile(r"\S")).first.wait_for()
        return self.output(1).inner_text().strip()

    def press(self, *keys: str, on=None) -> None:
        """Press keys, on a control that takes the focus, or where it is."""
        if on is not None:
            on.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def cell(self, n: int):
        """Return the locator of the n-th cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(n)

    def output(self, n: int):
        """Return the locator of what the n-th cell shows below its code."""
        return self.cell(n).locator(".jp-Cell-outputArea")

    def errors(self) -> list[str]:
        """Return what went wrong: in cells, in widgets, in the page, or by going online."""
        failed = self.page.evaluate(STATE)["errors"]
        widgets = self.page.get_by_text(re.compile("Loading widget|Error displaying widget"))
        return [*failed, *widgets.all_inner_texts(), *self._console]

    def screenshot(self, name: str, target=None) -> None:
        """Save a picture of the page, or of one locator, where NAS_LAB_SCREENSHOTS asks for it."""
        if "NAS_LAB_SCREENSHOTS" in os.environ:
            path = self._screenshots / f"{name}.png"
            (target or self.page).screenshot(path=path, animations="disabled")


def end_with_parent() -> None:
    """Have Linux end this process when the one that started it is gone, killed tests included."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def free_port() -> int:
    """Return a loopback port that is free now; should it be taken, the server tries the next."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
