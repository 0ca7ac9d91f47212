"""Draws a sample and projects its errors again, from ADR 0017 and Poisson's distribution, with nothing of
Tranche: Python, SHA-256 and fractions.

    sample.py draw POPULATION.csv ASSURANCE MATERIALITY EXPECTED ROOT NONCE [ITEM=AUDITED ...]
    sample.py attribute POPULATION.csv ASSURANCE TOLERABLE EXPECTED ROOT NONCE
    sample.py factors factors.rs

Amounts are in cents, rates are fractions. POPULATION.csv is what `tranche audit export payments` writes.
"""

import csv
import hashlib
import json
import math
import re
import sys
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60
EXPANSION = {"80%": Fraction(13, 10), "90%": Fraction(3, 2), "95%": Fraction(8, 5)}


def factor(found, assurance):
    """The mean of which `found` or fewer are seen with the risk that is left, by halving."""
    risk = 1 - Decimal(assurance.rstrip("%")) / 100
    low, high = Decimal(0), Decimal(200)
    for _ in range(150):
        mean = (low + high) / 2
        term = total = Decimal(1)
        for k in range(1, found + 1):
            term = term * mean / k
            total += term
        if total * (-mean).exp() > risk:
            low = mean
        else:
            high = mean
    return Fraction(low)


def sha(data):
    return hashlib.sha256(data).digest()


def block(seed, number):
    return sha(seed + number.to_bytes(8, "big"))


def half_up(value):
    return math.floor(value + Fraction(1, 2))


def population(path):
    with open(path, newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [(row["item"], int(row["amount"].replace(".", ""))) for row in rows]


def walk(items, seed):
    by_name = sorted(items, key=lambda item: item[0].encode())
    numbered = enumerate(by_name, 1)
    return [item for _, item in sorted((block(seed, number), item) for number, item in numbered)]


def monetary(items, n, seed):
    book = sum(value for _, value in items)
    start = int.from_bytes(block(seed, 0), "big") % book
    top = [item for item in walk(items, seed) if item[1] * n >= book]
    rest = [item for item in walk(items, seed) if item[1] * n < book]
    drawn, before = [(name, value, True) for name, value in top], 0
    for name, value in rest:
        # The number of points start + k * book in [before * n, (before + value) * n).
        points = lambda end: max(0, -((start - end * n) // book))
        if points(before + value) > points(before):
            drawn.append((name, value, False))
        before += value
    return drawn


def project(book, n, assurance, drawn, audited):
    interval = Fraction(book, n)
    if sum(value for _, value, _ in drawn) == book:
        loss = sum(max(0, value - audited.get(name, value)) for name, value, _ in drawn)
        return {"likely": loss, "basic": 0, "allowance": 0, "limit": loss}
    top = sum(v - audited.get(i, v) for i, v, is_top in drawn if is_top and audited.get(i, v) < v)
    errors = [(v - audited[i], v) for i, v, is_top in drawn if not is_top and audited.get(i, v) < v]
    errors.sort(key=lambda error: -Fraction(*error))
    factors = [factor(k, assurance) for k in range(len(errors) + 1)]
    likely = top + sum(half_up(Fraction(*error) * interval) for error in errors)
    steps = zip(errors, factors, factors[1:])
    allowance = sum(half_up((b - a - 1) * Fraction(*error) * interval) for error, a, b in steps)
    basic = half_up(factors[0] * interval)
    limit = likely + basic + allowance
    return {"likely": likely, "basic": basic, "allowance": allowance, "limit": limit}


def main(task, path, *rest):
    if task == "factors":
        text = open(path).read()
        for assurance in EXPANSION:
            table = re.search(rf"FACTORS_{assurance[:2]}[^=]*= \[([^\]]*)\]", text).group(1)
            printed = [int(number.replace("_", "")) for number in table.split(",") if number.strip()]
            solved = [math.floor(factor(k, assurance) * 10**12 + Fraction(1, 2)) for k in range(51)]
            assert printed == solved, assurance
        print("153 factors")
        return
    assurance, tolerable, expected, root, nonce, *errors = rest
    items = population(path)
    book = sum(value for _, value in items)
    seed = sha(bytes.fromhex(root) + bytes.fromhex(nonce))
    lines = "".join(f"{name}\t{value}\n" for name, value in sorted(items)).encode()
    answer = {"seed": seed.hex(), "population_sha256": sha(lines).hex()}
    if task == "attribute":
        tolerable, expected, k = Fraction(tolerable), Fraction(expected), 0
        while math.ceil(math.ceil(factor(k, assurance) / tolerable) * expected) > k:
            k += 1
        n = math.ceil(factor(k, assurance) / tolerable)
        drawn = [(name, value, False) for name, value in walk(items, seed)[:n]]
    else:
        margin = int(tolerable) - int(expected) * EXPANSION[assurance]
        n = math.ceil(book * factor(0, assurance) / margin)
        drawn = monetary(items, n, seed)
        audited = {name: int(value) for name, value in (error.split("=") for error in errors)}
        answer.update(project(book, n, assurance, drawn, audited))
    answer.update({"size": n, "items": [[name, value, is_top] for name, value, is_top in drawn]})
    print(json.dumps(answer))


main(*sys.argv[1:])
