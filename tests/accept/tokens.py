#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens: made with the openssl command and Python's own libraries, judged by lb."""
import base64
import hashlib
import hmac
import json
import os
import struct
import subprocess

import aes
from lbtest import DEFAULTS, PROGRAM, Http, Lb, folder, free_port, main

KEYS = folder()
BITS = (256, 384, 512)
CURVES = {256: ("prime256v1", 32), 384: ("secp384r1", 48), 512: ("secp521r1", 66)}


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def path(name):
    return os.path.join(KEYS, name)


def openssl(*args, data=b""):
    done = subprocess.run(("openssl",) + args, input=data, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError("openssl %s: %s" % (" ".join(args), done.stderr.decode()))
    return done.stdout


def private_key(name, *options):
    """A new key; its public half is in the file <name>.pub."""
    if not os.path.exists(path(name)):
        openssl("genpkey", *options, "-out", path(name))
        openssl("pkey", "-in", path(name), "-pubout", "-out", path(name + ".pub"))
    return path(name)


def rsa_key(name="rsa", bits=2048):
    return private_key(name, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits)


def ec_key(bits, curve=None):
    curve = curve or CURVES[bits][0]
    return private_key("ec-" + curve, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve)


def certificate():
    if not os.path.exists(path("crt.pem")):
        openssl("req", "-x509", "-new", "-key", rsa_key(), "-subj", "/CN=tokens", "-days", "2", "-out", path("crt.pem"))
    return path("crt.pem")


def der_numbers(der):
    """The two numbers of an ECDSA signature."""
    at = 3 if der[1] & 0x80 else 2
    out = []
    for _ in range(2):
        length = der[at + 1]
        out.append(int.from_bytes(der[at + 2:at + 2 + length], "big"))
        at += 2 + length
    return out


def sign(alg, text, key=None):
    bits = int(alg[2:]) if alg[2:].isdigit() else 0
    if alg.startswith("HS"):
        return hmac.new(key or b"secret", text, getattr(hashlib, "sha%d" % bits)).digest()
    if alg == "EdDSA":
        with open(path("message"), "wb") as f:
            f.write(text)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path("message"))
    dgst = ["dgst", "-sha%d" % bits, "-sign"]
    if alg.startswith("RS"):
        return openssl(*dgst, rsa_key(), data=text)
    if alg.startswith("PS"):
        return openssl(*dgst, rsa_key(), "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", data=text)
    size = CURVES[bits][1]
    return b"".join(n.to_bytes(size, "big") for n in der_numbers(openssl(*dgst, ec_key(bits), data=text)))


def token(alg, key=None, payload=None, header=None):
    head = dict({"alg": alg, "typ": "JWT"}, **(header or {}))
    text = url64(json.dumps(head).encode()) + "." + url64(json.dumps(payload or {"sub": "me", "n": 1}).encode())
    return text + "." + url64(sign(alg, text.encode(), key))


class Judge:
    """An lb that answers with the value of an expression over the request's fields."""

    def __init__(self, exprs, extra=""):
        self.port = free_port()
        rules = ""
        for name, expr in exprs.items():
            rules += "  http-request return status 200 hdr x-value '<%%[%s]>' if { path /%s }\n" % (expr, name)
        self.lb = Lb("%s%s\nfrontend f\n  bind 127.0.0.1:%d\n  http-request set-var(txn.alg) req.hdr(x-alg)\n"
                     "  http-request set-var(txn.key) req.fhdr(x-key)\n%s" % (DEFAULTS, extra, self.port, rules))
        self.client = Http(self.port)

    def value(self, name, text, **fields):
        extra = "".join("x-%s: %s\r\n" % f for f in fields.items())
        status, head, _ = self.client.get("/" + name, "x-token: %s\r\n%s" % (text, extra))
        assert status == 200, (name, status)
        return head["x-value"][1:-1]

    def expect(self, want, name, text, **fields):
        got = self.value(name, text, **fields)
        assert got == str(want), "%s of %s with %s: %r, not %r" % (name, text, fields, got, want)


def tampered(text):
    """The token with one bit of its header, payload and signature changed, each by itself."""
    parts = text.split(".")
    for i, part in enumerate(parts):
        # not the last character: some of its bits mean nothing
        at = len(part) // 2
        other = "A" if part[at] != "A" else "B"
        yield ".".join(parts[:i] + [part[:at] + other + part[at + 1:]] + parts[i + 1:])


def key_files():
    """The algorithms and the files whose keys verify them."""
    out = {"HS%d" % bits: "secret" for bits in BITS}
    out.update({"%s%d" % (kind, bits): rsa_key() + ".pub" for kind in ("RS", "PS") for bits in BITS})
    out.update({"ES%d" % bits: ec_key(bits) + ".pub" for bits in BITS})
    out["EdDSA"] = private_key("ed25519", "-algorithm", "ED25519") + ".pub"
    return out


def signatures():
    """Each algorithm: right, tampered, with another token's signature; algorithm fixed and from the token."""
    files = key_files()
    exprs = {alg: "req.hdr(x-token),jwt_verify(%s,%s)" % (alg, key) for alg, key in files.items()}
    exprs.update({alg + "-var": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % key for alg, key in files.items()})
    exprs["crt"] = "req.hdr(x-token),jwt_verify(RS256,%s)" % certificate()
    exprs["ed448"] = "req.hdr(x-token),jwt_verify(EdDSA,%s)" % (private_key("ed448", "-algorithm", "ED448") + ".pub")
    judge = Judge(exprs)
    for alg in files:
        key = path("ed25519") if alg == "EdDSA" else None
        text = token(alg, key)
        judge.expect(1, alg, text)
        judge.expect(1, alg + "-var", text, alg=alg)
        for other in tampered(text):
            judge.expect(0, alg, other)
        swapped = text.rsplit(".", 1)[0] + "." + token(alg, key, {"sub": "you"}).rsplit(".", 1)[1]
        judge.expect(0, alg, swapped)
        judge.expect(0, alg, text[:-8])  # a signature that is too short
        for other in ("", ".", "a.b", text.rsplit(".", 1)[0], text.rsplit(".", 1)[0] + ".", text + ".x", text + "!"):
            judge.expect(-3, alg, other)
    judge.expect(1, "crt", token("RS256"))
    judge.expect(1, "ed448", token("EdDSA", path("ed448")))
    judge.expect(0, "EdDSA", token("EdDSA", path("ed448")))
    # numbers with leading zeros, and with a sign bit that is not meant as one
    for i in range(12):
        judge.expect(1, "ES256", token("ES256", payload={"i": i}))


def confusion():
    """What a token says of its algorithm must not change what a key is used for."""
    pem = rsa_key() + ".pub"
    with open(pem, "rb") as f:
        text = f.read()
    judge = Judge({
        "file": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % pem,
        "secret": "req.hdr(x-token),jwt_verify(txn.alg,secret)",
        "rs": "req.hdr(x-token),jwt_verify(RS256,txn.key)",
        "hs": "req.hdr(x-token),jwt_verify(HS256,txn.key)",
        "ec": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % (ec_key(0, "secp256k1") + ".pub"),
    })
    for key in (text, text.strip(), pem.encode(), base64.b64decode(b"".join(text.split(b"\n")[1:-2]))):
        judge.expect(0, "file", token("HS256", key), alg="HS256")
    judge.expect(0, "hs", token("HS256", pem.encode()), key=pem)
    judge.expect(1, "hs", token("HS256", b"other"), key="other")
    judge.expect(1, "rs", token("RS256"), key=pem)
    judge.expect(-5, "rs", token("RS256"), key=certificate())  # no rule names it
    judge.expect(-5, "secret", token("RS256"), alg="RS256")
    judge.expect(1, "secret", token("HS256"), alg="HS256")
    judge.expect(0, "secret", token("HS256"), alg="HS384")
    judge.expect(0, "file", token("ES256"), alg="ES256")
    judge.expect(0, "file", token("PS256"), alg="RS256")
    judge.expect(0, "ec", token("ES256"), alg="ES256")  # of another curve than the algorithm's
    judge.expect(-1, "file", token("RS256"), alg="rs256")
    unsigned = url64(b'{"alg":"none"}') + "." + url64(b'{"sub":"me"}') + "."
    for alg, want in (("none", -2), ("None", -1), ("HS256", -3)):
        judge.expect(want, "secret", unsigned, alg=alg)
    assert judge.value("secret", token("HS256")) == ""  # no variable, no result


def queries():
    """Parts of headers and payloads; tokens that are none."""
    judge = Judge({
        "header": "req.hdr(x-token),jwt_header_query",
        "payload": "req.hdr(x-token),jwt_payload_query()",
        "alg": "req.hdr(x-token),jwt_header_query($.alg)",
        "n": "req.hdr(x-token),jwt_payload_query($.n,int),add(1)",
        "aud": "req.hdr(x-token),jwt_payload_query($.aud[1])",
        "bearer": "http_auth_bearer(x-auth),jwt_payload_query($.sub)",
    })
    text = token("HS256", payload={"sub": "me", "n": 41, "aud": ["a", "b\u00e9"]})
    judge.expect('{"alg": "HS256", "typ": "JWT"}', "header", text)
    judge.expect(json.dumps({"sub": "me", "n": 41, "aud": ["a", "b\u00e9"]}), "payload", text)
    judge.expect("HS256", "alg", text)
    judge.expect(42, "n", text)
    judge.expect("b\u00c3\u00a9", "aud", text)  # UTF-8, as the client reads fields
    judge.expect("me", "bearer", "", auth="Bearer " + text)
    for other in ("", "x", "!.!.!", "e30.e30.e30", ".".join(["e30"] * 6)):
        judge.expect("", "alg", other)
        judge.expect("", "n", other)


def judged(converter, extra=""):
    """What -c says of an expression with @converter: (status, text)."""
    config = path("check.cfg")
    with open(config, "w") as f:
        f.write("%s%s\nfrontend f\n  bind 127.0.0.1:1\n  http-request set-header x %%[str(x),%s]\n" % (extra, DEFAULTS, converter))
    done = subprocess.run((PROGRAM, "-c", "-f", config), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def refuses(converter, message, extra=""):
    status, text = judged(converter, extra)
    assert status == 1 and message in text, (converter, status, text)


def refusals():
    """Keys and algorithms that cannot be used are found while loading, and marked."""
    refuses("jwt_verify(RS256,/no/such/file)", "'/no/such/file'")
    status, text = judged("jwt_verify(RS256,/no/such/file)")
    line, marks = text.split("\n")[1:3]
    assert status == 1 and line[marks.index("^"):marks.rindex("~") + 1] == "/no/such/file", text
    with open(path("text"), "w") as f:
        f.write("no key\n")
    refuses("jwt_verify(RS256,%s)" % path("text"), "has neither a public key nor a certificate in PEM")
    refuses("jwt_verify(txn.alg,%s)" % path("text"), "has neither a public key nor a certificate in PEM")
    refuses("jwt_verify(txn.alg,/no/such/file)", "'/no/such/file'")
    refuses("jwt_verify(ES256,%s)" % (rsa_key() + ".pub"), "is a RSA key, which ES256 cannot use")
    refuses("jwt_verify(ES256,%s)" % (ec_key(384) + ".pub"), "is a EC key, which ES256 cannot use")
    refuses("jwt_verify(none,x)", "'none' means that there is no signature to verify")
    refuses("jwt_verify(RS265,x)", "'RS265' is not an algorithm for signatures; did you mean 'RS256'?")
    refuses("jwt_verify(HS256)", "expects a string as argument 2")
    refuses("jwt_payload_query(sub)", "expected a path that begins with '$'")
    weak = rsa_key("weak", 1024)
    status, text = judged("jwt_verify(RS256,%s)" % (weak + ".pub"))
    assert status == 0 and "has 1024 bits; RFC 7518 asks for 2048 at least" in text, text


# --- encrypted tokens ---

ENCS = {"A128CBC-HS256": 32, "A192CBC-HS384": 48, "A256CBC-HS512": 64, "A128GCM": 16, "A192GCM": 24, "A256GCM": 32}
SECRET_ALGS = {"A128KW": 16, "A192KW": 24, "A256KW": 32, "A128GCMKW": 16, "A192GCMKW": 24, "A256GCMKW": 32}
OAEP = {"RSA-OAEP": "sha1", "RSA-OAEP-256": "sha256", "RSA-OAEP-384": "sha384", "RSA-OAEP-512": "sha512"}


def pieces(*parts):
    return ".".join(url64(part) for part in parts)


def counted(data):
    return struct.pack(">I", len(data)) + data


def concat_kdf(z, name, bits, apu=b"", apv=b""):
    """RFC 7518 4.6.2."""
    info = counted(name.encode()) + counted(apu) + counted(apv) + struct.pack(">I", bits)
    out = b"".join(hashlib.sha256(struct.pack(">I", i) + z + info).digest() for i in (1, 2))
    return out[:bits // 8]


def seal(enc, cek, header, text):
    """(vector, ciphertext, tag); RFC 7518 5."""
    if enc.endswith("GCM"):
        iv = os.urandom(12)
        return (iv,) + aes.gcm(cek, iv, text, header.encode())
    half, iv = len(cek) // 2, os.urandom(16)
    out = aes.cbc(cek[half:], iv, text)
    mac = hmac.new(cek[:half], header.encode() + iv + out + struct.pack(">Q", len(header) * 8), "sha%d" % (half * 16))
    return iv, out, mac.digest()[:half]


def jwe(alg, enc, wrapped, cek, extra=None, text=b"the secret text"):
    header = url64(json.dumps(dict({"alg": alg, "enc": enc}, **(extra or {}))).encode())
    return header + "." + url64(wrapped) + "." + pieces(*seal(enc, cek, header, text))


def jwe_secret(alg, enc, secret, extra=None):
    if alg == "dir":
        return jwe(alg, enc, b"", secret, extra)
    cek = os.urandom(ENCS[enc])
    if alg.endswith("GCMKW"):
        iv = os.urandom(12)
        wrapped, tag = aes.gcm(secret, iv, cek)
        return jwe(alg, enc, wrapped, cek, dict({"iv": url64(iv), "tag": url64(tag)}, **(extra or {})))
    return jwe(alg, enc, aes.wrap(secret, cek), cek, extra)


def rsa_wrap(alg, cek):
    options = ["-pkeyopt", "rsa_padding_mode:pkcs1"]
    if alg in OAEP:
        options = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + OAEP[alg], "-pkeyopt", "rsa_mgf1_md:" + OAEP[alg]]
    return openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", rsa_key() + ".pub", *options, data=cek)


def jwe_rsa(alg, enc, extra=None):
    cek = os.urandom(ENCS[enc])
    return jwe(alg, enc, rsa_wrap(alg, cek), cek, extra)


def rsa_jwk(factors=True):
    """From what the openssl command prints of the key."""
    names = {"modulus": "n", "publicExponent": "e", "privateExponent": "d"}
    if factors:
        names.update({"prime1": "p", "prime2": "q", "exponent1": "dp", "exponent2": "dq", "coefficient": "qi"})
    numbers, name = {}, None
    for line in openssl("pkey", "-in", rsa_key(), "-noout", "-text").decode().split("\n"):
        if not line.startswith(" "):
            name, _, rest = line.partition(":")
            numbers[name] = rest.split(" (0x")[-1].rstrip(")") if "(0x" in rest else ""
        else:
            numbers[name] += line.strip().replace(":", "")
    jwk = {"kty": "RSA"}
    for name, member in names.items():
        digits = numbers[name]
        jwk[member] = url64(bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)).lstrip(b"\0"))
    return jwk


def raw_key(name, options):
    """(private number, public bytes) of a key, from the end of its encoding."""
    key = private_key(name, *options)
    private = openssl("pkey", "-in", key, "-outform", "DER")
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    return private, public


def ecdh_jwk(crv):
    """(a key as JSON, its public half as JSON, the name of its file)"""
    name = "dh-" + crv
    if crv in ("X25519", "X448"):
        private, public = raw_key(name, ("-algorithm", crv))
        size = 32 if crv == "X25519" else 56
        jwk = {"kty": "OKP", "crv": crv, "x": url64(public[-size:])}
        return dict(jwk, d=url64(private[-size:])), jwk, path(name)
    curve, size = next(v for v in CURVES.values() if crv[2:] in v[0] + " secp%dr1" % (v[1] * 8) or crv == "P-256" and v[1] == 32)
    _, public = raw_key(name, ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve))
    text = openssl("pkey", "-in", path(name), "-noout", "-text").decode()
    number = text.split("priv:")[1].split("pub:")[0].replace(":", "").split()
    d = bytes.fromhex("".join(number)).rjust(size, b"\0")[-size:]
    jwk = {"kty": "EC", "crv": crv, "x": url64(public[-2 * size:-size]), "y": url64(public[-size:])}
    return dict(jwk, d=url64(d)), jwk, path(name)


def jwe_ecdh(alg, enc, crv, extra=None, **parties):
    """To the key of ecdh_jwk(crv), from a new one."""
    _, _, receiver = ecdh_jwk(crv)
    number = len(os.listdir(KEYS))
    sender = path("sender%d" % number)
    options = ["-algorithm", crv] if crv.startswith("X") else ["-paramfile", receiver + ".params"]
    if not crv.startswith("X"):
        openssl("ecparam", "-name", {"P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}[crv], "-out", receiver + ".params")
    private_key(os.path.basename(sender), *options)
    public = openssl("pkey", "-in", sender, "-pubout", "-outform", "DER")
    z = openssl("pkeyutl", "-derive", "-inkey", sender, "-peerkey", receiver + ".pub")
    size = {"P-256": 32, "P-384": 48, "P-521": 66, "X25519": 32, "X448": 56}[crv]
    epk = {"kty": "OKP", "crv": crv, "x": url64(public[-size:])}
    if not crv.startswith("X"):
        epk = {"kty": "EC", "crv": crv, "x": url64(public[-2 * size:-size]), "y": url64(public[-size:])}
    head = dict({"epk": epk}, **{k: url64(v) for k, v in parties.items()}, **(extra or {}))
    if alg == "ECDH-ES":
        return jwe(alg, enc, b"", concat_kdf(z, enc, ENCS[enc] * 8, **parties), head)
    bits = int(alg[9:12])
    cek = os.urandom(ENCS[enc])
    return jwe(alg, enc, aes.wrap(concat_kdf(z, alg, bits, **parties), cek), cek, head)


def spoiled(text):
    """The token with each of its parts changed; for those that are empty, filled."""
    parts = text.split(".")
    for i, part in enumerate(parts):
        if part:
            at = len(part) // 2
            other = part[:at] + ("A" if part[at] != "A" else "B") + part[at + 1:]
        else:
            other = "AAAA"
        yield ".".join(parts[:i] + [other] + parts[i + 1:])
        if part:
            yield ".".join(parts[:i] + [""] + parts[i + 1:])


PLAIN = "the secret text"


def decrypts_secret():
    """Each algorithm with a secret, each for contents; the secret in the configuration and in a variable."""
    secrets = {n: os.urandom(n) for n in (16, 24, 32, 48, 64)}
    exprs = {"s%d" % n: "req.hdr(x-token),jwt_decrypt_secret(%s)" % url64(s) for n, s in secrets.items()}
    exprs["var"] = "req.hdr(x-token),jwt_decrypt_secret(txn.key)"
    exprs["oct"] = "req.hdr(x-token),jwt_decrypt_jwk(txn.key)"
    judge = Judge(exprs)
    for enc, n in ENCS.items():
        judge.expect(PLAIN, "s%d" % n, jwe_secret("dir", enc, secrets[n]))
        judge.expect("", "s64" if n != 64 else "s32", jwe_secret("dir", enc, secrets[n]))
    for alg, n in SECRET_ALGS.items():
        for enc in ENCS:
            judge.expect(PLAIN, "s%d" % n, jwe_secret(alg, enc, secrets[n]))
    secret, other = secrets[32], os.urandom(32)
    for alg in ("dir", "A256KW", "A256GCMKW"):
        text = jwe_secret(alg, "A256GCM", secret)
        for key in (url64(secret), base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()):
            judge.expect(PLAIN, "var", text, key=key)
        judge.expect(PLAIN, "oct", text, key=json.dumps({"kty": "oct", "k": url64(secret)}))
        judge.expect(PLAIN, "oct", text, key=json.dumps({"kty": "oct", "k": url64(secret), "alg": alg, "use": "enc"}))
        for bad in ({"alg": "A128KW"}, {"use": "sig"}, {"kty": "RSA"}, {"k": "!"}, {"k": url64(other)}, {"k": 5}):
            judge.expect("", "oct", text, key=json.dumps(dict({"kty": "oct", "k": url64(secret)}, **bad)))
        for key in (url64(other), url64(secret[:16]), "!", "x" * 200):
            judge.expect("", "var", text, key=key)
        for bad in spoiled(text):
            judge.expect("", "s32", bad)
    text = jwe_secret("A256KW", "A256CBC-HS512", secret)
    for bad in spoiled(text):
        judge.expect("", "s32", bad)
    for extra in ({"zip": "DEF"}, {"crit": ["exp"]}, {"enc": "A256CTR"}, {"alg": "none"}, {"alg": 5}, {"enc": None}):
        judge.expect("", "s32", jwe_secret("dir", "A256GCM", secret, extra))
    for bad in ("", "....", "a.b.c", text + ".x", text.rsplit(".", 1)[0], "e30...."):
        judge.expect("", "s32", bad)


def decrypts_jwk():
    """RSA and key agreement, the key in a file and in a variable."""
    with open(path("rsa.jwk"), "w") as f:
        json.dump(rsa_jwk(), f)
    exprs = {"rsa": "req.hdr(x-token),jwt_decrypt_jwk(%s)" % path("rsa.jwk"), "var": "req.hdr(x-token),jwt_decrypt_jwk(txn.key)"}
    judge = Judge(exprs)
    for alg in OAEP:
        for enc in ("A128CBC-HS256", "A256GCM"):
            judge.expect(PLAIN, "rsa", jwe_rsa(alg, enc))
    judge.expect("", "rsa", jwe_rsa("RSA1_5", "A256GCM"))  # not by default
    text = jwe_rsa("RSA-OAEP", "A256GCM")
    judge.expect(PLAIN, "var", text, key=json.dumps(rsa_jwk()))
    judge.expect(PLAIN, "var", text, key=json.dumps(rsa_jwk(False)))
    judge.expect("", "var", text, key=json.dumps(dict(rsa_jwk(), alg="RSA-OAEP-256")))
    for member in ("n", "e", "d", "q", "qi"):
        broken = rsa_jwk()
        del broken[member]
        judge.expect("", "var", text, key=json.dumps(broken))
    for bad in spoiled(text):
        judge.expect("", "rsa", bad)
    judge.expect("", "rsa", jwe_secret("dir", "A256GCM", os.urandom(32)))
    for crv in ("P-256", "P-384", "P-521", "X25519", "X448"):
        key = json.dumps(ecdh_jwk(crv)[0])
        text = jwe_ecdh("ECDH-ES", "A128CBC-HS256", crv)
        judge.expect(PLAIN, "var", text, key=key)
        judge.expect("", "var", text, key=json.dumps(ecdh_jwk(crv)[1]))  # only the public half
        judge.expect("", "rsa", text)
    key = json.dumps(ecdh_jwk("P-256")[0])
    for alg in ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"):
        judge.expect(PLAIN, "var", jwe_ecdh(alg, "A256CBC-HS512", "P-256", apu=b"Alice", apv=b"Bob"), key=key)
    for bad in spoiled(text := jwe_ecdh("ECDH-ES+A128KW", "A128GCM", "P-256")):
        judge.expect("", "var", bad, key=key)
    # a point on no curve, of another curve, none at all
    epk = ecdh_jwk("P-256")[1]
    for bad in (dict(epk, y=epk["x"]), ecdh_jwk("P-384")[1], dict(epk, x="AA"), {}, 5, [epk]):
        judge.expect("", "var", jwe("ECDH-ES", "A128GCM", b"", os.urandom(16), {"epk": bad}), key=key)
    judge.expect(PLAIN, "var", jwe_ecdh("ECDH-ES+A128KW", "A128GCM", "P-256"), key=key)
    assert text


def decrypt_lists():
    """What the configuration allows: RSA1_5 when it says so, and nothing that it leaves out."""
    with open(path("rsa.jwk"), "w") as f:
        json.dump(rsa_jwk(), f)
    secret = os.urandom(32)
    judge = Judge({"rsa": "req.hdr(x-token),jwt_decrypt_jwk(%s)" % path("rsa.jwk"),
                   "secret": "req.hdr(x-token),jwt_decrypt_secret(%s)" % url64(secret)},
                  "global\n  jwt.decrypt_alg_list RSA1_5,dir A256KW\n  jwt.decrypt_enc_list A256GCM:A128CBC-HS256\n")
    for enc in ("A256GCM", "A128CBC-HS256"):
        judge.expect(PLAIN, "rsa", jwe_rsa("RSA1_5", enc))
        judge.expect(PLAIN, "secret", jwe_secret("dir", enc, secret))
        judge.expect(PLAIN, "secret", jwe_secret("A256KW", enc, secret))
    judge.expect("", "rsa", jwe_rsa("RSA-OAEP", "A256GCM"))
    judge.expect("", "rsa", jwe_rsa("RSA1_5", "A128GCM"))
    judge.expect("", "secret", jwe_secret("A256GCMKW", "A256GCM", secret))
    for wrapped in (rsa_wrap("RSA1_5", os.urandom(16)), rsa_wrap("RSA-OAEP", os.urandom(32)), os.urandom(256), bytes(256), b"\xff" * 256):
        judge.expect("", "rsa", jwe("RSA1_5", "A256GCM", wrapped, os.urandom(32)))
    refuses("length", "'RSA1-5' is no algorithm of encrypted tokens; did you mean 'RSA1_5'?", "global\n  jwt.decrypt_alg_list dir,RSA1-5\n")
    refuses("length", "expected algorithms such as 'A128GCM,A192GCM', got 'x'", "global\n  jwt.decrypt_enc_list x\n")
    refuses("length", "expected algorithms such as 'A256KW,A128GCMKW', got ''", "global\n  jwt.decrypt_alg_list dir,\n")
    refuses("jwt_decrypt_jwk(/no/such/file)", "'/no/such/file'")
    refuses("jwt_decrypt_jwk(%s)" % (rsa_key() + ".pub"), "the key cannot be used: it has no type (kty)")
    for jwk, why in (({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "it is not a private RSA key of two primes"),
                     ({"kty": "EC", "crv": "P-255"}, "its curve is none of P-256, P-384 and P-521"),
                     ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}, "it is not a private key on its curve"),
                     ({"kty": "OKP", "crv": "Ed25519"}, "its curve is neither X25519 nor X448"),
                     ({"kty": "oct"}, "its secret (k) is missing or not base64url"),
                     ({"kty": "oct", "k": "AAAA", "use": "sig"}, "its use is not enc"),
                     ({"kty": "oct", "k": "AAAA", "alg": "HS256"}, "its algorithm (alg) is none for encrypted tokens"),
                     ({"kty": "dsa"}, "its type (kty) is none of oct, RSA, EC and OKP")):
        with open(path("some.jwk"), "w") as f:
            json.dump(jwk, f)
        refuses("jwt_decrypt_jwk(%s)" % path("some.jwk"), "the key cannot be used: " + why)
    refuses("jwt_decrypt_secret(!)", "the secret is neither base64 nor a variable")
    refuses("jwt_decrypt_secret(AAAA)", "a secret has 16, 24, 32, 48 or 64 bytes")


if __name__ == "__main__":
    main({f.__name__: f for f in (signatures, confusion, queries, refusals, decrypts_secret, decrypts_jwk, decrypt_lists)})
