# SPDX-License-Identifier: Apache-2.0
"""Arguments, type and places of every fetch, against the inventory of the language: fetch_places.py

The inventory is fetches.txt beside this file, in the form of the listing -dKsmp. What differs stands here, with the reason.
What is missing has to be refused by its name.
"""
import os
import re
import subprocess
import sys

from lbtest import PROGRAM, folder

# These may stand in more places: the times are kept until the log, which is where they are asked for most.
WIDER = {"req.timer.hdr", "req.timer.idle", "req.timer.tq", "req.timer.queue", "res.timer.hdr"}
NARROWER = {"req.timer.queue"}  # not in checks, which wait in no queue
BEYOND = {"req.proto_http", "log_text"}  # the documented name of req_proto_http; lines of mode log


def table(lines):
    """{name: (places, name with arguments and type)}"""
    found = {}
    for line in lines:
        m = re.fullmatch(r"\s*\[([ Y.]+)\] (.*)", line.rstrip())
        if m:
            found[re.split(r"[(:]", m[2])[0].strip()] = (m[1].split(), m[2].strip())
    return found


def compare(have, want):
    """What is different, as lines."""
    for name in sorted(have):
        if name not in want:
            if name not in BEYOND:
                yield f"{name} is not in the inventory"
            continue
        if have[name][1] != want[name][1]:
            yield f"{have[name][1]} should be {want[name][1]}"
        missing = [i for i, (h, w) in enumerate(zip(have[name][0], want[name][0])) if w == "Y" != h]
        wider = [i for i, (h, w) in enumerate(zip(have[name][0], want[name][0])) if h == "Y" != w]
        if bool(missing) != (name in NARROWER):
            yield f"{name} cannot be used in places {missing}"
        if bool(wider) != (name in WIDER):
            yield f"{name} can be used in more places: {wider}"


def check_refusals(names):
    """Each of @names is refused by its name; not as misspelt, and not silently."""
    path = os.path.join(folder(), "refused.cfg")
    with open(path, "w") as f:
        f.write("frontend f\n mode http\n" + "".join(f" http-request set-var(txn.a) {n}\n" for n in names))
    got = subprocess.run([PROGRAM, "-c", "-f", path], capture_output=True, text=True)
    assert got.returncode == 1
    for n in names:
        assert f"the fetch '{n}' cannot be used: " in got.stderr, (n, got.stderr[-2000:])


def main():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetches.txt")) as f:
        want = table(f)
    out = subprocess.run([PROGRAM, "-dKsmp", "-q", "-c", "-f", "/dev/null"], capture_output=True, text=True, check=True)
    have = table(out.stdout.splitlines())
    assert len(want) > 500 and len(have) > 250, (len(want), len(have))
    wrong = list(compare(have, want))
    assert not wrong, "\n".join(wrong)
    check_refusals(sorted(set(want) - set(have)))


sys.exit(main())
