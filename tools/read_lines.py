"""Reads a file of lines of a store on disk, by docs/format.md alone: which of them count, and where it is damaged."""
import json, re, zlib
LINE = re.compile(rb'{"at":(\d+),"pos":(\d+),"more":(\d+),"by":"([\w-]+)","(record|removed|next)":(.*),"crc":"(.{8})"}')
WRITES = re.compile(rb'({|{"|{"a|{"at|{"at"|n|nu|nul|null)*({"at":.*)?')  # how a write begins, or several torn ones
def whole(line):  # index, pos, more, by, kind and text of a line, if its checksum is right
    got = LINE.fullmatch(line)
    if got and got[7] == b"%08x" % zlib.crc32(line[:-18]): return [*map(int, got.group(1, 2, 3)), *got.group(4, 5, 6)]
def last_line(text):  # where the undamaged line starts that it ends in, and what that says
    lines = ((found.start(), whole(text[found.start():])) for found in re.finditer(b'{"at":', text))
    return next((line for line in lines if line[1]), (len(text), None))
def is_torn(text): return WRITES.fullmatch(text) and not whole(text[:-1])  # not a whole line and one byte more
def is_unwritten(text, start, offset, ended):  # zeros where a write began, up to a sector's edge, the end or a write
    ends = [zeros.end() for zeros in re.finditer(b"\0+", text[:start]) if WRITES.fullmatch(text.split(b"\0")[0])]
    return any((offset + end) % 512 == 0 or (WRITES.fullmatch(text[end:]) if text[end:] else not ended) for end in ends)
def read_lines(file, missing=None):  # offset, index, kind and text of every line that counts
    counting, damaged, unwritten, following, offset = [], None, False, None, 0
    for line in re.findall(rb".*\n|.+", file.read_bytes() if file.exists() else b""):
        text, ended = line.rstrip(b"\n"), line.endswith(b"\n")
        start, head = last_line(text) if ended else (len(text), None)
        before, place, length = text[:start], offset + start, counting[-1][1] + 1 if counting else 0
        if head: fine = not before or is_torn(before) and head[1] != place
        else: fine = WRITES.fullmatch(text[:-4]) and text.endswith(b"null") if ended else is_torn(text)
        if not fine and (ended or not whole(text[:-1])) and is_unwritten(text, start, offset, ended): unwritten = True
        elif not fine and damaged is None: damaged = offset
        if head:
            index, pos, more, by, kind, value = head
            if not fine or head[:5] != following:
                batch, counts = [], pos == place
                if index > length and not unwritten and damaged is None: damaged = offset
            elif before: counts = False
            batch.append((place, index, kind, value))
            if counts and not more: counting[len(counting):], damaged, unwritten = batch, None, False
        following = [index + 1, pos, more - 1, by, kind] if head and more else None
        offset += len(line)
    if counting and counting[-1][2] == b"next":
        successor = file.with_name(json.loads(counting[-1][3]))
        return read_lines(successor) if successor.exists() or successor == missing else read_lines(file, successor)
    if damaged is not None: raise ValueError(f"{file}, byte {damaged}, record {length}: damaged")
    return counting
