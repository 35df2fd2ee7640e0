"""For instructors: ``python -m nas_lab.homework release | grade | similarity``."""

import argparse
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from nas_lab.homework import hand_ins, notebooks
from nas_lab.homework.homeworks import HOMEWORKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        with hand_ins.unpacked(options.submissions) as options.submissions:
            return options.run(options)
    except (OSError, ValueError, ImportError, BadZipFile) as error:
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
        command.add_argument("submissions", type=Path, help="folder or zip file of the hand-ins")
        command.add_argument("--csv", type=Path, required=True, help="table to write")
    release.set_defaults(submissions=Path())
    release.add_argument("--check", action="store_true", help="only say whether it has drifted")
    grade.add_argument("--secret-file", type=Path, required=True)
    grade.add_argument("--feedback", type=Path, required=True, help="folder for the pages")
    who = grade.add_argument_group("who and when")
    who.add_argument("--roster", type=Path, help="table with id, and name, email, login or due")
    who.add_argument("--anonymous", action="store_true", help="show codes in place of names")
    who.add_argument("--due", type=_time, help="such as 2026-11-30T23:59; later ones get a note")
    who.add_argument("--on-time", action="store_true", help="grade the last file that is not late")
    who.add_argument("--late-penalty", type=_positive, default=0, help="percent off, for each day")
    points = grade.add_argument_group("points")
    points.add_argument("--partial", action="store_true", help="39 of 40 cases earn 39/40")
    points.add_argument("--answers", type=Path, help="write the written answers into this table")
    points.add_argument("--written", type=Path, help="table with student and points given by hand")
    formats = ["plain", "moodle", "canvas"]
    points.add_argument("--format", default="plain", choices=formats, help="of the totals")
    points.add_argument("--student", action="append", default=[], help="grade only this one again")
    points.add_argument("--question", action="append", default=[], help="the same, such as hw1.q3")
    box = grade.add_argument_group("box")
    box.add_argument("--jobs", type=int, help="at once (default: one for each core)")
    box.add_argument("--cell-timeout", type=_positive, default=20, help="CPU seconds for a cell")
    box.add_argument("--wall", type=_positive, default=120, help="CPU seconds for a hand-in")
    box.add_argument("--memory", type=_bytes, default=2 << 30, help="of a hand-in, such as 2G")
    boxes = ["auto", "bubblewrap", "docker", "podman", "plain"]
    box.add_argument("--box", default="auto", choices=boxes)
    box.add_argument("--image", default="", help="of a container that has Python")
    return parser


def _release(options: argparse.Namespace) -> int:
    if options.check:
        drifted = notebooks.drifted(options.homework)
        words = "has drifted from its master: release it" if drifted else "is as its master"
        print(f"{notebooks.released(options.homework).name} {words}")
        return int(drifted)
    print(notebooks.release(options.homework))
    return 0


