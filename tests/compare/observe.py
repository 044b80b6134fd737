# SPDX-License-Identifier: Apache-2.0
"""What is seen of a program: its statistics, its log lines, and the masks over what cannot be equal."""

import csv
import io
import re
import socket

# Columns that tell of time or of pooled connections that come and go with it.
TIMED = {
    "pid", "lastchg", "downtime", "lastsess", "rate", "rate_max", "req_rate", "req_rate_max", "conn_rate",
    "conn_rate_max", "qtime", "ctime", "rtime", "ttime", "qtime_max", "ctime_max", "rtime_max", "ttime_max",
    "check_duration", "agent_duration", "used_conn_cur", "need_conn_est", "check_status", "last_chk",
    "agg_server_check_status", "agg_check_status",
}
BYTES = {"bin", "bout"}
OF_MODULES = re.compile(r"(ssl|h1|h2)_")  # not at a stable place, and not in lb

MASKS = (
    (re.compile(r"\b(haproxy|lb)\[\d+\]"), "tag[pid]"),
    (re.compile(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4})?\]"), "[date]"),
    (re.compile(r"^(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d "), r"\1date "),
    (re.compile(r"^(<\d+>1 )\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d "), r"\1date "),
)
HTTP_TIMERS = re.compile(r"(?<= )(-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)/(\+?)(\d+) (-?\d+) (\+?)\d+(?= )")
TCP_TIMERS = re.compile(r"(?<= )(-?\d+)/(-?\d+)/(\+?)(\d+)(?= \+?\d+ \S\S )")


def mask_timer(text):
    return "-1" if text == "-1" else "T"


def mask_http(match):
    """Timers of an HTTP line, and its bytes: each program counts HTTP in its own way (README)."""
    timers = "/".join(mask_timer(t) for t in match.groups()[:4])
    return f"{timers}/{match[5]}T {match[7]} {match[8]}B"


def mask_log(line):
    for pattern, text in MASKS:
        line = pattern.sub(text, line)
    line = HTTP_TIMERS.sub(mask_http, line)
    return TCP_TIMERS.sub(lambda m: "/".join(mask_timer(t) for t in m.groups()[:2]) + f"/{m[3]}T", line)


EARLY_PAGE = {"content-length", "cache-control", "content-type", "connection"}


def even_early_pages(lines):
    """
    Fields of error pages in one form: before a whole request haproxy sends them as its pages have them, lb in
    lower case and in its own order (README, 'Rules').
    """
    out, pos = [], 0
    while pos < len(lines):
        block = lines[pos:pos + 4]
        names = {line.split("| ", 1)[-1].split(":")[0].lower() for line in block}
        if len(block) == 4 and names == EARLY_PAGE:
            out += sorted(line.lower() for line in block)
            pos += 4
        else:
            out.append(lines[pos])
            pos += 1
    return out


class Masks:
    """The masks of one case, and the client ports of the test under way."""

    def __init__(self, case):
        self.by_aspect = {}
        for aspect, pattern, text in case.masks:
            self.by_aspect.setdefault(aspect, []).append((pattern, text))
        self.ports = set()

    def apply(self, aspect, lines):
        out = []
        if aspect == "client":
            lines = even_early_pages(lines)
        for line in lines:
            if aspect == "log":
                line = mask_log(line)
            if aspect in ("log", "server", "client", "cli"):
                line = re.sub(r"(?<!\d)\d{5}(?!\d)", self.mask_port, line)
            for pattern, text in self.by_aspect.get(aspect, ()):
                line = pattern.sub(text, line)
            out.append(line)
        return out

    def mask_port(self, match):
        return "PORT" if int(match.group(0)) in self.ports else match.group(0)


class LogSocket:
    def __init__(self, host, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind((host, port))
        self.sock.setblocking(False)
        self.lines = []

    def drain(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            self.lines.append(data.rstrip(b"\n").decode("utf-8", "backslashreplace"))

    def begin(self):
        self.drain()
        self.lines = []

    def close(self):
        self.sock.close()


def read_stat(text):
    """CSV of 'show stat' as {(pxname, svname): {column: value}} of the columns that can be compared."""
    rows = {}
    for row in csv.DictReader(io.StringIO(text.lstrip("# "))):
        key = (row.get("pxname"), row.get("svname"))
        rows[key] = {k: v for k, v in row.items() if k and k not in TIMED and not OF_MODULES.match(k)}
    return rows


def show_rows(rows, only):
    """The table before any traffic: one line per row, columns in order, empty ones left out."""
    out = []
    for (px, sv), row in rows.items():
        cells = [f"{k}={v}" for k, v in row.items() if v not in ("", None) and k in only and k != "pxname"]
        out.append(f"{px}/{sv}: " + " ".join(cells))
    return out


def is_incomparable(row, column):
    """Bytes of HTTP are counted differently, and a server's requests (README, 'Rules')."""
    return (column in BYTES and row.get("mode") == "http") or (column == "req_tot" and row.get("type") == "2")


def stat_delta(before, after, only):
    """What moved: counters as +N, the rest as old->new."""
    out = []
    for key, row in after.items():
        old = before.get(key, {})
        for column, value in row.items():
            if column not in only or value == old.get(column) or is_incomparable(row, column):
                continue
            out.append(f"{key[0]}/{key[1]} {column} {moved(old.get(column), value)}")
    return sorted(out)


def bytes_out(before, after):
    """What the HTTP frontends say they have sent to clients."""
    return sum(int(row["bout"]) - int(before.get(key, {}).get("bout") or 0)
               for key, row in after.items() if row.get("type") == "0" and row.get("mode") == "http")


def moved(old, new):
    try:
        return f"{int(new) - int(old or 0):+d}"
    except ValueError:
        return f"{old or '-'}->{new or '-'}"
