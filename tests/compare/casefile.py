# SPDX-License-Identifier: Apache-2.0
"""Reads the case files of compare-haproxy; README.md beside this file describes their form."""

import re

ASPECTS = ("server", "client", "end", "conns", "log", "stat", "cli", "check")


class CaseError(Exception):
    pass


class Differs:
    """An intended difference: why, and the exact lines (none: whatever they are)."""

    def __init__(self, aspect, reason):
        self.aspect = aspect
        self.reason = reason
        self.lines = []


class Answer:
    """What an origin does with one request: steps such as ("send", bytes) or ("wait", 0.2)."""

    def __init__(self, server=None, path=None):
        self.server = server
        self.path = path
        self.steps = []
        self.used = False

    def reads_body_itself(self):
        return any(s[0] in ("early", "body") for s in self.steps)


class Test:
    def __init__(self, name, line):
        self.name = name
        self.line = line
        self.steps = []
        self.answers = []
        self.repeat = 1
        self.limit = 1.5
        self.skip = {}
        self.differs = []
        self.refuses = None  # (status, reason): lb answers so what haproxy lets pass
        self.lines = []  # of a check: the configuration


class Case:
    def __init__(self, name):
        self.name = name
        self.title = ""
        self.config = []
        self.frame = True
        self.quick = False
        self.origins = {}
        self.files = {}
        self.masks = []
        self.tests = []
        self.checks = []
        self.skip = {}


def unescape(text):
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def bytes_of(word, rest):
    """The bytes of a '>' or '<' line: a line, '>>' text with escapes, '>*' COUNT CHAR."""
    if len(word) == 1:
        return rest.encode("utf-8") + b"\r\n"
    if word[1] == "*":
        count, what = rest.split(" ", 1)
        return unescape(what) * int(count)
    return unescape(rest)


def blocks(text):
    """Yields (line number, head, body lines): a head begins in the first column."""
    head, start, body = None, 0, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        if line and not line[0].isspace():
            if head is not None:
                yield start, head, body
            head, start, body = line.strip(), number, []
        elif head is not None and (line.strip() or body):
            body.append(line[1:] if line.startswith("\t") else line)
    if head is not None:
        yield start, head, body


