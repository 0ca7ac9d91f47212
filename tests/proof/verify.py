"""Checks a published log from the specifications alone, with Python's library and openssl.

    verify.py SITE PUBLIC_KEY [PROOF COMMIT]

SITE is a directory as c2sp.org/tlog-tiles lays it out. It is read as a stranger would: the signature of
the checkpoint (c2sp.org/signed-note), its root from the entries (RFC 6962, section 2.1), every tile
from them, and a proof of one commit (c2sp.org/tlog-proof@v1). It shares no code with what it checks.
"""

import base64
import hashlib
import pathlib
import subprocess
import sys
import tempfile

WIDTH = 256
# RFC 8410: what stands before the 32 bytes of an Ed25519 key.
SPKI = bytes.fromhex("302a300506032b6570032100")


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def root(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root(hashes[:split]), root(hashes[split:]))


def check(holds, what):
    if not holds:
        sys.exit(f"REFUSED: {what}")


def base64_of(text):
    """Bytes, from the one way to write them: Python's decoder passes over the bits that are not needed."""
    data = base64.b64decode(text, validate=True)
    check(base64.b64encode(data).decode() == text, "the Base64")
    return data


def number(text):
    check(text.isascii() and text.isdigit() and str(int(text)) == text, "a number")
    return int(text)


def lines_of(text):
    """Lines that all end with a newline, and with nothing else that Python takes for one."""
    check(text == "" or text.endswith("\n"), "the end of a line")
    return text.split("\n")[:-1]


def read_text(path):
    return path.read_bytes().decode()


def verify_note(note, vkey):
    """The text of a note that the key has signed."""
    name, key_id, key = vkey.split("+", 2)
    key = base64_of(key)
    check(key[0] == 1 and len(key) == 33, "the key is not Ed25519")
    check(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "the id of the key")
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    for line in lines_of(lines):
        check(line.startswith("— ") and line.count(" ") == 2, "the form of a signature")
        _, signer, signature = line.split(" ")
        signature = base64_of(signature)
        if (signer, signature[:4].hex()) == (name, key_id):
            check(openssl(text.encode(), signature[4:], key[1:]), "the signature")
            return text
    check(False, "nobody known has signed")


def openssl(message, signature, key):
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch)
        (path / "key").write_bytes(SPKI + key)
        (path / "message").write_bytes(message)
        (path / "signature").write_bytes(signature)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key",
                   "-rawin", "-in", "message", "-sigfile", "signature"]
        return subprocess.run(command, cwd=path, capture_output=True).returncode == 0


def read_checkpoint(text):
    lines = lines_of(text)
    check(len(lines) == 3, "the lines of a checkpoint")
    return lines[0], number(lines[1]), base64_of(lines[2])


def path_of(kind, index, width):
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"tile/{kind}/{name}" + ("" if width == WIDTH else f".p/{width}")


def resources(count):
    """Index and width of each tile of a level with so many hashes."""
    for index in range(-(-count // WIDTH)):
        yield index, min(WIDTH, count - index * WIDTH)


def read_entries(site, size):
    for index, width in resources(size):
        bundle = (site / path_of("entries", index, width)).read_bytes()
        at = 0
        for _ in range(width):
            length = int.from_bytes(bundle[at:at + 2], "big")
            check(at + 2 + length <= len(bundle), "the length of a bundle")
            yield bundle[at + 2:at + 2 + length]
            at += 2 + length
        check(at == len(bundle), "the end of a bundle")


def check_tiles(site, hashes):
    level = 0
    while hashes:
        for index, width in resources(len(hashes)):
            tile = (site / path_of(level, index, width)).read_bytes()
            wanted = b"".join(hashes[index * WIDTH:index * WIDTH + width])
            check(tile == wanted, f"tile {level}/{index}")
        full = len(hashes) // WIDTH
        hashes = [root(hashes[at * WIDTH:(at + 1) * WIDTH]) for at in range(full)]
        level += 1


def check_proof(proof, entry, vkey):
    head, note = proof.split("\n\n", 1)
    lines = head.split("\n")
    check(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("index "), "the form")
    index, path = number(lines[1][6:]), [base64_of(line) for line in lines[2:]]
    _, size, expected = read_checkpoint(verify_note(note, vkey))
    check(index < size, "the index")
    # RFC 9162, section 2.1.3.2.
    node, last, found = index, size - 1, leaf_hash(entry)
    for step in path:
        check(last > 0, "a proof that is too long")
        if node % 2 or node == last:
            found = node_hash(step, found)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    check(last == 0 and found == expected, "the proof")


def main():
    site, vkey = pathlib.Path(sys.argv[1]), sys.argv[2]
    text = verify_note(read_text(site / "checkpoint"), vkey)
    origin, size, expected = read_checkpoint(text)
    check(origin == vkey.split("+", 1)[0], "the origin")
    entries = list(read_entries(site, size))
    hashes = [leaf_hash(entry) for entry in entries]
    check(root(hashes) == expected, "the root")
    check_tiles(site, hashes)
    if len(sys.argv) > 3:
        entry = pathlib.Path(sys.argv[4]).read_bytes()
        check_proof(read_text(pathlib.Path(sys.argv[3])), entry, vkey)
    print(f"{size} entries verified")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"REFUSED: {error}")
