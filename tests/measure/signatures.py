#!/usr/bin/env python3
"""Writes daemon/src/inspect/signatures.tsv from public databases of signatures.

    tests/measure/signatures.py MAGDIR DROID_XML

MAGDIR is the folder magic/Magdir of the sources of file(1), DROID_XML a DROID_SignatureFile of the National Archives;
docs/kinds.md says where they come from, and on what terms. Each signature says who has it.

What is taken over: signatures of fixed bytes, perhaps masked, at fixed or bounded offsets within the first 4096 bytes,
whose format the table of media types knows, by its media type or else by its extensions. What is left out, and why:

- formats that a look inside tells better (INSIDE), and texts, which are told by their words;
- signatures that say less than four bytes, of which zeros, spaces and 0xff count a quarter: they would be wrong
  more often than right;
- signatures that two formats of different categories have: those say nothing.

A line is: media type, tests (all must hold), sources. A test is OFFSET:HEX, OFFSET-LAST:HEX where the bytes may begin
anywhere from OFFSET to LAST, and has /MASK behind it where only some bits count.
"""

import argparse
import os
import re
import sys
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
INSPECT = os.path.join(HERE, "../../daemon/src/inspect")
HEAD = 4096
LEAST_BYTES = 4
LEAST_WORTH = 3.5

# Containers, and what is told by looking into one: a signature there says less than the look.
INSIDE = {
    "", "application/octet-stream", "application/zip", "application/x-ole-storage", "application/xml",
    "application/json", "application/gzip", "application/pdf", "application/postscript",
    "application/illustrator", "image/x-eps", "text/plain", "video/mp4", "video/quicktime", "audio/mp4",
    "application/vnd.microsoft.portable-executable", "application/java-vm", "application/x-python-code",
    "application/x-raw-disk-image", "image/tiff", "video/matroska", "video/webm",
}
# The bytes with which those containers begin.
CONTAINERS = [bytes.fromhex(h) for h in (
    "504b0304", "504b0506", "d0cf11e0a1b11ae1", "1f8b", "25504446", "2521", "4d5a", "cafebabe", "1a45dfa3",
    "3026b2758e66cf11", "4f676753", "52494646", "494433", "89504e47", "ffd8", "3c3f786d6c", "3c",
)]


class Refused(Exception):
    """A signature that cannot be written in these terms."""


def table():
    """The types of the program: by name, by extension, and which are text."""
    row = re.compile(r'^\s*(binary|text|either)\("([^"]+)", "([^"]+)", \w+|^\s*(binary|text|either)\("([^"]+)", "([^"]+)"')
    forms = {}
    folder = os.path.join(INSPECT, "table")
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as lines:
            for line in lines:
                found = row.match(line)
                if found:
                    groups = [g for g in found.groups() if g]
                    forms[groups[1]] = groups[0]
    names, exts, categories = {}, {}, {}
    with open(os.path.join(HERE, "../../docs/media-types.tsv"), encoding="utf-8") as lines:
        for line in lines:
            media, category, extensions, others = line.rstrip("\n").split("\t")
            categories[media] = category
            for name in [media, *others.split()]:
                names[name.lower()] = media
            for ext in extensions.split():
                exts.setdefault(ext, []).append(media)
    return names, exts, categories, forms


# A test: first and last offset, bytes, mask (None: all bits).

def worth(tests):
    """How much the bytes say: a zero, a space or 0xff is common, anything else counts whole."""
    count, sum_ = 0, 0.0
    for _, _, data, mask in tests:
        for at, byte in enumerate(data):
            bits = 0xff if mask is None else mask[at]
            if bits == 0:
                continue
            count += bits in (0xff, 0xdf)
            sum_ += (0.25 if byte in (0, 0xff, 0x20) else 1.0) * bin(bits).count("1") / 8
    return count, sum_


