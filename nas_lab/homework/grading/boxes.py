"""Where a hand-in runs: bubblewrap, a container, or plain limits with a warning.

Each is a way to start ``runner.py`` in a process of its own that sees Python, its libraries,
an empty folder, and nothing else: no network, no other hand-in, no secret, no reference. In plain
mode the process sees what you see; then only the protocol protects the grades."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil

from nas_lab.homework import drivers
from nas_lab.homework.grading import kernel
from nas_lab.homework.grading.kernel import Group, Limits

PREFIX = "nas-lab-box-"  # of the folders that a box needs
SCRATCH_BYTES = 64 << 20  # what a hand-in may write to its empty folder
SECRET_FOLDERS = ("homework", "notebooks", "datasets", "tests", "build", ".git")
ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "MPLBACKEND": "Agg"}
ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENVIRONMENT |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
NAMESPACES = [f"--unshare-{kind}" for kind in ("ipc", "pid", "net", "uts", "cgroup-try")]
NOT_ISOLATED = (
    "HAND-INS ARE NOT ISOLATED: neither bubblewrap nor a container engine works here. A hand-in "
    "can read your files, this package's solutions and the secret, and use the network. Grades "
    "can then be earned by reading. Install bubblewrap, or start Docker or Podman."
)

_users = count()


class BoxWarning(UserWarning):
    """Hand-ins are not isolated."""


class Started(NamedTuple):
    """A box at work: its first process, and the control group that counts it, if there is one."""

    process: subprocess.Popen
    group: Group | None = None
    seen: bool = True  # whether all its processes are descendants of the first one


def _for_runner(limits: Limits, uid: int = 0) -> str:
    """Limits as the runner's argument."""
    return json.dumps({**asdict(limits), "file_bytes": SCRATCH_BYTES // 4, "uid": uid})


def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def remove_left_behind() -> None:
    """Remove the folders of graders that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def copied_runner() -> Iterator[Path]:
    """A folder with the runner and the drivers, which hold no answers."""
    with _folder() as name:
        folder = Path(name)
        shutil.copy(Path(__file__).with_name("runner.py"), folder)
        lent = folder / "nas_lab" / "homework"
        lent.mkdir(parents=True)
        shutil.copy(drivers.__file__, lent)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@contextmanager
def _running(
    command: list[str], folder: str | None = None, **more: Any
) -> Iterator[subprocess.Popen]:
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **more}
    options |= {"stderr": subprocess.DEVNULL, "start_new_session": True, "cwd": folder}
    with subprocess.Popen(command, env=ENVIRONMENT, **options) as process:
        try:
            yield process
        finally:
            process.kill()
            with suppress(OSError):  # what it started and left in its group
                os.killpg(process.pid, signal.SIGKILL)


class Bubblewrap:
    """Linux namespaces by bubblewrap: own processes, network, files and users."""

    name = "bubblewrap"
    isolated = True  # a hand-in sees nothing but Python and itself

    @property
    def weak(self) -> list[str]:
        """What this box does not hold here, in words."""
        held = {kernel.NOT_FILTERED: kernel.refusals(), kernel.NOT_COUNTED: kernel.own_folder()}
        return [words for words, there in held.items() if not there]

    @contextmanager
    def start(self, limits: Limits) -> Iterator[Started]:
        """Start a box; leaving the context ends every process in it."""
        uid, rights = 0, ["--unshare-user", *_no_namespaces_inside()]
        if os.geteuid() == 0:
            # Root's processes are not counted against RLIMIT_NPROC: each box gets another user.
            uid = 60_000 + next(_users) % 5_000
            rights = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        command = ["bwrap", *NAMESPACES, "--die-with-parent", "--new-session", *rights]
        command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
        command += ["--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp"]
        folders = system_folders()
        above = {str(parent) for path in folders for parent in Path(path).parents}
        for path in sorted(above - {"/"}, key=len):
            command += ["--perms", "0755", "--dir", path]
        for path in folders:
            command += ["--ro-bind", path, path]
        for path in hidden_folders():
            command += ["--tmpfs", path, "--remount-ro", path]
        counted = kernel.counted(limits)
        with copied_runner() as lent, tempfile.TemporaryFile() as program, counted as group:
            if program.write(kernel.refusals()):
                program.seek(0)
                command += ["--seccomp", str(program.fileno())]
            command += ["--ro-bind", str(lent), "/box", "--remount-ro", "/", "--chdir", "/tmp"]
            python = os.path.abspath(sys.executable)
            command += ["--", python, "/box/runner.py", _for_runner(limits, uid)]
            command = group.joined(command) if group else command
            with _running(command, pass_fds=[program.fileno()]) as process:
                yield Started(process, group)


@cache
def _no_namespaces_inside() -> list[str]:
    """An option that an older bubblewrap does not have, and can do without."""
    known = subprocess.run(["bwrap", "--help"], capture_output=True, text=True).stdout
    return ["--disable-userns"] if "--disable-userns" in known.split() else []


def system_folders() -> list[str]:
    """What Python needs to run: libraries of the system, its own, and those of its packages."""
    wanted = ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache"]
    wanted += ["/etc/alternatives", "/etc/ssl/certs", sys.base_prefix, sys.prefix]
    wanted += [os.path.dirname(os.path.realpath(sys.executable))]
    wanted += [sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")]
    found: list[str] = []
    for path in sorted(map(os.path.abspath, filter(os.path.exists, wanted)), key=len):
        if not any(Path(path).is_relative_to(above) for above in found):
            found.append(path)
    return found


def hidden_folders() -> list[str]:
    """Copies of this package, and what lies beside it in a clone that a box sees: solutions."""
    package = Path(__file__).absolute().parents[2]
    found = [Path(sysconfig.get_path(kind), "nas_lab") for kind in ("purelib", "platlib")]
    if shown(package):
        found.append(package)
        if (package.parent / "homework" / "masters").is_dir():
            found += [package.parent / name for name in SECRET_FOLDERS]
    return sorted({str(path) for path in found if path.is_dir()})


def shown(path: str | os.PathLike) -> bool:
    """Whether a path is inside a folder that every box sees."""
    return any(Path(path).resolve().is_relative_to(folder) for folder in system_folders())


@dataclass(frozen=True)
class Container:
    """A Docker or Podman container.
    Without an ``image``, on Linux, an empty one is made and this system's folders are mounted in
    it, read-only. With one, its own ``python3`` runs, which must have numpy, torch and IPython."""

    engine: str
    image: str = ""
    name = "container"
    isolated = True
    weak = ()

    @contextmanager
    def start(self, limits: Limits) -> Iterator[Started]:
        """Start a box; leaving the context ends every process in it."""
        label = f"nas-lab-{os.getpid()}-{next(_users)}"
        command = [self.engine, "run", "--rm", "--interactive", "--name", label]
        command += ["--network", "none", "--read-only", "--cap-drop", "ALL"]
        command += ["--security-opt", "no-new-privileges", "--user", "60000:60000"]
        command += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)]
        command += ["--pids-limit", str(limits.processes), "--workdir", "/tmp"]
        command += ["--tmpfs", f"/tmp:size={SCRATCH_BYTES},mode=1777"]
        for name, value in ENVIRONMENT.items():
            command += ["--env", f"{name}={value}"]
        if not self.image:
            command += [f"--volume={path}:{path}:ro" for path in system_folders()]
            for path in hidden_folders():
                command += ["--tmpfs", f"{path}:size=4096"]
        python = "python3" if self.image else sys.executable
        image = self.image or _empty_image(self.engine)
        with copied_runner() as lent:
            command += [f"--volume={lent}:/box:ro", image, python, "/box/runner.py"]
            try:
                with _running([*command, _for_runner(limits)]) as process:
                    yield Started(process, seen=False)
            finally:
                subprocess.run([self.engine, "rm", "--force", label], capture_output=True)


@cache
def _empty_image(engine: str) -> str:
    """Make an image without files, and return its name."""
    command = [engine, "import", "-", "nas-lab-empty"]
    subprocess.run(command, input=bytes(1024), capture_output=True, check=True)  # an empty archive
    return command[-1]


class Plain:
    """A process with limits and nothing else; it sees the files and the network that you see."""

    name = "plain"
    isolated = False
    weak = (kernel.NOT_FILTERED, kernel.NOT_COUNTED)

    @contextmanager
    def start(self, limits: Limits) -> Iterator[Started]:
        """Start a box; leaving the context ends what is left of its processes."""
        # Here the limit counts all threads of the user, not only those of the hand-in.
        found = [process.info for process in psutil.process_iter(["uids", "num_threads"])]
        mine = [i["num_threads"] or 0 for i in found if i["uids"] and i["uids"][1] == os.geteuid()]
        own = replace(limits, processes=limits.processes + sum(mine))
        with copied_runner() as lent, _folder() as scratch, _ending_orphans():
            command = [sys.executable, str(lent / "runner.py"), _for_runner(own)]
            with _running(command, scratch) as process:
                yield Started(process)


@contextmanager
def _ending_orphans() -> Iterator[None]:
    """On Linux, become the parent of daemons that a hand-in leaves, and end them."""
    before = set(psutil.Process().children())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    try:
        yield
    finally:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (left := {*psutil.Process().children()} - before):
            for child in left:
                with suppress(psutil.Error):
                    child.kill()
                    child.wait(1)


Box: TypeAlias = Bubblewrap | Container | Plain


def choose(kind: str = "auto", image: str = "") -> Box:
    """The strongest box that works here, or the one that is asked for; a warning if it is weak."""
    kinds = ["bubblewrap", "docker", "podman", "plain"] if kind == "auto" else [kind]
    found = (_working(wanted, image) for wanted in kinds)
    box = next((each for each in found if each), None)
    if box is None:
        raise ValueError(
            f"{kind!r} does not work here: install bubblewrap (Linux), start Docker or Podman, "
            "or choose 'auto', 'bubblewrap', 'docker', 'podman' or 'plain'"
        )
    if not box.isolated:
        warnings.warn(NOT_ISOLATED, BoxWarning, stacklevel=2)
    return box


def _working(kind: str, image: str) -> Box | None:
    if kind == "plain":
        return Plain()
    if kind == "bubblewrap":
        probe = ["bwrap", *NAMESPACES, "--ro-bind", "/", "/", "--", "/bin/true"]
        return Bubblewrap() if _runs(probe) else None
    if kind in ("docker", "podman") and _runs([kind, "info"]):
        return Container(kind, image) if image or sys.platform == "linux" else None
    return None


def _runs(command: list[str]) -> bool:
    found = shutil.which(command[0]) is not None
    return found and subprocess.run(command, capture_output=True).returncode == 0
