"""Seals and opens as ADR 0021 says, written from that page, RFC 5869, RFC 8439 and the XChaCha draft alone.

Prints the example that tests/personal/sealed.txt holds. With `open KEY PERSON PURPOSE STREAM EVENT FIELD
COMMITMENT NONCE CIPHERTEXT` (KEY and the last three in hexadecimal digits) prints the clear text.
"""

import hashlib
import hmac
import struct
import sys

FORMAT = b"tranche/sealed/v1"
BLOCK = 64


def hkdf(key, info, length):
    prk = hmac.new(FORMAT, key, hashlib.sha256).digest()
    out, last, count = b"", b"", 0
    while len(out) < length:
        count += 1
        last = hmac.new(prk, last + info + bytes([count]), hashlib.sha256).digest()
        out += last
    return out[:length]


def rotate(value, by):
    return ((value << by) | (value >> (32 - by))) & 0xFFFFFFFF


def rounds(state):
    state = list(state)

    def quarter(a, b, c, d):
        for one, other, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[one] = (state[one] + state[other]) & 0xFFFFFFFF
            state[third] = rotate(state[third] ^ state[one], by)

    for _ in range(10):
        for place in range(4):
            quarter(place, place + 4, place + 8, place + 12)
        for place in range(4):
            quarter(place, 4 + (place + 1) % 4, 8 + (place + 2) % 4, 12 + (place + 3) % 4)
    return state


WORDS = struct.unpack("<4I", b"expand 32-byte k")


def hchacha20(key, nonce):
    state = rounds(WORDS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *(state[:4] + state[12:]))


def chacha20(key, nonce, counter, data):
    out = bytearray()
    for start in range(0, len(data), 64):
        state = WORDS + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
        mixed = [(a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)]
        stream = struct.pack("<16I", *mixed)
        out += bytes(a ^ b for a, b in zip(data[start : start + 64], stream))
        counter += 1
    return bytes(out)


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for start in range(0, len(message), 16):
        block = message[start : start + 16] + b"\x01"
        total = (total + int.from_bytes(block, "little")) * r % ((1 << 130) - 5)
    total = (total + int.from_bytes(key[16:], "little")) % (1 << 128)
    return total.to_bytes(16, "little")


def tag_of(key, nonce, aad, ciphertext):
    def padded(part):
        return part + bytes(-len(part) % 16)

    lengths = struct.pack("<QQ", len(aad), len(ciphertext))
    message = padded(aad) + padded(ciphertext) + lengths
    return poly1305(chacha20(key, nonce, 0, bytes(32)), message)


def xchacha(key, nonce):
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]


def keys(key, person, purpose):
    info = b"\n".join([FORMAT, person.encode(), purpose.encode()])
    derived = hkdf(key, info, 96)
    return derived[:32], derived[32:64], derived[64:]


def associated(person, purpose, stream, event, field):
    return b"\n".join([FORMAT] + [part.encode() for part in (person, purpose, stream, event, field)])


def seal(key, place, clear):
    encrypt, nonce_key, commitment = keys(key, place[0], place[1])
    aad = associated(*place)
    padded = clear.encode() + b"\x80"
    padded += bytes(-len(padded) % BLOCK)
    nonce = hmac.new(nonce_key, aad + b"\x00" + padded, hashlib.sha256).digest()[:24]
    subkey, short = xchacha(encrypt, nonce)
    ciphertext = chacha20(subkey, short, 1, padded)
    return commitment, nonce, ciphertext + tag_of(subkey, short, aad, ciphertext)


def open_value(key, place, commitment, nonce, sealed):
    encrypt, _, expected = keys(key, place[0], place[1])
    if not hmac.compare_digest(expected, commitment):
        sys.exit("another key")
    aad = associated(*place)
    subkey, short = xchacha(encrypt, nonce)
    ciphertext, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(tag, tag_of(subkey, short, aad, ciphertext)):
        sys.exit("not what the key made for this place")
    return chacha20(subkey, short, 1, ciphertext).rstrip(b"\x00")[:-1].decode()


def main():
    if sys.argv[1:2] == ["open"]:
        key, *place = sys.argv[2:8]
        parts = [bytes.fromhex(part) for part in sys.argv[8:11]]
        print(open_value(bytes.fromhex(key), place, *parts))
        return
    person = "p00000000000000000000000000000001"
    place = (person, "contact", "subject-" + person, "subject.Registered", "/contact/name")
    for part in seal(bytes(range(32)), place, "Ada Byron"):
        print(part.hex())


if __name__ == "__main__":
    main()