def tidy(tests):
    """In the order of offsets, neighbours joined, none beyond the head."""
    out = []
    for first, last, data, mask in sorted(tests, key=lambda t: (t[0], t[1])):
        if not data:
            continue
        if first < 0 or last < first or first + len(data) > HEAD:
            raise Refused("offset")
        last = min(last, HEAD - len(data))
        if mask is not None and all(m == 0xff for m in mask):
            mask = None
        if out and out[-1][0] == out[-1][1] and first == last and out[-1][0] + len(out[-1][2]) == first:
            before = out.pop()
            joined = None
            if before[3] is not None or mask is not None:
                joined = (before[3] or b"\xff" * len(before[2])) + (mask or b"\xff" * len(data))
            out.append((before[0], before[0], before[2] + data, joined))
        elif (first, last, data, mask) not in out:
            out.append((first, last, data, mask))
    return out


def written(tests):
    parts = []
    for first, last, data, mask in tests:
        at = str(first) if first == last else f"{first}-{last}"
        parts.append(f"{at}:{data.hex()}" + (f"/{mask.hex()}" if mask else ""))
    return " ".join(parts)


def asks_less(few, many):
    """Whether what passes the tests of `many` passes those of `few`: each is there, or the beginning of one there."""
    def within(test):
        place, _, what = test.partition(":")
        return any(t == test or "/" not in t + test and t.partition(":")[0] == place
                   and t.partition(":")[2].startswith(what) for t in many)
    return all(within(test) for test in few) and few != many


ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|[0-7]{1,3}|.)", re.S)
SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def unescape(text):
    def one(found):
        what = found.group(1)
        if what[0] == "x" and len(what) == 3:
            return chr(int(what[1:], 16))
        if what[0] in "01234567":
            return chr(int(what, 8) & 0xff)
        return SIMPLE.get(what, what)
    return ESCAPE.sub(one, text).encode("latin-1", "strict")


# file(1): magic(5).

SIZES = {"byte": 1, "short": 2, "long": 4, "quad": 8, "date": 4, "ldate": 4}
LINE = re.compile(r"^(>*)([^\s>]\S*)\s+((?:\\.|[^\s\\])+)\s+((?:\\.|[^\s\\])+)")


def magic_string(text):
    return unescape(text.replace("\\ ", " "))


def magic_test(offset, kind, value):
    if not re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", offset):
        raise Refused("offset")
    at = int(offset, 16) if offset.lower().startswith("0x") else int(offset)
    if value == "x":
        return None
    name, _, flags = kind.partition("/")
    if name in ("string", "ustring"):
        if value[0] in "<>!^~":
            raise Refused("comparison")
        if value[0] == "=":
            value = value[1:]
        data = magic_string(value)
        if re.search(r"[wWTf]", flags) or re.search(r"\d", flags):
            raise Refused("flags")
        mask = None
        if "c" in flags or "C" in flags:
            mask = bytes(0xdf if chr(b).isalpha() and b < 128 else 0xff for b in data)
            data = bytes(d & m for d, m in zip(data, mask))
        return (at, at, data, mask)
    if name == "search":
        span = re.match(r"(0x[0-9A-Fa-f]+|\d+)", flags)
        if not span or re.search(r"[wWcC]", flags.replace(span.group(1), "", 1)) or value[0] in "<>!^~":
            raise Refused("flags")
        data = magic_string(value[1:] if value[0] == "=" else value)
        return (at, at + max(0, int(span.group(1), 0) - 1), data, None)
    name, amp, masked = kind.partition("&")
    if name.startswith("u"):
        name = name[1:]
    order = {"be": "big", "le": "little"}.get(name[:2])
    size = SIZES.get(name[2:] if order else name)
    if size is None or (order is None and size > 1):
        raise Refused("type")
    if value[0] in "<>!^~&":
        raise Refused("comparison")
    number = value[1:] if value[0] == "=" else value
    try:
        bits = (1 << 8 * size) - 1
        number = int(number.rstrip("lLuU"), 8 if re.fullmatch(r"0[0-7]+", number) else 0) & bits
        mask = int(masked, 0).to_bytes(size, order or "big") if amp else None
    except ValueError as error:
        raise Refused("value") from error
    data = number.to_bytes(size, order or "big")
    if mask is not None:
        data = bytes(d & m for d, m in zip(data, mask))
    return (at, at, data, mask)


def magic(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="latin-1") as lines:
            yield from magic_file(lines)


