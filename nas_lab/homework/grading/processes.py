"""What processes use, read from /proc; without it, nothing is known."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
PR_SET_CHILD_SUBREAPER = 36
LEAST_FREE = 256 << 20
"""Below this many free bytes, a box that grows is ended whatever it holds itself."""


def _stat() -> dict[int, tuple[int, int, float]]:
    """{process: (parent, resident bytes, seconds computed)} of every process that can be seen."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("latin-1").rsplit(")", 1)[1].split()
        except (OSError, IndexError):  # it ended meanwhile
            continue
        computed = sum(map(int, fields[11:15])) / TICKS  # with children that have ended
        found[int(path.parent.name)] = int(fields[1]), int(fields[21]) * PAGE, computed
    return found


def children(parent: int) -> list[int]:
    """The processes that ``parent`` has started or adopted, and that it has not waited for."""
    return [pid for pid, (above, _, _) in _stat().items() if above == parent]


def _tree(ancestor: int, stat: dict[int, tuple[int, int, float]]) -> list[int]:
    below = defaultdict(list)
    for pid, (parent, _, _) in stat.items():
        below[parent].append(pid)
    found = [ancestor]
    for pid in found:  # grows while it is walked
        found += below[pid]
    return found


def usage(ancestor: int) -> tuple[int, int, float]:
    """A process and all below it: how many they are, their bytes in memory, seconds computed.

    What two of them share counts twice.
    """
    stat = _stat()
    found = _tree(ancestor, stat)
    known = [stat[pid] for pid in found if pid in stat]
    return len(found), sum(entry[1] for entry in known), sum(entry[2] for entry in known)


def shared_out(ancestor: int) -> int:
    """Bytes of a process and of all below it; what they share counts once. Slower than `usage`."""
    stat, total = _stat(), 0
    for pid in _tree(ancestor, stat):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1024 * int(text.split("Pss:")[1].split()[0])
        except (OSError, IndexError, ValueError):  # it ended, or another user's
            total += stat[pid][1] if pid in stat else 0
    return total


def of_this_user() -> int:
    """How many processes and threads this user has now, as the limit counts them."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == os.geteuid():
                total += len(os.listdir(path / "task"))
        except OSError:  # it ended meanwhile
            continue
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
