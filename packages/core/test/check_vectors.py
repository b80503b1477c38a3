"""Checks docs/format-vectors.json with the functions of tools/read_sessiontree.py: python3 check_vectors.py FILE"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tools"))
from read_sessiontree import CONTROL, Log, canonical, hashed, parse, segment


def names(scope, id, incarnation, createdAt, **_):
    root = "".join([f"{segment(level['id'])}.{level['incarnation']}/" for level in scope])
    name = segment(id)
    return {
        "document": f"{root}session/{name}",
        "log": f"{root}session/{name}/{incarnation}",
        "index": f"{root}index/{2**48 - 1 - createdAt:012x}-{name}",
    }


def path(records):
    """The ids from the leaf that the last record leaves behind back to its root."""
    at, last = len(records), records[-1]
    leaf = last.get("leaf", {"id": last["id"], "position": [0, at - 1]})
    ids = []
    while leaf and leaf["id"] is not None:
        at = find(records, leaf, at)
        record = records[at]
        ids.append(record["id"])
        parent = {"id": record["parentId"], "position": record.get("hints", {}).get("parent", [0, at - 1])}
        leaf = record["leaf"] if record["type"] == "lost" else parent
    return ids


def find(records, leaf, below):
    """Where it says, if the entry is there or a lost record in its place; else the nearest entry that has the id."""
    _, place = map(int, leaf["position"])
    for at in [place, *range(below - 1, -1, -1)]:
        if at >= below:
            continue
        record = records[at]
        is_entry = record["type"] not in CONTROL and record["id"] == leaf["id"]
        if is_entry or (at == place and record["type"] == "lost"):
            return at
    raise ValueError(f"{leaf['id']} is not there")


def found(given, log, records):
    """What the reader makes of one vector."""
    try:
        if "json" in given:
            value = parse(given["json"])
            return {"canonical": canonical(value), "hash": hashed(value)}
        if "text" in given:
            record = parse(given["text"])
            state = {**log.add(record), "epoch": record.get("epoch", 0), "turn": record.get("turn")}
            records.append(record)
            return {**state, "path": path(records)} if "path" in given else state
        return names(**given) if "scope" in given else {"segment": segment(given["id"] * given.get("times", 1))}
    except ValueError:
        return {"refused": True}


checked = failed = 0
for group in json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8")).values():
    log, records = Log(), []
    for given in group if isinstance(group, list) else []:
        checked += 1
        result = found(given, log, records)
        if {**given, **result} != given:
            failed += 1
            print(f"{given['name']}: found {result}")
print(f"{checked} checked, {failed} damaged")
sys.exit(failed > 0)