def magic_file(lines):
    # For each level the test of the last line there; None where it cannot be written in these terms.
    path, said = [], {}
    entries = []
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("!:"):
            word, *more = re.split(r"\s+", line[2:].strip(), maxsplit=1)
            if more and path:
                said.setdefault(word, more[0].split("#")[0].strip())
            continue
        if not line.strip() or line.startswith("#"):
            continue
        if said:
            entries.append((list(path), said))
            said = {}
        found = LINE.match(line)
        level = len(line) - len(line.lstrip(">"))
        path = path[:level]
        if not found or len(path) < level:
            path += [Refused] * (level + 1 - len(path))
            continue
        _, offset, kind, value = found.groups()
        try:
            path.append(magic_test(offset, kind, value))
        except Refused:
            path.append(Refused)
    if said:
        entries.append((list(path), said))
    for tests, words in entries:
        if Refused in tests:
            continue
        exts = [e for e in re.split(r"[/\s]+", words.get("ext", "")) if e and e != "???"]
        yield words.get("mime", ""), exts, [t for t in tests if t], "file"


# DROID.

def droid_bytes(text):
    """A sequence of hexadecimal bytes, of which some may be any."""
    data, mask, at = b"", b"", 0
    while at < len(text):
        found = re.compile(r"\s+|([0-9A-Fa-f]{2})|\?\?|'([^']*)'|\{(\d+)\}").match(text, at)
        if not found:
            raise Refused("sequence")
        at = found.end()
        if found.group(1):
            data, mask = data + bytes.fromhex(found.group(1)), mask + b"\xff"
        elif found.group(2) is not None:
            literal = found.group(2).encode("latin-1")
            data, mask = data + literal, mask + b"\xff" * len(literal)
        elif found.group(3):
            data, mask = data + bytes(int(found.group(3))), mask + bytes(int(found.group(3)))
        elif found.group(0) == "??":
            data, mask = data + b"\0", mask + b"\0"
    return data, mask


def droid_parts(sub):
    """From left to right: gap before it (least, most) and the alternatives of each part; the first has no gap."""
    def fragments(side):
        by_position = {}
        for fragment in sub.findall("{*}" + side):
            gap = (int(fragment.get("MinOffset", 0)), int(fragment.get("MaxOffset", 0)))
            by_position.setdefault(int(fragment.get("Position", 1)), []).append((gap, fragment.text or ""))
        return [by_position[n] for n in sorted(by_position)]

    # Of what stands to the left the nearest comes first, and its gap is the one behind it.
    parts = [[((0, 0), sub.findtext("{*}Sequence") or "")]]
    for choices in fragments("LeftFragment"):
        gap = choices[0][0]
        if any(g != gap for g, _ in choices):
            raise Refused("gaps")
        parts[0] = [(gap, text) for _, text in parts[0]]
        parts.insert(0, [((0, 0), text) for _, text in choices])
    return parts + fragments("RightFragment")


def droid_sequence(sequence):
    """The alternatives, each a list of tests."""
    found = [([], 0, 0)]
    for sub in sorted(sequence.findall("{*}SubSequence"), key=lambda s: int(s.get("Position", 1))):
        least, most = int(sub.get("SubSeqMinOffset", 0)), sub.get("SubSeqMaxOffset")
        if most is None and not found[0][0]:
            raise Refused("anywhere")
        found = [(tests, low + least, high + int(most) if most is not None else HEAD) for tests, low, high in found]
        for choices in droid_parts(sub):
            longer = []
            for tests, low, high in found:
                for (near, far), text in choices:
                    data, mask = droid_bytes(text)
                    begin, end = low + near, high + far
                    longer.append((tests + [(begin, end, data, mask)], begin + len(data), end + len(data)))
            found = longer
            if len(found) > 24:
                raise Refused("too many ways")
    return [tests for tests, _, _ in found]


