# SPDX-License-Identifier: Apache-2.0
"""Says whether two records of a test are equal, differ as the case says they do, or differ."""

import difflib


def diff_lines(a, b):
    return [line for line in difflib.ndiff(a, b) if line[:2] in ("- ", "+ ")]


def is_refused(status, record):
    """The answer has that status and the log line says so."""
    answers = [line for line in record["client"] if "| HTTP/1" in line]
    return bool(answers) and f" {status} " in answers[-1] + " " and \
        any(f" {status} " in line for line in record["log"])


class Verdict:
    """Of one test: failed is a list of (aspect, lines), intended a list of marks that apply."""

    def __init__(self, test, skipped, theirs, ours):
        self.failed = []
        self.intended = []
        if test is not None and test.refuses:
            self.judge_refusal(test.refuses, theirs, ours)
            return
        marks = {d.aspect: d for d in test.differs} if test is not None else {}
        for aspect in theirs:
            if aspect not in skipped:
                self.judge_aspect(aspect, marks.get(aspect), diff_lines(theirs[aspect], ours[aspect]))

    def judge_refusal(self, refuses, theirs, ours):
        status, reason = refuses
        if not is_refused(status, ours):
            self.failed.append(("refuses", [f"lb does not answer {status}"] + ours["client"] + ours["log"]))
        elif is_refused(status, theirs):
            self.failed.append(("refuses", [f"haproxy answers {status} too"]))
        else:
            self.intended.append((f"lb answers {status}", reason))

    def judge_aspect(self, aspect, mark, lines):
        if mark is None:
            if lines:
                self.failed.append((aspect, lines))
        elif not lines:
            self.failed.append((aspect, ["no longer differs"]))
        elif mark.lines and mark.lines != lines:
            self.failed.append((aspect, lines))
        else:
            self.intended.append((aspect, mark.reason))
