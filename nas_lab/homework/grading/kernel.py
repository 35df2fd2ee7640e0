"""What a hand-in may use, and what the kernel refuses and counts: a filter, and a control group.

Bubblewrap takes the filter, a program for seccomp. The group counts what looks at processes miss:
memory that belongs to none, and children that live shorter than a look."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

NOT_FILTERED = (
    "system calls are not filtered: a hand-in can leave messages for others and use memory that "
    "is not counted; pip install 'nas-lab[instructor]', and libseccomp2 from your system"
)
NOT_COUNTED = (
    "processes are looked at, not counted by the kernel: memory in socket buffers and the time "
    "of short-lived children may be missed; start the grader by systemd-run --user --scope "
    "-p Delegate=yes"
)
NAMESPACES = 0x7E020080  # CLONE_NEW...: time, mounts, cgroup, uts, ipc, users, pids, network
FAMILIES = 1, 2, 10  # of sockets: local, IPv4, IPv6
REFUSED = (
    *("unshare", "setns", "mount", "bpf", "perf_event_open", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("keyctl", "add_key", "request_key"),  # a session keyring is shared by all boxes
    *("shmget", "shmat", "shmctl", "semget", "semctl", "semop", "msgget", "msgsnd", "msgrcv"),
    *("memfd_create", "memfd_secret"),  # memory that no process is counted for
    *("flock", "inotify_init", "inotify_init1", "fanotify_init"),  # tell boxes of each other
)
"""System calls that no homework needs."""
TELLING = 5, 36, 1024, 1026  # of fcntl: who holds a lock or a lease, and who opened a folder
"""On files that all boxes see, these would carry messages from box to box."""


_groups = count()


@dataclass(frozen=True)
class Limits:
    """What a hand-in may use, all its processes together. Seconds are those that it computes."""

    cell_seconds: float = 20  # for one cell, and for all cases of one question
    whole_seconds: float = 120  # for the whole hand-in
    memory: int = 2 << 30  # bytes
    processes: int = 64  # threads included
    patience: float = field(default=2, repr=False)  # so many times the seconds may pass


@cache
def refusals() -> bytes:
    """The filter as a program for the kernel; empty where libseccomp is missing."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError):
        return b""
    made, no = seccomp.SyscallFilter(seccomp.ALLOW), seccomp.ERRNO(errno.EPERM)
    for call in REFUSED:
        made.add_rule(no, call)
    for bit in filter(NAMESPACES.__and__, (1 << n for n in range(32))):
        made.add_rule(no, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, bit, bit))
    made.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # then clone is used in its place
    for family in set(range(FAMILIES[-1])) - {*FAMILIES}:
        made.add_rule(no, "socket", seccomp.Arg(0, seccomp.EQ, family))
    made.add_rule(no, "socket", seccomp.Arg(0, seccomp.GT, FAMILIES[-1]))
    for command in TELLING:
        made.add_rule(no, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


@contextmanager
def counted(limits: Limits) -> Iterator[Group | None]:
    """A control group for one box, and its end; none where the grader may not make any."""
    folder = own_folder()
    if folder is None:
        yield None
        return
    group = Group(folder / f"nas-lab-{os.getpid()}-{next(_groups)}", limits)
    try:
        yield group
    finally:
        group.end()


class Group:
    """A control group (cgroup v2) that is made in ``folder``."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        folder.mkdir()
        most = {"memory.max": limits.memory, "memory.swap.max": 0, "pids.max": limits.processes}
        for name, value in most.items():
            # One that is not there cannot be made: without swap, for instance.
            with suppress(PermissionError):
                (folder / name).write_text(str(value))

    def joined(self, command: Sequence[str]) -> list[str]:
        """The command, run inside of the group."""
        script = 'echo $$ > "$0" && exec "$@"'
        return ["/bin/sh", "-c", script, str(self.folder / "cgroup.procs"), *command]

    def seconds(self) -> float:
        """Computing time of all that ever ran in the group."""
        return self._read("cpu.stat", "usage_usec") / 1e6

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process because the group's memory was full."""
        return self._read("memory.events", "oom_kill") > 0

    def _read(self, name: str, key: str) -> int:
        lines = (self.folder / name).read_text().splitlines()
        return int(dict(map(str.split, lines))[key])

    def end(self) -> None:
        """End what is left in it, and remove it."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")
        stop = time.monotonic() + 1
        while self.folder.exists() and time.monotonic() < stop:
            with suppress(OSError):  # what was ended is not gone yet
                self.folder.rmdir()
            time.sleep(0.01)


@cache
def own_folder() -> Path | None:
    """The grader's control group, if it may divide what it has: under systemd, when it was started
    by ``systemd-run --user --scope -p Delegate=yes``."""
    with suppress(OSError, StopIteration):
        mounts = map(str.split, Path("/proc/self/mounts").read_text().splitlines())
        mount = next(place for _, place, kind, *_ in mounts if kind == "cgroup2")
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        folder = Path(mount + next(line[3:] for line in lines if line.startswith("0::")))
        return divided(folder)
    return None


def divided(folder: Path) -> Path | None:
    """A control group that may have others in it: its processes go to one of those."""
    if not {"memory", "pids"} <= {*(folder / "cgroup.controllers").read_text().split()}:
        return None
    leaf = folder / f"nas-lab-grader-{os.getpid()}"
    leaf.mkdir()
    (leaf / "cgroup.procs").write_text(str(os.getpid()))
    try:
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:  # others are in it, too
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        leaf.rmdir()
        raise
    return folder
