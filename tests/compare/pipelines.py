#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random pipelines of converters through haproxy and lb; what differs is a failure.

usage: tests/compare/pipelines.py [-n PIPELINES] [-s SEED] [--lb PROGRAM] [--haproxy PROGRAM] [-e EXPRESSION] [-v]

A pipeline is a constant and up to five converters with random arguments, edges among them: nothing, binary bytes, the
largest numbers. Both programs judge every one with -c; those that both take run, and the value is compared five times: as
bytes, as text, as an integer, as a truth and as an address, which walks the whole matrix of casts. What is meant to differ
stands in MEANT with its reason. The seed is printed: the same seed gives the same pipelines.
-e compares one expression and prints what both made of it; -v shows what is meant to differ too. Status 1: something differs
that nobody meant; 77: haproxy is not installed.
"""
import argparse
import http.client
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PER_RUN = 400
SHOW_MEANT = False
VIEWS = ("hex", "url_enc", "add(0)", "bool", "ipmask(32,128)", "length")

TRUTH = (r"(\b(not|odd|even|bool|always_true|always_false)|\b(bool|secure_memcmp)\([^()]*\)|txn\.t\))(,(un)?set-var\([^()]*\))*,"
         r"(add|sub|mul|div|mod|and|or|xor|neg|cpl)\b")
BEHIND_VAR = (r"set-var\([^()]*\),(add|sub|mul|div|mod|and|or|xor|neg|cpl|not|odd|even|bool|iif|ipmask|[lu]time|(ms|us)_\w+|"
              r"htonl|http_date)\b")

# (what the pipeline looks like, why it differs)
MEANT = [
    (r"(field|word)\([^()]*,-\d+\)", "a negative count means nothing and is refused"),
    (r"be2hex\([^()]*,-\d+", "a negative size of chunks means nothing and is refused"),
    (BEHIND_VAR, "lb knows the type behind set-var and refuses what can never work"),
    (TRUTH, "haproxy goes on to call the number a truth"),
    (r"\b(add|sub)\(", "haproxy 2.6 takes many sums of negative numbers for an overflow"),
    (r"bytes\([^()]*,-\d+\)", "as many bytes as a negative number are none; haproxy 2.6 takes all"),
    (r"http_date\([^()]*,(ms|us)\)", "haproxy 2.6 writes 3 milliseconds as .3, lb as .003"),
    (r"http_date", "a year that does not fit four digits has no date"),
    (r"[lu]time\(", "haproxy 2.6 takes 55 bits of a number for a date, so none is before 1970"),
    (r"port_only|host_only", "what is no number is no port"),
    (r'regsub\("\$",[^()]*,i?g', "haproxy replaces the end of a text twice"),
    (r"(=|base64).*ub64dec", "haproxy 2.6 makes bytes of padding"),
    (r"meth\(FOO\)", "haproxy forgets the name of a method that it does not know"),
    (r"efbfbf.*json\(utf8", "U+FFFF is a code point as the others"),
]

TEXTS = ["", "a", "abc", "Hello World", "-12", "+7", " 5", "99999999999999999999", "-9223372036854775808", "12abc",
         "1.2.3.4", "::1", "2001:db8::ff", "::ffff:10.1.2.3", "2002:0a01:0203::", "1.2.3", "f1_f2_f3__f5", "__a__b_",
         "/p/q//r?x=1&y=2&x=3", "a=1&b=2&c&d=", "www.Example.COM:8080", "[::1]:80", "[::1]", "host:", ":80", "a.b.c.",
         ".x.y", "YWJj", "YWJjZA==", "YWJjZA", "_-8", "=", "====", "ff", "0x1F", "FFFFFFFFFFFFFFFFF", "%41%zz", "%4", "%20+?+a",
         "a+b%2Bc", "en-us;q=0.5, fr;q=0.8,de;q=0", "GET", "POST", "get", "line1\\r\\nline2", "true", "1", "0",
         "a,b;c d", "x'y", "\\\\back", "~tilde-._", "UPPER lower 123", "aXbXc", "2", "1700000000", "1700000000123456"]
INTS = [0, 1, 2, -1, 5, 7, 8, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -2**63, 1700000000,
        1700000000123, 1700000000123456, -86400, -1700000001]
BINS = ["", "00", "ff", "610062", "c3a9", "c328", "f09f9880", "c080", "eda080", "0a0d", "7f000001", "0102030405060708",
        "010203040506070809", "2022275c2f3f25", "efbfbf", "000000000000000001", "61206220", "80ff00fe"]
ADDRS = ["1.2.3.4", "0.0.0.0", "255.255.255.255", "10.0.0.1"]
ADDRS6 = ["::", "::1", "2001:db8::ff", "::ffff:1.2.3.4", "2002:102:304::1", "::1.2.3.4", "fe80::1"]
DELIMS = ["_", "/", ",", ".", "&", " ", ":", "_/.", "x", "?"]
FORMATS = ["%Y-%m-%d", "%H:%M:%S", "%s", "%a %b %d", "%%", "%j", "x", "%Y", "%Z%z"]


def number(r):
    return str(r.choice(INTS) if r.random() < 0.7 else r.randint(-20, 20))


def small(r):
    return str(r.randint(-4, 6))


def quoted(text):
    return '"' + text.replace('"', '\\"') + '"'


def some_text(r):
    """Random, of the characters that mean something to one converter or another."""
    return "".join(r.choice("aAbX01279_/.:;,&=%+-?[] ~<>@é") for _ in range(r.randrange(1, 24)))


def source(r):
    kind = r.randrange(-2, 8)
    if kind < 0:
        return f"str({quoted(some_text(r))})"
    if kind < 3:
        return f"str({quoted(r.choice(TEXTS))})"
    if kind == 3:
        return f"int({number(r)})"
    if kind == 4:
        return f"bin({r.choice(BINS) or '00'})" if r.random() < 0.6 else f"bin({r.randbytes(r.randrange(1, 30)).hex()})"
    if kind == 5:
        return f"ipv4({r.choice(ADDRS)})"
    if kind == 6:
        return f"ipv6({r.choice(ADDRS6)})"
    return r.choice(["always_true", "always_false", "meth(GET)", "meth(FOO)", "meth(POST)", "bool(1)", "bool(false)",
                     "var(txn.s)", "var(txn.i)", "var(txn.b)", "var(txn.a4)", "var(txn.a6)", "var(txn.t)", "var(txn.m)",
                     "var(txn.none)"])


def operand(r):
    return r.choice([number(r), number(r), small(r), "txn.i", "txn.s", "txn.n", "txn.none", "txn.a4", "txn.t", "txn.b"])


def variable(r):
    return r.choice(["txn.s", "txn.i", "txn.b", "txn.a4", "txn.a6", "txn.t", "txn.m", "txn.n", "txn.none"])


def mask4(r):
    return r.choice([str(r.randint(0, 32)), "255.0.0.0", "255.255.255.0", "0.0.0.255", "33", "x"])


def mask6(r):
    return r.choice([str(r.randint(0, 128)), "ffff::", "::ffff", "129", ""])


def some(r, *makers):
    """A random number of the arguments, at least the first."""
    return ",".join(m(r) for m in makers[:r.randint(1, len(makers))])


def maybe(r, *makers):
    return f"({some(r, *makers)})" if r.random() < 0.7 else ""


def pick(*values):
    return lambda r: r.choice(values)


def delims(r):
    return quoted(r.choice(DELIMS))


def flag(r):
    return r.choice(["0", "1", "2", "-1"])


def text_arg(r):
    return quoted(r.choice(["", "a", "-", ", ", "<x>", "abc", "%41"]))


ARITHMETIC = ["add", "sub", "mul", "div", "mod", "and", "or", "xor"]
HASHES = ["crc32", "crc32c", "sdbm", "djb2", "wt6", "xxh32", "xxh64", "xxh3"]
PLAIN = ["bool", "not", "neg", "cpl", "odd", "even", "hex", "hex2i", "base64", "b64dec", "ub64enc", "ub64dec", "length",
         "lower", "upper", "url_dec", "url_enc", "cut_crlf", "htonl", "sha1", "sha2", "json", "host_only", "port_only",
         "be2hex", "http_date"]
WITH_ARGS = [
    lambda r: f"{r.choice(ARITHMETIC)}({operand(r)})",
    lambda r: f"{r.choice(ARITHMETIC)}({operand(r)})",
    lambda r: r.choice(HASHES) + maybe(r, flag),
    lambda r: f"bytes({r.choice([small(r), number(r)])}" + r.choice(["", f",{small(r)}", f",{number(r)}"]) + ")",
    lambda r: f"field({small(r)},{delims(r)}" + r.choice(["", "," + small(r)]) + ")",
    lambda r: f"word({small(r)},{delims(r)}" + r.choice(["", "," + small(r)]) + ")",
    lambda r: f"ltrim({delims(r)})",
    lambda r: f"rtrim({delims(r)})",
    lambda r: f"concat({text_arg(r)}" + r.choice(["", "," + variable(r), f",{variable(r)},{text_arg(r)}", f",,{text_arg(r)}"]) + ")",
    lambda r: f"add_item({text_arg(r)}," + r.choice([variable(r), f"{variable(r)},{text_arg(r)}", f",{text_arg(r)}"]) + ")",
    lambda r: f"strcmp({variable(r)})",
    lambda r: f"secure_memcmp({variable(r)})",
    lambda r: f"iif({text_arg(r)},{text_arg(r)})",
    lambda r: f"ipmask({mask4(r)}" + r.choice(["", "," + mask6(r)]) + ")",
    lambda r: f"be2dec({text_arg(r)},{r.choice(['1', '2', '3', '8', '0', '9', '-1'])}" + r.choice(["", ",0", ",1"]) + ")",
    lambda r: f"le2dec({text_arg(r)},{r.choice(['1', '2', '3', '8', '0', '9', '-1'])}" + r.choice(["", ",0", ",1"]) + ")",
    lambda r: "be2hex" + r.choice(["", f"({text_arg(r)},{small(r)})", f"({text_arg(r)},{small(r)},{flag(r)})", f"({text_arg(r)})"]),
    lambda r: f"sha2({r.choice(['224', '256', '384', '512', '1', '0'])})",
    lambda r: f"digest({r.choice(['md5', 'sha1', 'SHA256', 'sha512', 'nope'])})",
    lambda r: f"hmac({r.choice(['md5', 'sha1', 'sha256'])},{r.choice(['a2V5', 'Zm9vYmFy', 'txn.k', 'txn.none', '!'])})",
    lambda r: f"json({r.choice(['', 'ascii', 'utf8', 'utf8s', 'utf8p', 'utf8ps', 'nope'])})",
    lambda r: f"language({r.choice(['en', chr(34) + 'en;fr' + chr(34), 'fr;de'])}" + r.choice(["", ",xx"]) + ")",
    lambda r: f"param({r.choice(['a', 'b', 'x', 'c', 'd', 'zz'])}" + r.choice(["", "," + delims(r)]) + ")",
    lambda r: f"url_dec({flag(r)})",
    lambda r: "url_enc" + r.choice(["", "(query)", "(nope)", "()"]),
    lambda r: f"regsub({quoted(r.choice(['X', 'a', '[a-z]', '(.)(.)', '^', '$', 'b*', '[0-9]+', '.', '/+']))},"
              f"{quoted(r.choice(['', '-', '[', 'aa', chr(92) * 2 + '1']))}" + r.choice(["", ",g", ",i", ",gi", ",ig", ",x"]) + ")",
    lambda r: f"{r.choice(['ltime', 'utime'])}({quoted(r.choice(FORMATS))}" + r.choice(["", "," + number(r), ",3600"]) + ")",
    lambda r: f"{r.choice(['ms_ltime', 'ms_utime', 'us_ltime', 'us_utime'])}({quoted(r.choice(FORMATS + ['%N', '%3N', '%6N']))}"
              + r.choice(["", "," + number(r), ",3600"]) + ")",
    lambda r: "http_date" + r.choice([f"({number(r)})", f"({small(r)},{r.choice(['s', 'ms', 'us', 'h'])})", "(0,)"]),
    lambda r: f"set-var({variable(r)})",
    lambda r: f"set-var({variable(r)}," + ",".join(r.sample(["ifexists", "ifnotexists", "ifempty", "ifnotempty", "ifset", "ifnotset",
                                                            "ifgt", "iflt", "nope"], r.randint(1, 2))) + ")",
    lambda r: f"set-var({variable(r)}),concat(-,{variable(r)},-)",
    lambda r: f"unset-var({variable(r)})",
]


def converter(r):
    return r.choice(PLAIN) if r.random() < 0.35 else r.choice(WITH_ARGS)(r)


def pipeline(r):
    steps = [source(r)] + [converter(r) for _ in range(r.choice([1, 1, 1, 2, 2, 3, 4, 5]))]
    return ",".join(steps)


def config(port, exprs):
    lines = ["global", "\tnbthread 1", "\tmaxconn 100", "defaults", "\tmode http", "\ttimeout client 20s", "\ttimeout server 20s",
             "\ttimeout connect 1s", "frontend fe", f"\tbind 127.0.0.1:{port}"]
    for var, value in (("s", 'str("a_b.c")'), ("i", "int(42)"), ("n", "int(-3)"), ("b", "bin(00ff61)"), ("a4", "ipv4(10.1.2.3)"),
                       ("a6", "ipv6(2001:db8::1)"), ("t", "always_true"), ("m", "meth(GET)"), ("k", "str(a2V5)")):
        lines.append(f"\thttp-request set-var(txn.{var}) '{value}'")
    first = len(lines) + 1
    for i, e in enumerate(exprs):
        lines.append(f"\thttp-request set-var(txn.r) '{e}' if {{ path /{i} }}")
    views = "|".join(f"%[var(txn.r),{v}]" for v in VIEWS)
    lines.append(f"\thttp-request return status 200 content-type text/plain lf-string '{views}' if {{ var(txn.r) -m found }}")
    lines.append("\thttp-request return status 200 content-type text/plain string none")
    return "\n".join(lines) + "\n", first


def complaints(program, path, numbers, exprs):
    """Of one look at a file: which of the expressions it complains about, and how."""
    text, first = config(1, [exprs[i] for i in numbers])
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    run = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, errors="replace", check=False)
    found = {}
    for line in (run.stdout + run.stderr).splitlines():
        at = re.search(r"check\.cfg:(\d+)", line)
        if at and first <= int(at.group(1)) < first + len(numbers) and "warning" not in line.lower():
            found.setdefault(numbers[int(at.group(1)) - first], line)
    if run.returncode and not found:
        raise SystemExit(f"{program} refuses what no rule is to blame for:\n{run.stdout}{run.stderr}")
    return found if run.returncode else {}


def refused(program, folder, exprs):
    """Numbers of the expressions that -c does not take, with what it says. haproxy stops at the first of a file."""
    path, left, found = os.path.join(folder, "check.cfg"), list(range(len(exprs))), {}
    while more := complaints(program, path, left, exprs):
        found.update(more)
        left = [i for i in left if i not in found]
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def values(program, folder, exprs):
    port = free_port()
    path = os.path.join(folder, "run.cfg")
    with open(path, "w", encoding="utf-8") as f:
        f.write(config(port, exprs)[0])
    env = dict(os.environ, TZ="America/New_York")
    with open(os.path.join(folder, "out"), "wb") as out:
        process = subprocess.Popen([program, "-db", "-f", path], stdout=out, stderr=out, env=env)
    try:
        return ask(process, port, len(exprs))
    finally:
        process.terminate()
        process.wait(10)


def ask(process, port, n):
    deadline = time.monotonic() + 20
    while True:
        try:
            conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            conn.connect()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{process.args[0]} does not start") from None
            time.sleep(0.02)
    got = []
    for i in range(n):
        conn.request("GET", f"/{i}")
        reply = conn.getresponse()
        got.append(reply.read().decode("latin-1"))
        if reply.will_close:
            conn.close()
    conn.close()
    return got


def reason(expr):
    for look, why in MEANT:
        if re.search(look, expr):
            return why
    return None


def compare(exprs, lb, haproxy, folder, verbose=False):
    """Returns (number that ran, number meant, differences as text)."""
    no_lb, no_ha = refused(lb, folder, exprs), refused(haproxy, folder, exprs)
    bad, meant = [], 0
    for i in sorted(set(no_lb) ^ set(no_ha)):
        if "unknown converter" in no_ha.get(i, ""):
            continue
        if reason(exprs[i]):
            meant += 1
            continue
        bad.append(f"{exprs[i]}\n  lb:      {no_lb.get(i, 'takes it')}\n  haproxy: {no_ha.get(i, 'takes it')}")
    if verbose and no_lb and no_ha:
        print(no_lb, no_ha)
    run = [e for i, e in enumerate(exprs) if i not in no_lb and i not in no_ha]
    if not run:
        return 0, meant, bad
    for e, a, b in zip(run, values(lb, folder, run), values(haproxy, folder, run)):
        if verbose:
            print(f"{e}\n  lb:      {a!r}\n  haproxy: {b!r}")
        if a == b:
            continue
        if reason(e):
            meant += 1
            if SHOW_MEANT:
                print(f"meant: {reason(e)}\n  {e}\n  lb:      {a!r}\n  haproxy: {b!r}")
        else:
            bad.append(f"{e}\n  lb:      {a!r}\n  haproxy: {b!r}")
    return len(run), meant, bad


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    p.add_argument("-n", type=int, default=2000)
    p.add_argument("-s", type=int, default=None)
    p.add_argument("-e", default=None)
    p.add_argument("--lb", default=os.environ.get("LB", os.path.join(TOP, "lb")))
    p.add_argument("--haproxy", default="/usr/sbin/haproxy")
    p.add_argument("-v", action="store_true")
    a = p.parse_args()
    global SHOW_MEANT  # pylint: disable=global-statement
    SHOW_MEANT = a.v
    if not os.path.exists(a.haproxy):
        print("haproxy is not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        if a.e:
            _, _, bad = compare([a.e], a.lb, a.haproxy, folder, verbose=True)
            print("\n".join(bad))
            return 1 if bad else 0
        seed = a.s if a.s is not None else random.randrange(1 << 32)
        r, n_run, n_meant, bad = random.Random(seed), 0, 0, []
        print(f"seed {seed}", flush=True)
        for at in range(0, a.n, PER_RUN):
            exprs = [pipeline(r) for _ in range(min(PER_RUN, a.n - at))]
            ran, meant, differ = compare(exprs, a.lb, a.haproxy, folder)
            n_run, n_meant, bad = n_run + ran, n_meant + meant, bad + differ
        print("\n".join(bad))
        print(f"{a.n} pipelines, {n_run} evaluated, {n_meant} meant to differ, {len(bad)} differ")
        return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
