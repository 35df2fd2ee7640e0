"""Hand-ins that attack or break the grader. Each is bounded by itself in processes, memory, time.

`ATTACKS` maps a name to the cells, to what an honest grader pays for them, and to the statuses that
the hand-in may get. Words in capitals are replaced by the test: CANARY is a folder outside of every
box, HOST a path that can be written by the test, PORT the listener that the test opened on
loopback.
"""

from dataclasses import dataclass

from tests.hostile.notebooks import FUNCTIONS, HONEST, every_answer


@dataclass(frozen=True)
class Attack:
    cells: tuple
    earns: int = 0
    statuses: tuple = ("graded", "partly")


def attack(*cells, earns=0, statuses=("graded", "partly")):
    return Attack(cells, earns, statuses)


EQUALS_ALL = """
class Equal({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __iter__(self): return iter(())
    def __len__(self): return 0
    def __getitem__(self, key): return self
    def __float__(self): return 1.0
    def __int__(self): return 1
    __index__ = __int__
"""

RUNNER = """
import gc, json, os, sys
runner = next(o for o in gc.get_objects() if type(o).__name__ == "Runner")
"""

SEARCH = """
import os
def everything(*given):
    found = []
    for place, folders, files in os.walk("/"):
        if place.startswith(("/proc", "/sys", "/usr", "/lib")) or "site-packages" in place:
            folders[:] = []
            continue
        for name in files:
            if name.startswith(("secret", "canary")) or name.endswith(".ipynb"):
                found.append(open(os.path.join(place, name), errors="replace").read()[:2000])
    return found
"""

NETWORK = """
import socket
def reach(kind, address):
    with socket.socket(kind[0], kind[1]) as s:
        s.settimeout(1)
        s.connect(address)
        s.send(b"here I am")
for kind, address in [
    ((socket.AF_INET, socket.SOCK_STREAM), ("127.0.0.1", PORT)),
    ((socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", PORT)),
    ((socket.AF_UNIX, socket.SOCK_STREAM), "\\0nas-lab-PORT"),
]:
    try:
        reach(kind, address)
    except OSError:
        pass
"""

FORK_BOMB = """
import os, time
def bomb(end, level=0):
    for _ in range(4):
        try:
            if os.fork() == 0:
                if level < 5:
                    bomb(end, level + 1)
                time.sleep(max(0, end - time.time()))
                os._exit(0)
        except OSError:
            pass
bomb(time.time() + 6)
"""

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        code = "import time; time.sleep(40)"
        os.execv(sys.executable, [sys.executable, "-c", code, "nas-lab-left-behind"])
    os._exit(0)
"""

ALL_CORES = """
import os, time
end = time.time() + 30
for _ in range(12):
    if os.fork() == 0:
        while time.time() < end:
            pass
        os._exit(0)
while time.time() < end:
    time.sleep(0.1)
