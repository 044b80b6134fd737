# SPDX-License-Identifier: Apache-2.0
"""Every registered word with arguments that nobody means: keywords.py

They stand in files whose last line is wrong in a known way: that it is reported shows that the reader came through.
"""
import os
import re
import subprocess

from lbtest import PROGRAM, folder

ARGUMENTS = """
""|"" ""|"" "" ""|"$NOPE"|x|0|-1|99999999999999999999|0x10|1.5|1e9|1d 1d|18446744073709551616s|99999g|1k|a=b|on|all
%[|"%["|"%[]"|"%[src,"|"%[src,map()]"|"%{"|"%"|{|}|{ }|if|if {|if { }|unless !|(|)|x(|x)|()|"x" if { src "" }
x if { path -m reg ( }|x if { src 1.2.3.4/99 }|"(" if TRUE|status|status ""|hdr "" ""|string|file ""|lf-string "%["
:|::|[::|[::]:|@|unix@|fd@|fd@-1|fd@99999|abns@|sockpair@1|/|0.0.0.0:0|127.0.0.1:1-0|127.0.0.1:65535-65536
1 2 3 4 5 6 7 8|x x x x x x x x|\\|# x|1/all 0|auto:1/1-64 0-63|1-9999 0|req
""".strip().replace("\n", "|").split("|") + ["", "a" * 5000]
CALLS = ["", "()", "(,)", "(,,,,)", "(x)", "(0)", "(-1)", "(1,2,3)", "(99999999999999999999)", "(", "(x,", "('')", "(txn.)",
         "(proc.x)", "(/nonexistent)", "(%s)" % ("a" * 2000), "(1,2,3,4,5,6,7,8,9,10,11,12,13,14)", "(,x)", "(a b)"]


def registered():
    """{place: words}; a place is a section, bind, server, fetch or conv."""
    out = subprocess.run([PROGRAM, "-dKall", "-q", "-c", "-f", "/dev/null"], capture_output=True, text=True, check=True)
    places, kind, section = {}, "", None
    for line in out.stdout.splitlines():
        if line.startswith("#"):
            kind = line if line.startswith("# List") else kind
        elif "configuration" in kind and line and not line[0].isspace():
            section = line
        elif "configuration" in kind:
            word = re.sub(r"\s+(\+-?\d+|\[.*\])$", "", line.strip()).rstrip("*")
            place, word = re.fullmatch(r"(?:(bind|server) (?:<\w+> )+)?(.*)", word).groups()
            places.setdefault(place or section, []).append(word)
        elif "fetch" in kind:
            places.setdefault("fetch", []).append(re.split(r"[(:]", line.split("]", 1)[-1])[0].strip())
        elif "converter" in kind:
            places.setdefault("conv", []).append(re.split(r"[(:]", line)[0].strip())
    return places


def try_lines(head, lines):
    for i in range(0, len(lines), 3000):
        try_file(head, lines[i:i + 3000])


def try_file(head, lines):
    path = os.path.join(folder(), "a.cfg")
    with open(path, "w") as f:
        f.write(head + "".join(" %s\n" % line for line in lines) + "\nbakend\n")
    # some arguments are taken for names of hosts: do not wait long for the answer
    env = dict(os.environ, RES_OPTIONS="timeout:1 attempts:1")
    got = subprocess.run([PROGRAM, "-c", "-V", "-f", path], capture_output=True, text=True, errors="replace", env=env)
    assert got.returncode == 1, (head, got.returncode, got.stderr[-3000:])
    assert "'bakend' is not a section" in got.stderr and "Sanitizer" not in got.stderr, got.stderr[-3000:]


def main():
    words = registered()
    assert all(words[p] for p in ("global", "listen", "bind", "server", "userlist", "http-errors", "fetch", "conv"))
    plain = ["%s %s" % (w, a) for w in words["global"] for a in ARGUMENTS]
    try_lines("global\n", plain + ["no " + line for line in plain])
    plain = ["%s %s" % (w, a) for w in words["listen"] for a in ARGUMENTS]
    short = ["%s %s %s" % (no, w, a) for no in ("", "no", "default") for w in words["listen"] for a in ARGUMENTS[:8]]
    try_lines("listen a\n mode http\n", plain + short)
    try_lines("defaults d\n mode http\n", short)
    for place in ("userlist", "http-errors"):
        try_lines(place + " a\n", ["%s %s" % (w, a) for w in words[place] for a in ARGUMENTS])
    for head in ("listen a\n bind", "global\n stats socket"):
        try_lines(head + " /x\n", [head.split("\n ")[1] + " /x %s %s" % (w, a) for w in words["bind"] for a in ARGUMENTS])
    try_lines("listen a\n", ["server s 127.0.0.1:1 %s %s" % (w, a) for w in words["server"] for a in ARGUMENTS])
    try_lines("listen a\n mode http\n", [text % (w, c) for w in words["fetch"] for c in CALLS for text in
              ("acl x %s%s 1", "http-request set-var(txn.a) %s%s", 'http-response set-header a "%%[%s%s]"')])
    try_lines("listen a\n mode http\n", [text % (w, c) for w in words["conv"] for c in CALLS for text in
              ("http-request set-var(txn.a) str(x),%s%s", 'http-request set-header a "%%[int(1),%s%s]"')])
    for section in ("global", "defaults", "frontend", "backend", "listen", "userlist", "http-errors"):
        try_lines("", ["%s %s" % (section, a) for a in ARGUMENTS])


main()
