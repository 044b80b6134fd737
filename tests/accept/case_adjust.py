# SPDX-License-Identifier: Apache-2.0
"""Names of fields as they stand on the wire: case_adjust.py"""
import os
import socket
import subprocess
import threading

from lbtest import PROGRAM, Lb, folder, free_port

REQUEST = b"GET %s HTTP/1.1\r\nhost: a\r\nx-one: x-two:\r\nX-TWO: b\r\nx-twox: c\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nX-ONE: 1\r\nx-two: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-one: 3\r\n\r\n"


def serve(listening, seen):
    while True:
        peer, _ = listening.accept()
        with peer:
            seen.append(peer.recv(65536).replace(b"\r", b"").decode())
            peer.sendall(ANSWER)


def ask(port, path):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(REQUEST % path)
        out = b""
        while True:
            got = s.recv(65536)
            if not got:
                return out.replace(b"\r", b"").decode()
            out += got


def has_lines(text, *lines):
    for line in lines:
        assert "\n%s\n" % line in text, (line, text)


def refused(place, line, why):
    path = os.path.join(place, "bad.cfg")
    with open(path, "w") as f:
        f.write("global\n %s\n" % line)
    got = subprocess.run([PROGRAM, "-c", "-f", path], capture_output=True, text=True)
    assert got.returncode == 1 and why in got.stderr, got.stderr


def main():
    port, place, seen = free_port(2), folder(), []
    origin = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(origin, seen), daemon=True).start()
    names = os.path.join(place, "names")
    with open(names, "w") as f:
        f.write("# names\n\n x-two\tX-TWO\r\nhost Host\n")
    lb = Lb("""
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend adjusted
  bind 127.0.0.1:%d
  option h1-case-adjust-bogus-client
  use_backend adjusted if { path /both }
  default_backend plain
frontend plain
  bind 127.0.0.1:%d
  default_backend plain
backend plain
  server s 127.0.0.1:%d
backend adjusted
  option h1-case-adjust-bogus-server
  server s 127.0.0.1:%d
""" % (port, port + 1, origin.getsockname()[1], origin.getsockname()[1]),
            extra_global="  h1-case-adjust x-one X-oNe\n  h1-case-adjust-file %s\n" % names)
    has_lines(ask(port, b"/"), "X-oNe: 1", "X-TWO: 2", "X-oNe: 3")
    has_lines(seen[-1], "host: a", "x-one: x-two:", "x-two: b")
    has_lines(ask(port + 1, b"/"), "x-one: 1", "x-two: 2", "x-one: 3")
    has_lines(ask(port, b"/both"), "X-oNe: 1")
    has_lines(seen[-1], "Host: a", "X-oNe: x-two:", "X-TWO: b", "x-twox: c")
    lb.finish()

    refused(place, "h1-case-adjust X-One x-one", "the first name must be the name of a field, in lower case")
    refused(place, "h1-case-adjust x-one X-Two", "the two names may differ in case only")
    refused(place, "h1-case-adjust x-one X-Ones", "the two names may differ in case only")
    refused(place, "h1-case-adjust a A\n h1-case-adjust a A", "the name is adjusted already")
    with open(names, "w") as f:
        f.write("a A\nb\n")
    refused(place, "h1-case-adjust-file %s" % names, "names', line 2: expected two names")


main()
