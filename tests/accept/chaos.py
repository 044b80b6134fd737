# SPDX-License-Identifier: Apache-2.0
"""Everything at once on four workers: chaos.py [SECONDS]

Clients ask without pause while servers are drained, moved, weighed, limited, added and removed, the algorithm changes
and statistics are read. Every answer has to be the right one. Meant for SANITIZE=thread and address above all.
"""
import random
import sys
import time

from lbtest import Http, Lb, Origin, SLOW, free_port
from engine import DEFAULTS, in_parallel

CLIENTS = 16
ALGORITHMS = ("roundrobin", "leastconn", "random", "first", "source", "static-rr")
FILTERS = ("", "  filter trace quiet random-forwarding\n",
           "  filter bwlim-out down default-limit 1m default-period 1s\n  http-request set-bandwidth-limit down\n")
COMMANDS = ("show stat", "show servers state", "show sess", "show servers conn", "show info", "show activity",
            "set server b/s0 state drain;set server b/s0 state ready", "clear counters",
            "set weight b/s1 100%", "disable server b/s2;enable server b/s2")


class Chaos:
    def __init__(self, seconds):
        self.port = free_port()
        self.origins = [Origin("o%d" % i) for i in range(3)]
        self.lb = Lb(self.config(3), nbthread=4)
        self.end = time.monotonic() + seconds
        self.wrong = []

    def config(self, servers):
        lines = ["  server s%d %s maxconn %d check inter %dms\n" % (i, o.addr, random.randint(1, 5), 200 * SLOW)
                 for i, o in enumerate(self.origins[:servers])]
        return DEFAULTS + "  option redispatch\nfrontend f\n  bind 127.0.0.1:%d\n  default_backend b\n%sbackend b\n" \
            "  http-reuse always\n  balance %s\n%s%s" % (self.port, random.choice(FILTERS), random.choice(ALGORITHMS),
                                                       random.choice(FILTERS), "".join(lines))

    def client(self, i):
        c, n = Http(self.port), 0
        while time.monotonic() < self.end:
            n += 1
            path = "/%d/%d" % (i, n)
            try:
                status, _, body = c.get(path)
                if status != 200 or not body.decode().endswith(" " + path):
                    self.wrong.append("%s: %d %r" % (path, status, body[:100]))
            except (OSError, EOFError) as e:
                self.wrong.append("%s: %r" % (path, e))
                c = Http(self.port)
            if n % 20 == 0:
                c.close()
                c = Http(self.port)
        return n

    def disturb(self):
        while time.monotonic() < self.end:
            what = random.random()
            if what < 0.3:
                self.lb.write(self.config(random.choice((2, 3))))
                reply = self.lb.ask("reload")
                assert "Success=1" in reply, reply
            elif what < 0.5:
                self.lb.ask("set server b/s1 addr 127.0.0.1 port %d" % random.choice(self.origins).port)
            elif what < 0.6:
                self.lb.ask("set maxconn server b/s%d %d" % (random.randrange(3), random.randint(1, 6)))
            elif what < 0.7:
                self.lb.ask("set server b/s%d weight %d" % (random.randrange(3), random.randint(1, 256)))
            else:
                self.lb.ask(random.choice(COMMANDS))
            time.sleep(0.01)
        return 0

    def run(self):
        done = in_parallel(CLIENTS + 1, lambda i: self.client(i) if i < CLIENTS else self.disturb())
        print("%d requests" % sum(done))
        assert not self.wrong, "%d wrong: %s" % (len(self.wrong), self.wrong[:5])
        stat = self.lb.stat()
        for key, row in stat.items():
            assert row["qcur"] in ("", "0") and (key[1] == "FRONTEND" or row["scur"] == "0"), (key, row)
        self.lb.finish()


Chaos(float(sys.argv[1]) if len(sys.argv) > 1 else 4).run()
