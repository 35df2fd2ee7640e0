"""For instructors: ``python -m nas_lab.homework release | grade | similarity``."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading.hand_ins import Template
from nas_lab.homework.homeworks import HOMEWORKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError, ImportError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nas_lab.homework", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    release = commands.add_parser("release", help="make the students' notebook out of its master")
    grade = commands.add_parser("grade", help="grade a folder of hand-ins with hidden cases")
    similar = commands.add_parser("similarity", help="groups that share more than the template")
    for command, run in ((release, _release), (grade, _grade), (similar, _similarity)):
        command.add_argument("homework", choices=sorted(HOMEWORKS))
        command.set_defaults(run=run)
    for command in (grade, similar):
        command.add_argument("submissions", type=Path)
        command.add_argument("--csv", type=Path, required=True)
        command.add_argument("--template", type=Path, help="the released notebook")
    release.add_argument("--out", type=Path, help="folder (default: notebooks/homework)")
    release.add_argument("--check", action="store_true", help="only say whether it has drifted")
    grade.add_argument("--secret-file", type=Path, required=True)
    grade.add_argument("--feedback", type=Path, required=True, help="folder for the pages")
    grade.add_argument("--jobs", type=int, help="at once (default: one for each core)")
    grade.add_argument("--cell-timeout", type=_positive, default=20, help="seconds for a cell")
    grade.add_argument("--wall", type=_positive, default=120, help="seconds for a hand-in")
    grade.add_argument("--memory", type=_bytes, default=2 << 30, help="of a hand-in, such as 2G")
    grade.add_argument("--due", type=_time, help="later ones get a note, such as 2026-11-30T23:59")
    grade.add_argument("--roster", type=Path, help="table with id, and name, email or login")
    grade.add_argument("--written", type=Path, help="table with student and points given by hand")
    boxes = ["auto", "bubblewrap", "docker", "podman", "plain"]
    grade.add_argument("--box", default="auto", choices=boxes)
    grade.add_argument("--image", default="", help="of a container that has Python")
    similar.add_argument("--least", type=float, default=0.5, help="share of the shorter one")
    return parser


def _release(options: argparse.Namespace) -> int:
    from nas_lab.homework import notebooks

    if options.check:
        drifted = notebooks.drifted(options.homework)
        words = "has drifted from its master: release it" if drifted else "is as its master"
        print(f"{notebooks.released(options.homework).name} {words}")
        return int(drifted)
    print(notebooks.release(options.homework, options.out))
    return 0


def _grade(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from nas_lab.homework.grading import batch, boxes, grade, owners, report
    from nas_lab.runtime import cpu_count

    secret = grade.read_secret(options.secret_file)
    _keep_apart(options)
    homework = HOMEWORKS[options.homework]
    marks = owners.read_marks(options.written, homework.written) if options.written else {}
    roster = owners.read_roster(options.roster) if options.roster else None
    found, notes = owners.find(options.submissions, options.homework, roster)
    by_hand, others = owners.sorted_out(marks, found, roster)
    notes += others
    print("".join(f"{note}\n" for note in notes), end="")
    whole = batch.Batch(
        grade.Exam.draw(homework, secret),
        _template(options),
        boxes.choose(options.box, options.image),
        boxes.Limits(options.cell_timeout, options.wall, options.memory),
        options.feedback,
        options.due,
    )
    grades: list = []
    try:
        run = whole.run(found, options.jobs or cpu_count())
        for graded in tqdm(run, total=len(found), unit="hand-in"):
            grades.append(graded)
    finally:
        partial = options.csv.with_suffix(f".partial{options.csv.suffix}")
        table = options.csv if len(grades) == len(found) else partial
        partial.unlink(missing_ok=True)
        written = report.write_grades(table, grades, by_hand, homework.written)
        if report.ranked(grades):
            written += report.write_leaderboard(table, grades)
        words = f"{len(grades)} graded in a {whole.box.name} box:"
        print(*notes, " ".join(map(str, [words, *written])), sep="\n")
    return 0


def _keep_apart(options: argparse.Namespace) -> None:
    """Refuse to keep secret, grades and hand-ins where hand-ins are or where a box looks."""
    from nas_lab.homework.grading import boxes

    inside = options.submissions.resolve()
    for path in (options.secret_file, options.csv, options.feedback, options.submissions):
        if boxes.shown(path):
            raise ValueError(f"{path} is in a folder of the system, which hand-ins can read")
    for path in (options.secret_file, options.csv, options.feedback):
        if path.resolve().is_relative_to(inside):
            raise ValueError(f"keep {path} out of the folder of the hand-ins")


def _similarity(options: argparse.Namespace) -> int:
    from nas_lab.homework.grading import hand_ins, owners, report

    template, code = _template(options), {}
    for student, files in owners.find(options.submissions, options.homework)[0].items():
        try:
            cells = hand_ins.cells(hand_ins.content(files[-1].path))
        except hand_ins.Unreadable as error:
            print(f"{student}: {error}", file=sys.stderr)
            continue
        code[student] = template.own(cells)
    groups = hand_ins.similar(code, sorted(template.given), options.least)
    rows = [[group, student, f"{share:.2f}"] for group, student, share in groups]
    report.write_table(options.csv, ["group", "student", "share"], rows)
    print(f"{len(groups)} of {len(code)} hand-ins share much with another: {options.csv}")
    return 0


def _template(options: argparse.Namespace) -> Template:
    from nas_lab.homework import notebooks

    return Template.load(options.template or notebooks.released(options.homework))


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)B?", text.upper())
    if not found:
        raise argparse.ArgumentTypeError("must be a size such as 512M or 2G")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


if __name__ == "__main__":
    sys.exit(main())
