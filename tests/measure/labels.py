#!/usr/bin/env python3
"""Writes a table of labels for tests/measure/kinds.py from a folder of test data.

    tests/measure/labels.py FOLDER [--without FOLDER]… [--most N] > LABELS

The label of a file is the category of its own extension, where the system's lists of extensions (shared-mime-info's
globs2, and mime.types) agree on one, and libmagic agrees on whether it is text. Left out are empty files, those that
are in a folder given by --without, what is there twice, and of one extension more than N (40) files.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GLOBS, SUBCLASSES, TYPES = "/usr/share/mime/globs2", "/usr/share/mime/subclasses", "/etc/mime.types"
# Not told by an extension: programs and libraries, and what says nothing.
SKIPPED = {"bin", "dat", "tmp", "bak", "orig", "part", "in", "out", "result", "license", "lock"}


def lists():
    shared, system, above = {}, {}, {}
    with open(GLOBS, encoding="utf-8") as lines:
        for line in lines:
            parts = line.strip().split(":")
            if len(parts) >= 3 and parts[2].startswith("*.") and not set(parts[2][2:]) & set("*?["):
                shared.setdefault(parts[2][2:].lower(), []).append(parts[1])
    with open(TYPES, encoding="utf-8") as lines:
        for line in lines:
            words = line.split("#")[0].split()
            for ext in words[1:]:
                system.setdefault(ext.lower(), []).append(words[0])
    with open(SUBCLASSES, encoding="utf-8") as lines:
        for line in lines:
            kind, parent = line.split()
            above.setdefault(kind, []).append(parent)
    return shared, system, above


def is_text(media, above):
    if media.startswith("text/") or media.endswith(("+xml", "+json")) or media == "application/xml":
        return True
    return any(is_text(parent, above) for parent in above.get(media, []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--most", type=int, default=40)
    asked = parser.parse_args()
    sys.path.insert(0, HERE)
    from kinds import category_of, table
    categories = table()
    shared, system, above = lists()

    def digest(path):
        with open(path, "rb") as file:
            return hashlib.blake2b(file.read()).digest()

    def walk(folder):
        for base, folders, names in os.walk(folder):
            folders[:] = sorted(f for f in folders if f != ".git")
            for name in sorted(names):
                path = os.path.join(base, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) > 0:
                    yield path

    seen = {digest(path) for folder in asked.without for path in walk(folder)}
    chosen = []
    for path in walk(asked.folder):
        ext = os.path.splitext(path)[1][1:].lower()
        medias = shared.get(ext, []), system.get(ext, [])
        found = {category_of(m, categories) for both in medias for m in both} - {None}
        if ext in SKIPPED or not any(medias) or len(found) != 1:
            continue
        chosen.append((path, ext, found.pop(), {is_text(m, above) for m in medias[0]}))
    random.Random(1).shuffle(chosen)
    done = subprocess.run(["file", "-0", "-0", "--mime-encoding", "-f", "/dev/stdin"],
                          input="\n".join(c[0] for c in chosen).encode("utf-8", "surrogateescape"),
                          stdout=subprocess.PIPE, check=True)
    parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    encodings = {name.lstrip("\n"): encoding.strip() for name, encoding in zip(parts[0::2], parts[1::2])}
    counts, rows = {}, []
    for path, ext, category, textual in chosen:
        # What may be either is taken at its word.
        if len(textual) == 1 and category not in ("cad", "key", "data"):
            binary = encodings.get(path) == "binary"
            if textual == {True} and binary or textual == {False} and not binary and encodings.get(path) == "us-ascii":
                continue
        key = digest(path)
        if key in seen or counts.get(ext, 0) >= asked.most:
            continue
        seen.add(key)
        counts[ext] = counts.get(ext, 0) + 1
        rows.append(f"{os.path.relpath(path, asked.folder)}\t={category}\n")
    sys.stdout.writelines(sorted(rows))


if __name__ == "__main__":
    main()
