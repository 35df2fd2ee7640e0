"""Drive JupyterLab as a reader would: open a notebook, run all cells, look, touch.

    def test_widget(lab):
        lab.open("01_search_space.ipynb")
        lab.run_all()
        assert lab.errors() == []
        lab.output(4).get_by_role("button", name="Reset").click()
        lab.screenshot("after-reset")

Server, browser and kernels stay on the loopback interface, read nothing of the
user's configuration and write into temporary folders only.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
OUTSIDE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")

# What JupyterLab says to the console about itself, in runs where all is well.
NOISE: list[str] = []

# All cells are in the page, also those out of sight; nothing asks for news.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
}

# What the page knows of the notebook in front, more exactly than it shows it.
STATE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const cells = [...(panel?.content?.model?.cells ?? [])].map(cell => cell.toJSON());
    const code = cells.filter(cell => cell.cell_type === "code");
    return {
        ready: panel?.context?.isReady === true,
        status: panel?.sessionContext?.session?.kernel?.status,
        left: code.filter(cell => cell.source.length && !cell.execution_count).length,
        errors: code.flatMap(cell => cell.outputs)
            .filter(output => output.output_type === "error")
            .map(output => `${output.ename}: ${output.evalue}`),
    };
}"""
READY = f"() => {{ const now = ({STATE})(); return now.ready && now.status === 'idle'; }}"
FINISHED = f"""() => {{
    const now = ({STATE})();
    return now.status === "idle" && (now.left === 0 || now.errors.length > 0);
}}"""


def find_browser() -> str | None:
    """Return the path of a browser on this machine, None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Server:
    """JupyterLab in a process of its own, over the files of one folder."""

    def __init__(self, folder: Path, notebooks: Path):
        self.notebooks = notebooks
        self._folder = folder
        self._log = folder / "server.log"
        self._write_settings()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=notebooks,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = self._wait_until_up()

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
            path = self._folder / f"settings/@jupyterlab/{name}.jupyterlab-settings"
            write_json(path, values)

    def _wait_until_up(self, seconds: float = 120) -> str:
        """Return the address that the server has noted down, once it answers there."""
        note = self._folder / "runtime" / f"jpserver-{self._process.pid}.json"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                url = json.loads(note.read_text())["url"]
                urllib.request.urlopen(f"{url}api/status", timeout=5).close()
                return url
            except (OSError, ValueError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")

    def end_kernels(self) -> None:
        """End every kernel, so that the next notebook has the memory for itself."""
        with urllib.request.urlopen(f"{self.url}api/sessions", timeout=30) as answer:
            sessions = json.load(answer)
        for session in sessions:
            url = f"{self.url}api/sessions/{session['id']}"
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30).close()

    def stop(self) -> None:
        """End the server, and with it its kernels."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Lab:
    """One page of JupyterLab. Cells count from 0, text cells included."""

    def __init__(self, server: Server, browser, screenshots: Path):
        self.server = server
        self._screenshots = screenshots
        self._console: list[str] = []
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.route(OUTSIDE, self._refuse)
        self.page = context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self._console.append(f"page: {error}"))

    def _refuse(self, route) -> None:
        self._console.append(f"asked for {route.request.url}")
        route.abort()

    def _listen(self, message) -> None:
        if message.type == "error" and not any(re.search(n, message.text) for n in NOISE):
            self._console.append(f"console: {message.text}")

    def open(self, notebook: str, seconds: float = 120) -> None:
        """Open a notebook of the server's folder and wait until its kernel is idle."""
        self._console.clear()
        self.page.goto(f"{self.server.url}lab/tree/{notebook}?reset")
        self.page.wait_for_function(READY, timeout=seconds * 1000)

    def run_all(self, seconds: float = 300) -> None:
        """Choose Run > Run All Cells and wait until all have run, or one has failed."""
        bar = self.page.get_by_role("menubar")
        bar.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(FINISHED, timeout=seconds * 1000)
        waiting = self.page.get_by_text("Loading widget")
        if waiting.count():
            waiting.first.wait_for(state="detached", timeout=30_000)

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

    def screenshot(self, name: str, target=None) -> Path:
        """Save a picture of the page, or of one locator, and return its path."""
        path = self._screenshots / f"{name}.png"
        (target or self.page).screenshot(path=path, animations="disabled")
        return path


def free_port() -> int:
    """Return a loopback port that is free now; should it be taken, the server tries the next."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