def _grade(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from nas_lab.homework.grading import batch, boxes, grade, owners, tables
    from nas_lab.runtime import cpu_count

    secret, homework = grade.read_secret(options.secret_file), HOMEWORKS[options.homework]
    _check(options)
    marks = tables.read_marks(options.written, homework.written) if options.written else {}
    roster = tables.read_roster(options.roster) if options.roster else None
    found, notes = owners.find(options.submissions, options.homework, roster)
    codes = {student: grade.code(secret, student) for student in found}
    by_hand, others = owners.sorted_out(marks, codes, roster)
    notes += others
    print("".join(f"{note}\n" for note in notes), end="")
    _among("--student", options.student, found)
    known = owners.known(found, roster)
    due = {s: time for s in found if (time := known[s].due or options.due)}
    counting = (options.late_penalty, options.on_time, options.partial)
    whole = batch.Batch(
        grade.Exam.draw(homework, secret),
        hand_ins.Template.load(notebooks.released(options.homework)),
        boxes.choose(options.box, options.image),
        boxes.Limits(options.cell_timeout, options.wall, options.memory),
        options.feedback,
        batch.Rules(due, *counting, options.student, options.question),
        codes if options.anonymous else {},
    )
    if options.anonymous:
        by_hand = {codes[student]: points for student, points in by_hand.items()}
        tables.write(options.csv.with_suffix(".names.csv"), ["student", "code"], [*codes.items()])
    grades: list = []
    try:
        run = whole.run(found, options.jobs or cpu_count())
        for graded in tqdm(run, total=len(found), unit="hand-in"):
            grades.append(graded)
    finally:
        results = tables.Results(homework, sorted(grades, key=lambda g: g.student), by_hand)
        lines, paths = _write(options, results, known, complete=len(grades) == len(found))
        words = f"{len(grades)} graded in a {whole.box.name} box:"
        print(*notes, *lines, *whole.box.weak, " ".join(map(str, [words, *paths])), sep="\n")
    return 0


def _write(
    options: argparse.Namespace, results: Any, known: Mapping[str, Any], complete: bool
) -> tuple[list[str], list[Path]]:
    """Write all tables; return what is said of the questions, and where the tables are."""
    from nas_lab.homework.grading import report

    partial = options.csv.with_suffix(f".partial{options.csv.suffix}")
    table = options.csv if complete else partial
    partial.unlink(missing_ok=True)
    paths = [table, *(table.with_suffix(f".{n}{table.suffix}") for n in ("totals", "questions"))]
    results.write_grades(paths[0])
    results.write_totals(paths[1], options.format, known)
    lines = results.write_questions(paths[2])
    if options.answers and complete:
        results.write_answers(options.answers)
    if report.ranked(results.grades):
        paths += report.write_leaderboard(table, results.grades)
    return lines, paths


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together, and to keep secret, grades and hand-ins where
    hand-ins are or where a box looks."""
    from nas_lab.homework.grading import boxes

    kept = [options.secret_file, options.csv, options.feedback, *filter(None, [options.answers])]
    for path in (*kept, options.submissions):
        if boxes.shown(path):
            raise ValueError(f"{path} is in a folder of the system, which hand-ins can read")
    for path in kept:
        if path.resolve().is_relative_to(options.submissions.resolve()):
            raise ValueError(f"keep {path} out of the folder of the hand-ins")
    _among("--question", options.question, [q.name for q in HOMEWORKS[options.homework].questions])
    if options.anonymous and options.format != "plain":
        raise ValueError("a platform needs names: leave out --anonymous or --format")
    if (options.late_penalty or options.on_time) and not (options.due or options.roster):
        raise ValueError("--late-penalty and --on-time need --due, or a roster with the column due")
    if options.answers and options.answers.exists():
        raise ValueError(f"{options.answers} is there already, and may hold points: name another")


def _among(option: str, names: Sequence[str], known: Collection[str]) -> None:
    if strangers := set(names) - set(known):
        raise ValueError(f"{option} {', '.join(strangers)} is not among {', '.join(known)}")


def _similarity(options: argparse.Namespace) -> int:
    from nas_lab.homework.grading import owners, similarity, tables

    template, code = hand_ins.Template.load(notebooks.released(options.homework)), {}
    for student, files in owners.find(options.submissions, options.homework)[0].items():
        try:
            code[student] = template.own(hand_ins.cells(hand_ins.content(files[-1].path)))
        except hand_ins.Unreadable as error:
            print(f"{student}: {error}", file=sys.stderr)
    words = f"only the first {similarity.MOST_TOKENS:,} tokens are compared: look at it yourself"
    for student in filter(lambda student: similarity.is_cut(code[student]), code):
        print(f"{student}: {words}", file=sys.stderr)
    groups = similarity.similar(code, sorted(template.given))
    rows = [[group, student, f"{share:.2f}"] for group, student, share in groups]
    tables.write(options.csv, ["group", "student", "share"], rows)
    print(f"{len(groups)} of {len(code)} hand-ins share much with another: {options.csv}")
    return 0


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
    from nas_lab.homework.grading import tables

    return tables.due_time(text)


if __name__ == "__main__":
    sys.exit(main())
