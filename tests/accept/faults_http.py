# SPDX-License-Identifier: Apache-2.0
"""What of a request's framing reaches a server, byte for byte: faults_http.py [NAME...]"""
import re
import socket
import threading

from lbtest import DEFAULTS, free_port, Lb, main

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# a request; the framing fields and the body that the server gets, or None where it must get nothing
CASES = (
    (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"Content-Length: 5, 5\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"Content-Length: 5 ,\t5,5\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"Content-Length: 0005\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"X: y\r\n" + CHUNKED + b"\r\n5;evil=1\r\nhello\r\n000\r\n\r\n", [b"transfer-encoding: chunked"],
     b"5\r\nhello\r\n0\r\n\r\n"),
    (POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello", [b"content-length: 5"], b"hello"),
    (POST + b"Connection: transfer-encoding\r\n" + CHUNKED + b"\r\n0\r\n\r\n", [b"transfer-encoding: chunked"], b"0\r\n\r\n"),
    (POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", None, None),
    (POST + b"Content-Length: 5, 6\r\n\r\nhello", None, None),
)


class Recorder:
    """A server that keeps what each connection sent, and answers once."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.sock.getsockname()[1]
        self.got = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c, _ = self.sock.accept()
            c.settimeout(10)
            got = b""
            try:
                while True:
                    more = c.recv(65536)
                    if not more:
                        break
                    got += more
                    if b"\r\n\r\n" in got and got.endswith((b"hello", b"0\r\n\r\n")):
                        c.settimeout(0.02)  # it is whole; is there more?
            except TimeoutError:
                pass
            self.got.append(got)
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            c.close()


def are_same(fields, canonical):
    """Whether field lines say the same as those wanted: names in any case, numbers with or without zeros in front."""
    return [re.sub(rb": 0+(?=\d)", b": ", f.lower()) for f in fields] == canonical


def framing():
    """One way of saying where a body ends, and one alone, whatever the client said; with the options that loosen, too."""
    server, port = Recorder(), free_port(2)
    lb = Lb(DEFAULTS + "".join("""
listen l%d
  bind 127.0.0.1:%d
  %s
  http-reuse never
  server s 127.0.0.1:%d
""" % (i, port + i, words, server.port) for i, words in enumerate(("", "option accept-unsafe-violations-in-http-request"))))
    for i in range(2):
        for request, framing_fields, body in CASES:
            del server.got[:]
            with socket.create_connection(("127.0.0.1", port + i), 10) as c:
                c.sendall(request)
                answer = c.recv(65536)
            if framing_fields is None:
                assert answer.startswith(b"HTTP/1.1 400 ") and not server.got, (request, answer, server.got)
                continue
            assert answer.startswith(b"HTTP/1.1 200 ") and len(server.got) == 1, (request, answer, server.got)
            head, got = server.got[0].split(b"\r\n\r\n", 1)
            fields = [f for f in head.split(b"\r\n") if re.match(rb"(?i)(content-length|transfer-encoding):", f)]
            assert are_same(fields, framing_fields), (request, server.got[0])
            assert got == body or (CHUNKED in request and got.replace(b"000\r\n", b"0\r\n") == body), (request, server.got[0])
    lb.finish()


if __name__ == "__main__":
    main({"framing": framing})