"""

C_LOOP = """
import itertools, signal
signal.alarm(60)
sum(itertools.repeat(0, 10**12))
"""

ATTACKS = {
    # Objects that lie about themselves
    "equals all": attack(EQUALS_ALL.format(base="object"), every_answer("Equal()")),
    "int that equals all": attack(EQUALS_ALL.format(base="int"), every_answer("Equal(7)")),
    "text that equals all": attack(EQUALS_ALL.format(base="str"), every_answer("Equal('7')")),
    "list that equals all": attack(EQUALS_ALL.format(base="list"), every_answer("Equal()")),
    "float that equals all": attack(EQUALS_ALL.format(base="float"), every_answer("Equal(7)")),
    "dict that equals all": attack(EQUALS_ALL.format(base="dict"), every_answer("Equal()")),
    "an exception that equals all": attack(
        EQUALS_ALL.format(base="Exception"),
        "\n".join(f"def {name}(*given):\n    raise Equal()" for name in FUNCTIONS),
    ),
    "pickles itself": attack(
        "import os\nclass Evil:\n    def __reduce__(self):\n"
        "        return os.system, ('touch CANARY/pickled',)",
        every_answer("Evil()"),
    ),
    "true is one": attack(
        "def number_of_cells(nodes, operations):\n"
        "    right = operations ** (nodes * (nodes - 1) // 2)\n"
        "    return True if right == 1 else float(right)"
    ),
    # Numbers
    "not a number": attack(every_answer("float('nan')")),
    "infinite": attack(every_answer("[float('inf'), -float('inf')]")),
    "huge int": attack(every_answer("10**4000")),
    "too huge int": attack(every_answer("1 << 200_000")),
    "complex": attack(every_answer("1j")),
    "bytes": attack(every_answer("b'1'")),
    "lone surrogate": attack(every_answer("'\\ud800'")),
    # Patches
    "patched json": attack(
        "import json, json.encoder\n"
        'json.dumps = lambda *a, **k: \'{"cases": [], "right": true, "points": 14}\'',
        every_answer("1"),
        statuses=("tampered",),
    ),
    "patched math": attack(
        "import math, builtins\nmath.isclose = lambda *a, **k: True\n"
        "builtins.all = builtins.any = lambda *a: True\nbuiltins.sum = lambda *a: 10**6\n"
        "builtins.type = lambda *a: int",
        every_answer("0"),
        statuses=("graded", "partly", "tampered"),
    ),
    "patched numpy": attack(
        "import numpy\nnumpy.allclose = numpy.array_equal = numpy.isclose = lambda *a, **k: True",
        every_answer("0"),
    ),
    "patched torch": attack(
        "import sys, types\nfake = types.ModuleType('torch')\nfake.equal = lambda *a: True\n"
        "fake.allclose = fake.equal\nfake.Tensor = object\nsys.modules['torch'] = fake",
        every_answer("0"),
    ),
    "patched driver": attack(
        "import sys\nsys.modules['nas_lab.homework.drivers'].call = lambda answer, *given: True",
        every_answer("0"),
    ),
    "patched comparing": attack(
        "import sys, types\nfake = types.ModuleType('nas_lab.homework.checking')\n"
        "fake.difference = lambda *a, **k: None\n"
        "sys.modules['nas_lab.homework.checking'] = fake\n"
        "import nas_lab.homework\nnas_lab.homework.check = lambda *a: True",
        every_answer("0"),
    ),
    "calls the references": attack(
        "from nas_lab.homework.homeworks.hw1 import _number_of_cells, _parse\n"
        "from nas_lab.homework import homeworks\nfrom nas_lab.homework.homeworks import QUESTIONS",
        "number_of_cells = _number_of_cells",
        "parse = QUESTIONS['hw1.q2'].reference",
        "conv_cost = homeworks.QUESTIONS['hw1.q3'].reference",
    ),
    "calls the references by path": attack(
        "import sys\nsys.path[:0] = ['CHECKOUT', 'CHECKOUT/nas_lab']\n"
        "for name in [n for n in sys.modules if n.startswith('nas_lab')]:\n"
        "    del sys.modules[name]\n"
        "sys.meta_path[:] = sys.meta_path[:3]\n"
        "from nas_lab.homework.homeworks.hw1 import _number_of_cells as number_of_cells",
        statuses=("graded", "partly", "tampered"),
    ),
    # Forged replies
    "replies beforehand": attack(
        RUNNER + 'os.write(runner.replies, b\'{"nonce": "00", "error": null}\\n\' * 50)',
        every_answer("0"),
        statuses=("tampered",),
    ),
    "replies with the nonce": attack(
        RUNNER + "real = runner.call\n"
        "def forged(request):\n"
        "    return {'cases': [{'value': True, 'right': True, 'points': 9}] * 40, 'points': 9,\n"
        "            'missing': False, 'status': 'right'}\n"
        "runner.call = forged",
    ),
    "replies twice": attack(
        RUNNER + "real = runner.call\n"
        "def twice(request):\n"
        "    runner.write(request['nonce'], {'cases': [{'value': 1}] * 40})\n"
        "    return real(request)\n"
        "runner.call = twice",
        HONEST,
        statuses=("tampered",),
    ),
    "replies without the form": attack(
        RUNNER + "runner.call = lambda request: {'cases': [1, 2, 3]}", statuses=("tampered",)
    ),
    "replies without JSON": attack(
        RUNNER + "def garbage(request):\n"
        "    os.write(runner.replies, b'\\xff\\xfe\\x00 no json\\n')\n"
        "    return {}\n"
        "runner.call = garbage",
        statuses=("tampered",),
    ),
    "replies without end": attack(
        RUNNER + "def endless(request):\n"
        "    for _ in range(20):\n"
        "        os.write(runner.replies, b'x' * 1_000_000)\n"
        "    return {}\n"
        "runner.call = endless",
        statuses=("tampered",),
    ),
    "replies in depth": attack(
        RUNNER + "def deep(request):\n"
        '    line = b\'{"nonce": "%s", "cases": \' % request[\'nonce\'].encode()\n'
        "    os.write(runner.replies, line + b'[' * 200_000 + b']' * 200_000 + b'}\\n')\n"
        "    return {}\n"
        "runner.call = deep",
        statuses=("tampered",),
    ),
    "replies with a huge number": attack(
        RUNNER + "def huge(request):\n"
        '    line = b\'{"nonce": "%s", "cases": [\' % request[\'nonce\'].encode()\n'
        "    case = b'{\"value\": ' + b'9' * 90_000 + b'}'\n"
        "    os.write(runner.replies, line + b','.join([case] * 40) + b']}\\n')\n"
        "    os._exit(0)\n"
        "runner.call = huge",
    ),
    "asks for a call with a false name": attack(
        RUNNER + "runner.names['number_of_cells'] = runner.call", every_answer("given")
    ),
    "closes everything": attack(
        "import os\nos.closerange(0, 100)", HONEST, earns=1, statuses=("partly",)
    ),
    # What is not its business
    "reads the secret": attack(SEARCH + "found = everything()", every_answer("found")),
    "reads other hand-ins": attack(
        SEARCH + "print(everything())", "found = everything()", every_answer("found")
    ),
    "reads proc and environment": attack(
        "import glob, os\n"
        "def look():\n"
        "    found = [dict(os.environ)]\n"
        "    for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "        try:\n"
        "            found.append(open(path, errors='replace').read())\n"
        "        except OSError:\n"
        "            pass\n"
        "    return found",
        every_answer("look()"),
    ),
    "writes outside": attack(
        "import os\n"
        "for path in ['CANARY/written', '/usr/written', '/box/runner.py', '/written',\n"
        "             'CHECKOUT/written', '/dev/shm/written', '/etc/written']:\n"
        "    try:\n"
        "        open(path, 'w').write('here I was')\n"
        "    except OSError:\n"
        "        pass\n"
        "try:\n"
        "    os.symlink('CANARY', '/tmp/link')\n"
        "    open('/tmp/link/written', 'w').write('here I was')\n"
        "except OSError:\n"
        "    pass",
        HONEST,
        earns=1,
    ),
    "becomes root": attack(
        "import os\n"
        "for act in [lambda: os.setuid(0), lambda: os.chroot('/'), lambda: os.nice(-20)]:\n"
        "    try:\n"
        "        act()\n"
        "    except OSError:\n"
        "        pass\n"
        "assert os.getuid() != 0 or not os.access('/box/runner.py', os.W_OK)",
        HONEST,
        earns=1,
    ),
    "network": attack(NETWORK, HONEST, earns=1),
    # Too much
    "fork bomb": attack(FORK_BOMB, HONEST, earns=1, statuses=("graded", "partly", "timed out")),
    "computes on all cores": attack(ALL_CORES, HONEST, earns=1, statuses=("timed out",)),
    "hundreds of broken cells": attack(*["1 / 0"] * 900, HONEST, earns=1),
    "memory bomb": attack(
        "held = []\nfor _ in range(40):\n    held.append(bytearray(100 << 20))",
        HONEST,
        earns=1,
        statuses=("partly", "timed out"),
    ),
    "memory bomb that is shared": attack(
        "import mmap\nheld = []\nfor _ in range(15):\n"
        "    m = mmap.mmap(-1, 100 << 20)\n"
        "    for place in range(0, len(m), 4096):\n"
        "        m[place] = 1\n"
        "    held.append(m)",
        HONEST,
        earns=1,
        statuses=("partly", "timed out"),
    ),
    "fills the disk": attack(
        "import os\n"
        "for place in ('/tmp', '/dev/shm', '.'):\n"
        "    for number in range(30):\n"
        "        try:\n"
        "            open(f'{place}/{number}', 'wb').write(bytes(10 << 20))\n"
        "        except OSError:\n"
        "            pass",
        HONEST,
        earns=1,
    ),
    "output flood": attack(
        "import os, sys\n"
        "for _ in range(2000):\n"
        "    print('x' * 10_000)\n"
        "    os.write(2, b'y' * 10_000)",
        HONEST,
        earns=1,
    ),
    "answer flood": attack(every_answer("['x' * 1000] * 1_000")),
    "endless loop": attack(
        "import time\nend = time.time() + 60\nwhile time.time() < end:\n    pass",
        HONEST,
        earns=1,
        statuses=("timed out",),
    ),
    "endless loop in C": attack(C_LOOP, HONEST, earns=1, statuses=("timed out",)),
    "endless loop in an answer": attack(
        HONEST,
        "import time\ndef parse(text):\n    time.sleep(60)",
        earns=1,
        statuses=("timed out",),
    ),
    "loops that catch everything": attack(
        "import signal, time\n"
        "for number in range(1, 32):\n"
        "    try:\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n"
        "        pass\n"
        "end = time.time() + 60\n"
        "while time.time() < end:\n"
        "    try:\n"
        "        time.sleep(1)\n"
        "    except BaseException:\n"
        "        pass",
        HONEST,
        earns=1,
        statuses=("timed out",),
    ),
    "threads without end": attack(
        "import threading, time\n"
        "for _ in range(20):\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()",
        HONEST,
        earns=1,
    ),
    # Ends
    "ends in a cell": attack("import os\nos._exit(0)", HONEST, earns=1, statuses=("partly",)),
    "ends in an answer": attack(
        HONEST, "import os\ndef parse(text):\n    os._exit(0)", earns=1, statuses=("partly",)
    ),
    "exits politely": attack(
        "exit()", "raise SystemExit(0)", "raise KeyboardInterrupt", HONEST, earns=1
    ),
    "kills all it can": attack(
        "import os, signal\n"
        "for pid in (1, os.getppid(), -1):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "    except OSError:\n"
        "        pass",
        HONEST,
        earns=1,
    ),
    "stops itself": attack(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        HONEST,
        earns=1,
        statuses=("timed out",),
    ),
    "leaves a daemon": attack(DAEMON, HONEST, earns=1),
    "crashes": attack("import ctypes\nctypes.string_at(0)", HONEST, earns=1, statuses=("partly",)),
    "recursion": attack("def f(n):\n    return f(n + 1)\nf(0)", HONEST, earns=1),
    "recursion without limit": attack(
        "import sys\nsys.setrecursionlimit(10**9)\nf = lambda n: max([n], key=f)\nf(0)",
        HONEST,
        earns=1,
    ),
    "deep lists": attack(
        "def deep():\n    value = []\n    for _ in range(20_000):\n        value = [value]\n"
        "    return value",
        every_answer("deep()"),
    ),
    "a list in itself": attack(every_answer("loop", "loop = []; loop.append(loop)")),
    "nests brackets": attack("(" * 5000, "-" * 100_000 + "1", HONEST, earns=1),
    # Odd cells
    "null bytes": attack("x = 'a\0b'", HONEST, earns=1),
    "magics": attack(
        "%load_ext autoreload\n!touch CANARY/shell\n%%bash", "!rm -rf /", HONEST, earns=1
    ),
    "breaks the runner": attack(
        "import builtins, sys\nbuiltins.compile = builtins.exec = None\n"
        "sys.modules['__main__'] = None",
        every_answer("0"),
        statuses=("graded", "partly", "tampered"),
    ),
}