class TestReader:
    """Turns the lines of one test into steps and answers."""

    def __init__(self, test):
        self.test = test
        self.answer = None  # the answer being described
        self.sent = False   # '>' lines since the last receive
        self.differs = None

    def line(self, line):
        if not line.strip():
            return
        if self.differs is not None and line[:1] in "-+":
            self.differs.lines.append(line)
            return
        self.differs = None
        word, _, rest = line.partition(" ")
        if word in (">", ">>", ">*"):
            self.client_bytes(bytes_of(word, rest))
        elif word in ("<", "<<", "<*"):
            self.answer_step("send", bytes_of(word, rest))
        else:
            getattr(self, "do_" + word, self.unknown)(rest.strip(), line)

    def unknown(self, _, line):
        raise CaseError(f"'{line}' is not known in test '{self.test.name}'")

    def client_bytes(self, data):
        if self.answer is not None:
            if self.sent:
                self.test.steps.append(("recv", 1))
            self.answer = None
        steps = self.test.steps
        if steps and steps[-1][0] == "send":
            steps[-1] = ("send", steps[-1][1] + data)
        else:
            steps.append(("send", data))
        self.sent = True

    def answer_step(self, *step):
        if self.answer is None:
            self.answer = Answer()
            self.test.answers.append(self.answer)
        steps = self.answer.steps
        if step[0] == "send" and steps and steps[-1][0] == "send":
            steps[-1] = ("send", steps[-1][1] + step[1])
        else:
            steps.append(step)

    def do_answer(self, rest, _):
        server = path = None
        for word in rest.split():
            if word.startswith("/"):
                path = word
            else:
                server = word
        self.answer = Answer(server, path)
        self.test.answers.append(self.answer)

    def do_do(self, rest, _):
        word, _, arg = rest.partition(" ")
        self.answer_step(word, float(arg) if word == "wait" else arg)

    def do_recv(self, rest, _):
        words = rest.split()
        if not words:
            step = ("recv", 1)
        elif words[0].isdigit():
            step = ("recv", int(words[0]))
        else:
            step = ("recv_" + words[0], int(words[1]) if len(words) > 1 else 0)
        self.test.steps.append(step)
        self.sent = False
        self.answer = None

    def do_client(self, rest, _):
        words = rest.split()
        source = words[words.index("from") + 1] if "from" in words else None
        target = next((w for w in words[1:] if w.startswith("<")), None)
        self.test.steps.append(("client", words[0], target, source))
        self.sent = False
        self.answer = None

    def do_wait(self, rest, _):
        self.test.steps.append(("wait", float(rest)))

    def do_open(self, _, __):
        self.test.steps.append(("open",))

    def do_half(self, _, __):
        self.test.steps.append(("half",))

    def do_close(self, _, __):
        self.test.steps.append(("close",))
        self.sent = False

    def do_reset(self, _, __):
        self.test.steps.append(("reset",))
        self.sent = False

    def do_cli(self, rest, _):
        self.test.steps.append(("cli", rest))

    def do_signal(self, rest, _):
        self.test.steps.append(("signal", rest))

    def do_origin(self, rest, _):
        self.test.steps.append(("origin",) + tuple(rest.split()))

    def do_repeat(self, rest, _):
        self.test.repeat = int(rest)

    def do_limit(self, rest, _):
        self.test.limit = float(rest)

    def do_skip(self, rest, _):
        aspect, _, reason = rest.partition(":")
        check_aspect(aspect)
        self.test.skip[aspect] = reason.strip()

    def do_refuses(self, rest, _):
        status, _, reason = rest.partition(":")
        self.test.refuses = (status, reason.strip())

    def do_differs(self, rest, _):
        aspect, _, reason = rest.partition(":")
        check_aspect(aspect)
        self.differs = Differs(aspect, reason.strip())
        self.test.differs.append(self.differs)

    def end(self):
        if self.sent:
            self.test.steps.append(("recv", 1))


def check_aspect(aspect):
    if aspect not in ASPECTS:
        raise CaseError(f"'{aspect}' is no aspect; they are {', '.join(ASPECTS)}")


def read_test(head, number, body):
    test = Test(head, number)
    reader = TestReader(test)
    for line in body:
        reader.line(line)
    reader.end()
    return test


def read_check(head, number, body):
    """A configuration to judge with -c; 'differs' lines may follow it."""
    test = Test(head, number)
    differs = None
    for line in body:
        if line.startswith("differs "):
            aspect, _, reason = line[8:].partition(":")
            check_aspect(aspect)
            differs = Differs(aspect, reason.strip())
            test.differs.append(differs)
        elif differs is not None:
            if line.strip():
                differs.lines.append(line)
        else:
            test.lines.append(line)
    return test


def read_mask(rest):
    aspect, _, pattern = rest.partition(" ")
    check_aspect(aspect)
    parts = pattern[1:].split(pattern[0])
    return aspect, re.compile(parts[0]), parts[1]


def read_case(path, name):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    case = Case(name)
    first = text.split("\n", 1)[0]
    case.title = first[1:].strip() if first.startswith("#") else name
    for number, head, body in blocks(text):
        word, _, rest = head.partition(" ")
        rest = rest.strip()
        if word == "config":
            case.config += body
        elif word == "test":
            case.tests.append(read_test(rest, number, body))
        elif word == "check":
            case.checks.append(read_check(rest, number, body))
        elif word == "origin":
            server, _, mode = rest.partition(" ")
            case.origins[server] = mode or "http"
        elif word == "file":
            case.files[rest] = file_text(body)
        elif word == "mask":
            case.masks.append(read_mask(rest))
        elif word == "frame":
            case.frame = rest != "none"
        elif word == "quick":
            case.quick = True
        elif word == "skip":
            aspect, _, reason = rest.partition(":")
            check_aspect(aspect)
            case.skip[aspect] = reason.strip()
        else:
            raise CaseError(f"{path}:{number}: '{word}' is not known here")
    return case


def file_text(body):
    while body and not body[-1].strip():
        body.pop()
    return "".join(line + "\n" for line in body)
