# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197) and what tokens need of it: GCM (SP 800-38D), CBC, key wrap (RFC 3394). Slow, and independent of any library."""
import struct


def _xtime(a):
    return ((a << 1) ^ 0x1b) & 0xff if a & 0x80 else a << 1


def _mul(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a, b = _xtime(a), b >> 1
    return out


def _make_sbox():
    box = [0x63] * 256
    for v in range(1, 256):
        inv = next(i for i in range(1, 256) if _mul(v, i) == 1)
        out = inv
        for shift in range(1, 5):
            out ^= (inv << shift | inv >> (8 - shift)) & 0xff
        box[v] = out ^ 0x63
    return box


SBOX = _make_sbox()


class Aes:
    """One key; block() encrypts 16 bytes."""

    def __init__(self, key):
        words = [list(key[i:i + 4]) for i in range(0, len(key), 4)]
        n, rcon = len(words), 1
        self.rounds = n + 6
        for i in range(n, 4 * (self.rounds + 1)):
            w = list(words[-1])
            if i % n == 0:
                w = [SBOX[b] for b in w[1:] + w[:1]]
                w[0] ^= rcon
                rcon = _xtime(rcon)
            elif n > 6 and i % n == 4:
                w = [SBOX[b] for b in w]
            words.append([a ^ b for a, b in zip(words[i - n], w)])
        self.keys = [sum(words[i:i + 4], []) for i in range(0, len(words), 4)]

    def block(self, data):
        s = [a ^ b for a, b in zip(data, self.keys[0])]
        for r in range(1, self.rounds + 1):
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if r < self.rounds:
                mixed = []
                for c in range(0, 16, 4):
                    col = s[c:c + 4]
                    mixed += [_xtime(col[i]) ^ _xtime(col[(i + 1) % 4]) ^ col[(i + 1) % 4] ^ col[(i + 2) % 4] ^
                              col[(i + 3) % 4] for i in range(4)]
                s = mixed
            s = [a ^ b for a, b in zip(s, self.keys[r])]
        return bytes(s)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cbc(key, iv, text):
    """With the padding of PKCS #7."""
    aes, out = Aes(key), b""
    n = 16 - len(text) % 16
    text += bytes([n]) * n
    for i in range(0, len(text), 16):
        iv = aes.block(xor(text[i:i + 16], iv))
        out += iv
    return out


def _ghash_mul(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xe1 << 120 if y & 1 else 0)
    return z


def gcm(key, iv, text, aad=b""):
    """(ciphertext, tag), for vectors of 12 bytes."""
    aes = Aes(key)
    h = int.from_bytes(aes.block(bytes(16)), "big")
    out = b""
    for i in range(0, len(text), 16):
        out += xor(text[i:i + 16], aes.block(iv + struct.pack(">I", i // 16 + 2)))
    y = 0
    padded = aad + bytes(-len(aad) % 16) + out + bytes(-len(out) % 16) + struct.pack(">QQ", len(aad) * 8, len(out) * 8)
    for i in range(0, len(padded), 16):
        y = _ghash_mul(y ^ int.from_bytes(padded[i:i + 16], "big"), h)
    return out, xor(y.to_bytes(16, "big"), aes.block(iv + b"\0\0\0\1"))


def wrap(key, data):
    aes, a = Aes(key), b"\xa6" * 8
    r = [data[i:i + 8] for i in range(0, len(data), 8)]
    for t in range(6 * len(r)):
        b = aes.block(a + r[t % len(r)])
        a, r[t % len(r)] = xor(b[:8], struct.pack(">Q", t + 1)), b[8:]
    return a + b"".join(r)
