"""Reads a store on disk by docs/format.md alone and checks it, line by line: python3 read_sessiontree.py ROOT [ID]"""
import decimal, hashlib, json, pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))  # isolated Python does not look beside this file
from read_lines import read_lines
ENVELOPE = "id parentId turnId createdAt at position hash digest hints leaf epoch turn".split()
CONTROL = "leaf_move", "void", "closed", "lost"
def parse(text): return json.loads(text, parse_int=float)  # JSON has one type of number
def hashed(value): return hashlib.sha256(canonical(value).encode()).hexdigest()
def canonical(value, level=1):
    if isinstance(value, (dict, list)) and level > 256: raise ValueError("nested deeper than 256 levels")
    if isinstance(value, float): return number(value)
    if isinstance(value, list): return "[" + ",".join([canonical(item, level + 1) for item in value]) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join([canonical(key) + ":" + canonical(value[key], level + 1) for key in keys]) + "}"
    return re.sub("[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", json.dumps(value, ensure_ascii=False))
def number(value):  # repr has the digits that ECMAScript has, and arranges them in another way
    if value and not 1e-6 <= abs(value) < 1e21: return json.dumps(value, allow_nan=False).replace("e-0", "e-")
    return f"{decimal.Decimal(repr(value + 0)).normalize():f}"  # -0 + 0 is 0
def segment(id):
    utf8 = id.encode()  # ValueError for a lone surrogate
    text = "".join([chr(byte) if re.match("[a-z0-9_-]", chr(byte)) else f"~{byte:02x}" for byte in utf8])
    if len(text) > 86: text = text[:20] + "~~" + hashlib.sha256(utf8).hexdigest()
    return f"~{utf8[0]:02x}{text[1:]}" if re.fullmatch("con|prn|aux|nul|com[0-9]|lpt[0-9]", text) else text or "~"
class Log:  # what its records say
    def __init__(self): self.digests, self.last, self.lost = {None: ["0" * 64]}, None, 0  # two entries may have one id
    def known(self, id): return self.digests.get(id, []) if self.lost else self.digests[id]  # it may be one of the lost
    def add(self, record):  # checks the next one; returns the state that it leaves behind
        content = {key: value for key, value in record.items() if key not in ENVELOPE and key[:1] != "$"}
        rest = [record["id"], record.get("turnId"), record["createdAt"], record["hash"]]
        fit = [hashed([parent, *rest]) for parent in self.known(record["parentId"])] or [record["digest"]]
        if record["hash"] != hashed(content) or record["digest"] not in fit: raise ValueError("wrong hash or digest")
        if self.last == "closed": raise ValueError("behind the record that ended the log")
        self.last, self.lost = record["type"], self.lost + (record["type"] == "lost")
        if self.last not in CONTROL: self.digests.setdefault(record["id"], []).append(record["digest"])
        leaf = (record.get("leaf", record) or {"id": None})["id"]
        return {"leaf": leaf, "leafDigest": [None, *self.known(leaf)][-1]}
def document(root, key):  # what it holds
    lines = read_lines(root / "doc" / f"{key}.jsonl")
    found = json.loads(lines[-1][3]) if lines and lines[-1][2] == b"record" else {"state": "removed", "format": 1}
    if found["format"] != 1: raise ValueError(f"this reader does not know format {found['format']}")
    return found
def handed_down(root, lineage):  # the records that a fork has from its ancestors, newest first
    logs = [[parse(line[3]) for line in read_lines(root / "log" / f"{one['log']}.jsonl")][:one["upTo"] + 1] for one in lineage]
    for log, one in zip(logs, lineage):
        if len(log) <= one["upTo"] or log[-1]["type"] != "lost" and log[-1]["id"] != one["tip"]:
            raise ValueError(f"{one['log']} does not hold {one['tip']} at {one['upTo']}")
    spot = len(logs) - 1, len(logs[-1]) - 1 if logs else -1
    while spot and logs:
        yield (record := logs[spot[0]][spot[1]])
        wanted = (record["leaf"] or {"id": None})["id"] if record["type"] == "lost" else record["parentId"]
        before = ((at, index) for at in range(spot[0], -1, -1) for index in range(len(logs[at]) - 1, -1, -1))
        spot = wanted and next((one for one in before if one < spot and logs[one[0]][one[1]]["id"] == wanted), None)
        if wanted and not spot: raise ValueError(f"the path that it shares lacks {wanted}")
def session(root, key):  # what there is to say about one
    for level in re.finditer(r"([^/]+)\.(\d+)/", key):
        scope = document(root, f"{key[:level.start()]}scope/{level[1]}")
        if scope.get("incarnation", 0) != int(level[2]): return "erased"
    if (found := document(root, key))["state"] != "live": return found["state"]
    file, log, end = root / "log" / key / f"{found['incarnation']}.jsonl", Log(), {}
    for record in list(handed_down(root, found.get("lineage", [])))[::-1]:
        end = log.add({field: value for field, value in record.items() if field != "leaf"})
    for at, (offset, index, _, text) in enumerate(read_lines(file)):
        try:
            if index != at: raise ValueError("missing before this")
            end = log.add(parse(text))
        except Exception as error: raise ValueError(f"{file}, byte {offset}, record {at}: {error!r}")
    entries, leaf, digest = sum(map(len, log.digests.values())) - 1, end.get("leaf"), end.get("leafDigest")
    return f"{entries} entries, {log.lost} lost, leaf {leaf}, digest {digest}, ok"
if __name__ == "__main__":
    root, name, failed = pathlib.Path(sys.argv[1]), segment(sys.argv[2]) if sys.argv[2:] else "[^/]+", 0
    if json.loads((root / "sessiontree.json").read_text())["layout"] != 1: sys.exit("an unknown layout")
    keys = [file.relative_to(root / "doc").as_posix()[:-6] for file in sorted((root / "doc").rglob("*.jsonl"))]
    for key in (keys := [key for key in keys if re.fullmatch(rf"([^/]+\.\d+/)*session/{name}", key)]):
        try: print(f"{key}: {session(root, key)}")
        except Exception as error: failed += 1; print(f"{key}: {error}")
    print(f"{len(keys)} checked, {failed} damaged")
    sys.exit(failed > 0)
