# SPDX-License-Identifier: Apache-2.0
"""As much HTTP/1 as origins and clients need to know where a message ends, and its display as lines."""

import re

RUN = re.compile(r"(.)\1{39,}", re.S)


def field(head, name):
    """The value of the first field of that name, lower case, or None."""
    found = re.search(rb"(?im)^" + name + rb"[ \t]*:[ \t]*(.*?)[ \t]*\r?$", head)
    return found.group(1).lower() if found else None


def chunked_end(data, pos):
    """Position after a chunked body and its trailers, or None when more must come."""
    while True:
        eol = data.find(b"\r\n", pos)
        if eol < 0:
            return None
        try:
            size = int(data[pos:eol].split(b";")[0], 16)
        except ValueError:
            return len(data)
        if size == 0:
            break
        pos = eol + 2 + size + 2
        if pos > len(data):
            return None
    if data[eol + 2:eol + 4] == b"\r\n":
        return eol + 4
    end = data.find(b"\r\n\r\n", eol)
    return None if end < 0 else end + 4


class BodyReader:
    """Reads requests from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    def left(self):
        return self.buf

    def take_left(self):
        data, self.buf = self.buf, b""
        return data

    def fill(self):
        data = self.sock.recv(65536)
        self.buf += data
        return bool(data)

    def head(self):
        """The next head, or b'' when the peer closed before it was whole."""
        while b"\r\n\r\n" not in self.buf:
            if not self.fill():
                return b""
        end = self.buf.index(b"\r\n\r\n") + 4
        head, self.buf = self.buf[:end], self.buf[end:]
        return head

    def body(self, head, into):
        """Appends the body to into as it arrives."""
        if (field(head, b"transfer-encoding") or b"").endswith(b"chunked"):
            self.chunked(into)
        else:
            self.counted(int(field(head, b"content-length") or 0), into)

    def counted(self, length, into):
        while length > 0:
            if not self.buf and not self.fill():
                return
            part = self.buf[:length]
            self.buf = self.buf[length:]
            length -= len(part)
            into += part

    def chunked(self, into):
        while True:
            end = chunked_end(self.buf, 0)
            if end is not None:
                into += self.buf[:end]
                self.buf = self.buf[end:]
                return
            if not self.fill():
                into += self.take_left()
                return


class Responses:
    """Follows what a client receives: how many final responses are whole."""

    def __init__(self):
        self.data = bytearray()
        self.methods = []
        self.pos = 0
        self.bounds = []  # where final and interim responses end
        self.n_final = 0
        self.is_tunnel = False

    def sent(self, data):
        for line in re.findall(rb"(?m)^([A-Z]+) [^\r\n]* HTTP/1\.[01]\r?$", data):
            self.methods.append(line)

    def add(self, data):
        self.data += data
        while self.step():
            pass

    def step(self):
        if self.is_tunnel or self.pos >= len(self.data):
            return False
        end = self.data.find(b"\r\n\r\n", self.pos)
        if end < 0 or not self.data.startswith(b"HTTP/", self.pos):
            return False
        head = bytes(self.data[self.pos:end + 4])
        status = int(head[9:12]) if head[9:12].isdigit() else 0
        if 100 <= status < 200 and status != 101:
            self.pos = end + 4
            self.bounds.append(self.pos)
            return True
        method = self.methods[self.n_final] if self.n_final < len(self.methods) else b"GET"
        stop = self.body_end(head, end + 4, status, method)
        if stop is None:
            return False
        self.pos = stop
        self.bounds.append(stop)
        self.n_final += 1
        return True

    def lines(self):
        out, start = [], 0
        for stop in self.bounds:
            out += show_message(self.data[start:stop])
            start = stop
        return out + show_message(self.data[start:])

    def body_end(self, head, start, status, method):
        if status == 101 or (method == b"CONNECT" and 200 <= status < 300):
            self.is_tunnel = True
            return start
        if method == b"HEAD" or status in (204, 304):
            return start
        if field(head, b"transfer-encoding"):
            return chunked_end(self.data, start)
        length = field(head, b"content-length")
        if length is None:
            return None
        stop = start + int(length)
        return stop if stop <= len(self.data) else None


# --- display ---

def printable(text):
    text = text.encode("unicode_escape").decode("ascii")
    return RUN.sub(lambda m: f"{m.group(1)}*{len(m.group(0))}", text)


def lines_of(data):
    """Bytes as lines: plain when they end in CRLF, quoted when they end in nothing."""
    out = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", bytes(data)):
        text = line.decode("latin-1")
        if text.endswith("\r\n"):
            out.append(printable(text[:-2]))
        else:
            out.append('"' + printable(text) + '"')
    return out


def join_chunks(data):
    """A chunked body as its joined data and its trailers, since where chunks are cut is nobody's business."""
    pos, joined = 0, b""
    while True:
        eol = data.find(b"\r\n", pos)
        if eol < 0:
            return None
        try:
            size = int(data[pos:eol].split(b";")[0], 16)
        except ValueError:
            return None
        if size == 0:
            return joined, data[eol + 2:]
        if eol + 2 + size + 2 > len(data):
            return None
        joined += data[eol + 2:eol + 2 + size]
        pos = eol + 2 + size + 2


def show_message(data):
    """A message as lines; chunks joined."""
    data = bytes(data)
    end = data.find(b"\r\n\r\n")
    if end < 0 or not (field(data[:end + 2], b"transfer-encoding") or b"").endswith(b"chunked"):
        return lines_of(data)
    stop = chunked_end(data, end + 4)
    if stop is None or join_chunks(data[end + 4:stop]) is None:
        return lines_of(data)
    joined, trailers = join_chunks(data[end + 4:stop])
    return lines_of(data[:end + 4]) + ["(chunked) " + " ".join(lines_of(joined))] + \
        ["(trailer) " + t for t in lines_of(trailers) if t] + show_message(data[stop:])
