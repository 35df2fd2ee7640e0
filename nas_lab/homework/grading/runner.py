"""Runs a hand-in inside the box: reads requests, answers them, and decides nothing.

This file is copied into the box and started there as a script. A hand-in shares this process, so
it can forge whatever is written here. That earns nothing: a reply is right only when it holds
what the reference gives for inputs that were drawn with a secret, and the references stay outside.

A request and a reply are each one line of JSON. A reply repeats the request's nonce."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import linecache
import os
import random
import signal
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

MOST_CHARACTERS = 500
MOST_VALUE = 100_000
DRIVERS = "nas_lab.homework.drivers"
TIMERS = {  # of seconds that pass, and of those that this process computes
    "wall": (signal.SIGALRM, signal.ITIMER_REAL),
    "seconds": (signal.SIGPROF, signal.ITIMER_PROF),
}


class Runner:
    """The state of one box: the hand-in's names, and the two pipes."""

    def __init__(self, requests: int, replies: int) -> None:
        self.requests = os.fdopen(requests, "rb")
        self.replies = replies
        self.checked: dict[str, Any] = {}
        self.bound_by: dict[str, int] = {}
        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.names.update(get_ipython=lambda: _Shell(self.names), display=_nothing)
        sys.modules["__main__"] = self.module
        # A nas_lab in which only the drivers are real; `check` notes what is named as an answer.
        here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nas_lab")
        nas_lab, homework = _Absence("nas_lab"), _Absence("nas_lab.homework")
        nas_lab.__path__, homework.__path__ = [here], [os.path.join(here, "homework")]
        homework.__dict__.update(check=self.check, progress=str, pack=_nothing)
        nas_lab.__dict__["homework"] = homework
        sys.modules.update({"nas_lab": nas_lab, "nas_lab.homework": homework})
        sys.meta_path.append(_Finder())

    def check(self, name: str, answer: Any) -> Any:
        """Note what is checked; that it is right is known outside alone."""
        self.checked[name] = answer
        return types.SimpleNamespace(name=name, passed=0, cases=0, problem="", answered=True)

    def serve(self) -> None:
        """Answer requests until there are no more."""
        for line in self.requests:
            request = json.loads(line)
            self.write(request["nonce"], getattr(self, request["do"])(request))

    def write(self, nonce: str, reply: dict) -> None:
        """Write one reply as one line."""
        line = (json.dumps({"nonce": nonce, **reply}) + "\n").encode()
        while line:
            line = line[os.write(self.replies, line) :]

    def load(self, request: dict) -> dict:
        """Import the drivers, and the libraries they need, while the process is still clean."""
        import numpy as np

        importlib.import_module(DRIVERS)
        # A hand-in that draws without a seed gets the same grade each time.
        random.seed(0)
        random._urandom = random.Random(0).randbytes  # type: ignore[attr-defined] # numpy's, too
        np.random.seed(0)  # noqa: NPY002
        return {}

    def run(self, request: dict) -> dict:
        """Run one cell; say what it raised, if it did."""
        source, place = request["source"], request["cell"]
        name, before, late = f"<cell {place}>", dict(self.names), []
        try:
            linecache.cache[name] = (len(source), None, source.splitlines(True), name)
            try:
                for kind, (number, timer) in TIMERS.items():
                    signal.signal(number, signal.default_int_handler)
                    signal.setitimer(timer, request[kind])
                execute(source, name, self.names)
            finally:
                late = [k for k, (_, timer) in TIMERS.items() if not signal.setitimer(timer, 0)[0]]
        except BaseException as error:  # when its time is up, the names that it has bound stay
            return {"error": in_words(error, name), "late": late}
        finally:
            # A failed cell that runs once more leaves the names that a later cell has bound.
            later = [n for n, cell in self.bound_by.items() if cell > place and n in before]
            self.names.update({name: before[name] for name in later})
            new = [n for n, v in self.names.items() if n not in before or before[n] is not v]
            self.bound_by.update(dict.fromkeys(new, place))
        return {"error": None}

    def call(self, request: dict) -> dict:
        """Put an answer to work on every case: what bears its name, or else was checked last; or,
        where these are two, the other one."""
        named, checked = self.names.get(request["answer"]), self.checked.get(request["question"])
        answers = [named, checked] if checked is not named else [named]
        answers = [answer for answer in answers if callable(answer)]
        if len(answers) <= request["other"]:
            return {"cases": []}
        answer = answers[request["other"]]
        drive = getattr(sys.modules[DRIVERS], request["drive"])
        ask = [self._asker(request["nonce"])] if request["asks"] else []
        return {"cases": [_case(drive, answer, [*ask, *inputs]) for inputs in request["cases"]]}

    def _asker(self, nonce: str) -> Callable[[Any], Any]:
        """The function by which a search makes queries: the grader replies to them."""

        def ask(value: Any) -> Any:
            self.write(nonce, {"ask": value})
            reply = json.loads(self.requests.readline())
            if "refused" in reply:
                raise RuntimeError(reply["refused"])
            return reply["value"]

        return ask


