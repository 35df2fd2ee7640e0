"""What processes use, read from /proc; without it, nothing is known."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
PR_SET_CHILD_SUBREAPER = 36
LEAST_FREE = 256 << 20
"""Below this many free bytes, a box that grows is ended whatever it holds itself."""


def _stat() -> dict[int, tuple[int, int]]:
    """{process: (parent, resident bytes)} of every process that can be seen."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("latin-1").rsplit(")", 1)[1].split()
        except (OSError, IndexError):  # it ended meanwhile
            continue
        found[int(path.parent.name)] = int(fields[1]), int(fields[21]) * PAGE
    return found


def children(parent: int) -> list[int]:
    """The processes that ``parent`` has started or adopted, and that it has not waited for."""
    return [pid for pid, (above, _) in _stat().items() if above == parent]


def resident(ancestor: int) -> int:
    """Bytes in memory of a process and of all below it."""
    stat, below = _stat(), defaultdict(list)
    for pid, (parent, _) in stat.items():
        below[parent].append(pid)
    total, todo = 0, [ancestor]
    while todo:
        pid = todo.pop()
        total += stat.get(pid, (0, 0))[1]
        todo += below[pid]
    return total


def memory_is_short() -> bool:
    """Whether the whole machine is about to run out of memory."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return False
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}
    return kilobytes.get("MemAvailable", LEAST_FREE) * 1024 < LEAST_FREE


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends, as init would (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(pids: Iterable[int]) -> None:
    """Kill processes that this one has adopted, and wait for them."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue
