"""Checks a cosignature of a note from the words of c2sp.org/tlog-cosignature alone; openssl does the
arithmetic. Arguments: the note, and the public key of the witness."""

import base64
import hashlib
import pathlib
import struct
import subprocess
import sys
import tempfile

note = pathlib.Path(sys.argv[1]).read_text()
name, key_id, key = pathlib.Path(sys.argv[2]).read_text().strip().split("+", 2)
text, lines = note.rsplit("\n\n", 1)
text += "\n"
key = base64.b64decode(key)
assert key[0] == 4 and len(key) == 33
expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
assert expected.hex() == key_id

found = 0
for line in lines.splitlines():
    mark, by, blob = line.split(" ")
    blob = base64.b64decode(blob)
    if mark != "\u2014" or by != name or blob[:4] != expected:
        continue
    (time,) = struct.unpack(">Q", blob[4:12])
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        scratch.joinpath("message").write_bytes(message)
        scratch.joinpath("signature").write_bytes(blob[12:])
        # SubjectPublicKeyInfo of Ed25519: RFC 8410.
        public = bytes.fromhex("302a300506032b6570032100") + key[1:]
        scratch.joinpath("public").write_bytes(public)
        verify = "openssl pkeyutl -verify -pubin -inkey public -keyform DER -rawin -in message -sigfile signature"
        subprocess.run(verify.split(), cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    print(time)
    found += 1
sys.exit(0 if found == 1 else 1)