def _case(drive: Callable, answer: Any, inputs: list) -> dict:
    """What one call gave, checked for being plain and short."""
    try:
        value = drive(answer, *inputs)
        size = len(json.dumps(value))
    except BaseException as error:
        return {"error": in_words(error)}
    return {"value": value} if size <= MOST_VALUE else {"error": "the result is too long"}


def in_words(error: BaseException, cell: str = "") -> str:
    """Type, line and message of what a hand-in raised."""
    try:
        if isinstance(error, SyntaxError):
            return f"{type(error).__name__} in line {error.lineno}: {error.msg}"[:MOST_CHARACTERS]
        frames = traceback.walk_tb(error.__traceback__)
        names = [(frame.f_code.co_filename, line) for frame, line in frames]
        lines = [line for name, line in names if name.startswith(cell or "<cell")]
        where = f" in line {lines[-1]}" if lines else ""
        return f"{type(error).__name__}{where}: {error}"[:MOST_CHARACTERS]
    except BaseException:
        return "an error that cannot be shown"


class _Absence(types.ModuleType):
    """A part of nas_lab that is not here. A cell of pictures may import it; using it fails."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absence(f"{self.__name__}.{name}")

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{self.__name__} is not there while a homework is graded")

    __call__ = __iter__ = __getitem__ = __len__ = __bool__ = _fail


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of nas_lab that is not here."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("nas_lab.") or name.startswith(DRIVERS):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Absence(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def execute(source: str, name: str, names: dict[str, Any]) -> None:
    """Run a cell as Jupyter does: with magics, and with ``await`` at its top. What stands below a
    statement that fails runs too, for its names; then the first error is raised."""
    try:
        tree = ast.parse(source, name)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        tree = ast.parse(TransformerManager().transform_cell(source), name)
    whole = _compiled(tree, name)
    if whole.co_flags & inspect.CO_COROUTINE:
        import asyncio

        asyncio.run(eval(whole, names))
        return
    errors: list[Exception] = []
    flags = whole.co_flags & annotations.compiler_flag
    for statement in tree.body:
        try:
            exec(_compiled(ast.Module([statement], []), name, flags=flags), names)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _compiled(source: Any, name: str, mode: str = "exec", flags: int = 0) -> types.CodeType:
    return compile(source, name, mode, flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


class _Shell:
    """IPython's shell, for cells with magics: code is run and files are written, nothing else."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def run_cell_magic(self, magic: str, line: str, body: str) -> None:
        if magic in ("time", "capture", "prun"):
            execute(body, "<cell magic>", self.names)
        elif magic == "writefile":
            *options, path = line.split()
            with open(path, "a" if {"-a", "--append"} & {*options} else "w") as file:
                file.write(body)

    def run_line_magic(self, magic: str, line: str, *_: Any) -> Any:
        if magic == "run":
            with open(next(word for word in line.split() if word[0] != "-")) as file:
                return execute(file.read(), "<cell magic>", self.names)
        if magic not in ("time", "prun"):
            return None
        try:
            code = _compiled(line, "<cell magic>", "eval")
        except SyntaxError:
            return execute(line, "<cell magic>", self.names)
        return eval(code, self.names)

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        return []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _nothing


def _nothing(*_: Any, **__: Any) -> None:
    return None


def limit(limits: dict[str, int]) -> None:
    """Give up the rights of root, then bound what this process and its children may use."""
    if limits["uid"]:
        os.setgroups([])
        os.setresgid(*[limits["uid"]] * 3)
        os.setresuid(*[limits["uid"]] * 3)
    import resource

    bounds = {"CPU": int(limits["whole_seconds"]) + 5, "DATA": limits["memory"], "CORE": 0}
    bounds |= {"FSIZE": limits["file_bytes"], "NPROC": limits["processes"], "NOFILE": 256}
    for name, value in bounds.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (least, least))
        except (ValueError, OSError):
            if name != "DATA":  # macOS knows it and refuses
                raise


def main() -> None:
    """Keep the pipes for the runner, and give the hand-in silence in their place."""
    requests, replies = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    limit(json.loads(sys.argv[1]))
    sys.argv = [""]
    sys.path.insert(0, "")
    builtins.__dict__.update(exit=sys.exit, quit=sys.exit)
    Runner(requests, replies).serve()


if __name__ == "__main__":
    main()
