"""Reads a Sessiontree store on disk by docs/format.md alone; checks every line, hash and digest. Exit code 1 on damage.
  python3 read_sessiontree.py ROOT [ID]    or, to check this reader:    python3 read_sessiontree.py --vectors FILE"""
import decimal, hashlib, json, math, pathlib, re, sys, zlib
ENVELOPE = "id parentId turnId createdAt at position hash digest hints leaf epoch turn".split()
CONTROL = "leaf_move", "void", "closed", "lost"
LINE = re.compile(rb'{"at":(\d+),"pos":(\d+),"more":(\d+),"by":"([\w-]+)","(record|removed|next)":(.*),"crc":"(.{8})"}')
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
    if not math.isfinite(value): raise ValueError("not a number of JSON")
    minus, digits, exponent = decimal.Decimal(repr(value + 0)).normalize().as_tuple()  # -0 + 0 is 0
    minus, digits, point = "-" * minus, "".join(map(str, digits)), len(digits) + exponent  # 0.DIGITS * 10 ** point
    if 0 < point <= 21: return minus + digits[:point].ljust(point, "0") + "." * (point < len(digits)) + digits[point:]
    if -6 < point <= 0: return minus + "0." + "0" * -point + digits
    return minus + digits[0] + "." * (1 < len(digits)) + digits[1:] + f"e{point - 1:+d}"

def verify(record, digests):  # digests: by id, of the entries before it; two may have one id
    content = {key: value for key, value in record.items() if key not in ENVELOPE and key[:1] != "$"}
    rest = [record["id"], record.get("turnId"), record["createdAt"], record["hash"]]
    possible = [hashed([parent, *rest]) for parent in digests[record["parentId"]]]
    if record["hash"] != hashed(content) or record["digest"] not in possible: raise ValueError("wrong hash or digest")
    if record["type"] not in CONTROL: digests.setdefault(record["id"], []).append(record["digest"])
    leaf = (record.get("leaf", record) or {"id": None})["id"]
    return {"leaf": leaf, "leafDigest": digests[leaf][-1]}

def segment(id):
    utf8 = id.encode()  # ValueError for a lone surrogate
    text = "".join([chr(byte) if re.match("[a-z0-9_-]", chr(byte)) else f"~{byte:02x}" for byte in utf8])
    if len(text) > 86: text = text[:20] + "~~" + hashlib.sha256(utf8).hexdigest()
    return f"~{utf8[0]:02x}{text[1:]}" if re.fullmatch("con|prn|aux|nul|com[0-9]|lpt[0-9]", text) else text or "~"
def names(scope, id, incarnation, createdAt, **_):
    scope, name = "".join([f"{segment(level['id'])}.{level['incarnation']}/" for level in scope]), segment(id)
    index = f"{scope}index/{2**48 - 1 - createdAt:012x}-{name}"
    return {"document": f"{scope}session/{name}", "log": f"{scope}session/{name}/{incarnation}", "index": index}

def whole(line):  # index, pos, more, by, kind and text of a line, if its checksum is right
    got = LINE.fullmatch(line)
    if got and got[7] == b"%08x" % zlib.crc32(line[:-18]): return [*map(int, got.group(1, 2, 3)), *got.group(4, 5, 6)]
def displaced(line, offset):  # whether it ends in a line that was meant for another place: it came behind a torn one
    ends = [(start.start(), whole(line[start.start():])) for start in re.finditer(b'{"at":', line)]
    return any(end and end[1] != offset + start for start, end in ends)
def read_lines(file):  # offset, index, kind and text of every line that counts
    lines, counting, batch, following, offset = file.read_bytes().split(b"\n"), [], [], None, 0
    for line in lines if whole(lines[-1][:-1]) else lines[:-1]:
        index, pos, more, by, kind, text = head = whole(line) or [None] * 6
        if head[:5] != following: batch = []
        if batch or pos == offset: batch.append((offset, index, kind, text))
        following = [index + 1, pos, more - 1, by, kind] if batch else None
        if batch and not more: counting += batch
        elif not (pos is not None or line.endswith(b"null") or displaced(line, offset)):
            raise ValueError(f"{file}, byte {offset}: a damaged line")
        offset += len(line) + 1
    successor = file.with_name(json.loads(counting[-1][3])) if counting and counting[-1][2] == b"next" else None
    return read_lines(successor if successor.exists() else file) if successor else counting

def session(root, key):  # what there is to say about one
    lines, digests, end = read_lines(root / "doc" / f"{key}.jsonl"), {None: ["0" * 64]}, {}
    document = json.loads(lines[-1][3]) if lines and lines[-1][2] == b"record" else {"state": "removed"}
    if document["state"] != "live": return document["state"]
    if document["format"] != 1: raise ValueError(f"this reader does not know format {document['format']}")
    log = root / "log" / key / f"{document['incarnation']}.jsonl"
    for at, (offset, index, _, text) in enumerate(read_lines(log) if log.exists() else []):
        try:
            if index != at: raise ValueError("missing before this")
            end = verify(parse(text), digests)
        except Exception as error: raise ValueError(f"{log}, byte {offset}, record {at}: {error!r}")
    return f"{sum(map(len, digests.values())) - 1} entries, leaf {end.get('leaf')}, digest {end.get('leafDigest')}, ok"

def vector(given, digests):  # whether this reader finds what a vector says
    try:
        if "json" in given: value = parse(given["json"]); found = {"canonical": canonical(value), "hash": hashed(value)}
        elif "text" in given: found = verify(parse(given["text"]), digests)
        else: found = names(**given) if "scope" in given else {"segment": segment(given["id"] * given.get("times", 1))}
    except ValueError: found = {"refused": True}
    if {**given, **found} != given: raise ValueError(f"found {found}")

if __name__ == "__main__":
    (first, *rest), failed = sys.argv[1:], 0
    if first == "--vectors":
        groups, digests = json.loads(pathlib.Path(rest[0]).read_text("utf-8")), {None: ["0" * 64]}
        cases = [(given["name"], vector, given, digests) for group in list(groups.values())[1:] for given in group]
    else:
        root, name = pathlib.Path(first), segment(rest[0]) if rest else "[^/]+"
        if json.loads((root / "sessiontree.json").read_text())["layout"] != 1: sys.exit("an unknown layout")
        keys = [file.relative_to(root / "doc").as_posix()[:-6] for file in sorted((root / "doc").rglob("*.jsonl"))]
        cases = [(key, session, root, key) for key in keys if re.fullmatch(rf"([^/]+\.\d+/)*session/{name}", key)]
    for name, look, *arguments in cases:
        try: print(f"{name}: {look(*arguments) or 'ok'}")
        except Exception as error: failed += 1; print(f"{name}: {error}")
    print(f"{len(cases)} checked, {failed} damaged")
    sys.exit(failed > 0)
