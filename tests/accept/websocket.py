# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client of our own, for tests that have no library: websocket.py example (in with-lb)."""
import base64
import hashlib
import os
import signal
import struct
import sys
import time

import lbtest

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket(lbtest.Http):
    def __init__(self, port, path="/ws"):
        super().__init__(port)
        key = base64.b64encode(os.urandom(16))
        self.send(b"GET %s HTTP/1.1\r\nHost: lb.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (path.encode(), key))
        status, fields = self.head()
        wanted = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert status == 101 and fields["sec-websocket-accept"] == wanted, (status, fields)
        assert fields["upgrade"] == "websocket" and "upgrade" in fields["connection"].lower(), fields
        self.origin = fields["x-origin"]

    def echo(self, payload):
        n = len(payload)
        mask = os.urandom(4)
        size = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack("!H", n)
        self.send(b"\x82" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))
        _, second = self.take(2)
        n = second if second < 126 else struct.unpack("!H", self.take(2))[0]
        assert self.take(n) == payload, "another echo"

    def bye(self):
        self.send(b"\x88\x80\0\0\0\0")
        assert self.take(2) == b"\x88\0"
        try:
            self.fill()
        except EOFError:
            return
        raise AssertionError("open after its end")


def example():
    port = int(os.environ["LISTEN"].split(":")[1])
    sockets = [WebSocket(port) for _ in range(4)]
    assert sorted(s.origin for s in sockets) == ["one", "one", "two", "two"], "spread over both"
    for n in (0, 1, 125, 126, 5000, 65000):
        for s in sockets:
            s.echo(os.urandom(n))
    status, fields, _ = lbtest.get(port)
    assert status == 200 and fields["x-origin"] == "one", "ordinary requests go to the first"
    os.kill(int(os.environ["LB_PID"]), signal.SIGUSR2)
    time.sleep(0.5)
    for s in sockets:
        s.echo(b"after the reload")
        s.bye()


if __name__ == "__main__":
    lbtest.main({"example": example} if "LISTEN" in os.environ else {})
    sys.exit(0)
