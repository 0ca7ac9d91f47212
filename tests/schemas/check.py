"""Holds the events of stored commits against the committed schemas: check.py SCHEMAS COMMITS.jsonl"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker

schemas, commits = map(pathlib.Path, sys.argv[1:])
validators = {}
for path in sorted(schemas.glob("*/*.json")):
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    _, _, _, event, version = schema["$id"].split(":")
    if path != schemas / event.split(".")[0] / f"{event.split('.')[1]}.v{version}.json":
        sys.exit(f"{path}: its $id is {schema['$id']}")
    validators[event, int(version)] = Draft202012Validator(schema, format_checker=FormatChecker())

seen, findings = set(), []
for line in commits.read_text().splitlines():
    commit = json.loads(line)
    for event in commit["events"]:
        key = event["type"], event["schema_version"]
        seen.add(key)
        where = f"position {commit['position']}: {key[0]} version {key[1]}"
        if key not in validators:
            findings.append(f"{where}: no schema")
            continue
        for error in validators[key].iter_errors(event["data"]):
            findings.append(f"{where}: {error.json_path}: {error.message[:200]}")
if not seen:
    findings.append("no event was read")
print(f"{len(validators)} schemas, {len(seen)} of them seen")
sys.exit("\n".join(findings[:20]) if findings else 0)