def droid(path):
    root = ET.parse(path).getroot()
    signatures = {}
    for signature in root.iter():
        if not signature.tag.endswith("}InternalSignature") and signature.tag != "InternalSignature":
            continue
        try:
            found = [[]]
            for sequence in signature.findall("{*}ByteSequence"):
                # What the end of the file must be is left out where the beginning says enough.
                if sequence.get("Reference") == "BOFoffset":
                    found = [a + b for a in found for b in droid_sequence(sequence)]
            if len(signature.findall("{*}ByteSequence")) > 1 and any(worth(t)[1] < 6 for t in found):
                continue
            signatures[signature.get("ID")] = found
        except Refused:
            pass
    for form in root.iter():
        if not form.tag.endswith("FileFormat"):
            continue
        exts = [e.text.lower() for e in form.findall("{*}Extension") if e.text]
        medias = [m.strip() for m in (form.get("MIMEType") or "").split(",")]
        for number in form.findall("{*}InternalSignatureID"):
            for tests in signatures.get(number.text, []):
                if tests:
                    yield medias, exts, tests, "pronom"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("magic", metavar="MAGDIR")
    parser.add_argument("droid", metavar="DROID_XML")
    parser.add_argument("--unknown", action="store_true", help="list the formats that the table does not know")
    asked = parser.parse_args()
    names, by_ext, categories, forms = table()
    read = [*magic(asked.magic), *droid(asked.droid)]

    counts, found, unknown = {}, {}, {}

    def count(what):
        counts[what] = counts.get(what, 0) + 1

    for medias, exts, tests, source in read:
        medias = [medias] if isinstance(medias, str) else medias
        media = next((names[m.lower()] for m in medias if m.lower() in names), None)
        if media is None or media in INSIDE:
            # An extension speaks for a type only if all that the format has speak for one category.
            types = [by_ext[e.lower()] for e in exts if e.lower() in by_ext]
            if types and media is None and len({categories[t] for ts in types for t in ts}) == 1:
                media = types[0][0]
        if media is None:
            unknown.setdefault((medias[0] if medias else "", " ".join(exts)), []).append(tests)
            count("of a format that the table does not know")
            continue
        if media in INSIDE:
            count("of a container that is looked into")
            continue
        try:
            tests = tidy(tests)
        except Refused:
            count("beyond the head")
            continue
        fixed = [t for t in tests if t[0] == t[1]]
        if forms.get(media) == "text":
            count("of a text")
            continue
        begin = fixed[0][2] if fixed and fixed[0][0] == 0 and fixed[0][3] is None else b""
        if any(begin.startswith(c) for c in CONTAINERS):
            count("of a container that is looked into")
            continue
        bytes_, value = worth(tests)
        if bytes_ < LEAST_BYTES or value < LEAST_WORTH:
            count("too short")
            continue
        # What may stand anywhere must say more, and cost little to look for.
        if not fixed and max(len(t[2]) for t in tests) < 8:
            count("too short for where it may stand")
            continue
        line = written(tests)
        found.setdefault(line, {}).setdefault(media, set()).add(source)

    # What asks for more than another of the same type says nothing new.
    tests_of = {line: set(line.split()) for line in found}
    by_media = {}
    for line, medias in found.items():
        for media in medias:
            by_media.setdefault(media, []).append(line)
    implied = {line for lines in by_media.values() for line in lines for other in lines
               if other != line and len(found[line]) == 1 and asks_less(tests_of[other], tests_of[line])}
    counts["that ask for more than another of their type"] = len(implied)

    rows = []
    for line, medias in found.items():
        if line in implied:
            continue
        if len({categories[m] for m in medias}) > 1:
            count("of two formats")
            continue
        media = max(medias, key=lambda m: (len(medias[m]), m))
        rows.append((media, line, " ".join(sorted(set().union(*medias.values())))))
    rows.sort()
    with open(os.path.join(INSPECT, "signatures.tsv"), "w", encoding="ascii") as out:
        out.writelines("\t".join(row) + "\n" for row in rows)
    print(f"{len(rows)} signatures of {len({r[0] for r in rows})} types", file=sys.stderr)
    for what, number in sorted(counts.items()):
        print(f"left out: {number} {what}", file=sys.stderr)
    if asked.unknown:
        for (media, exts), tests in sorted(unknown.items()):
            print(f"{media}\t{exts}\t{len(tests)}")


if __name__ == "__main__":
    main()
