#!/usr/bin/env python3
"""How often `tidyd inspect` and `file` put files into the right category.

    tests/measure/kinds.py [--misses] TIDYD LABELS

LABELS is a table, its columns separated by tabs, of files that somebody else has said what they are:
path (beside the table) and media type, or `=category`. A table whose first line has the columns
`path` and `mime` or `category` may have more. Every file is shown to both programs four times: under
its own extension, without any, as `.bin`, which says nothing, and with the extension of something else.
A media type stands for the category that docs/media-types.tsv gives it; those it does not know are
counted as such and left out.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "../../docs/media-types.tsv")

# What libmagic calls things by names of its own: no mistake of its, and no name of anybody else's.
LIBMAGIC = {
    "application/x-dosexec": "installer", "application/vnd.microsoft.portable-executable": "installer",
    "application/x-mach-binary": "installer", "application/x-pie-executable": "installer",
    "application/x-executable": "installer", "application/x-sharedlib": "installer",
    "application/vnd.ms-cab-compressed": "archive", "application/x-ole-storage": "document",
    "application/CDFV2": "document", "application/x-bytecode.python": "code",
    "text/x-script.python": "code", "text/x-c": "code", "text/x-c++": "code", "text/x-msdos-batch": "code",
    "application/x-iso9660-image": "disk-image", "text/x-diff": "code", "message/news": "mail",
    "application/x-font-ttf": "font", "application/vnd.ms-opentype": "font", "image/heif": "image",
}


def table():
    categories, extensions = {}, {}
    with open(TABLE, encoding="utf-8") as lines:
        for line in lines:
            media, category, exts, others = line.rstrip("\n").split("\t")
            for name in [media, *others.split()]:
                categories[name.lower()] = category
            for ext in exts.split():
                extensions.setdefault(ext, category)
    return categories


def category_of(media, categories):
    media = media.split(";")[0].strip().lower()
    for name in (media, media.replace("/x-", "/"), media.replace("/", "/x-", 1)):
        if name in categories:
            return categories[name]
    top = media.split("/")[0]
    return {"image": "image", "audio": "audio", "video": "video", "font": "font"}.get(top)


def labels(path):
    base = os.path.dirname(os.path.abspath(path))
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.strip()]
    at, what = 0, 1
    if rows and rows[0][0] == "path":
        head = rows.pop(0)
        what = head.index("category") if "category" in head else head.index("mime")
        if "category" in head:
            rows = [[row[0], "=" + row[what]] for row in rows]
            what = 1
    return [(os.path.join(base, row[at]), row[what]) for row in rows]


def run_tidyd(program, names):
    command = [program, "inspect", "--json", "--no-metadata", "-0", "-"]
    start = time.monotonic()
    done = subprocess.run(command, input="\0".join(names).encode("utf-8", "surrogateescape"),
                          stdout=subprocess.PIPE, check=False)
    took = time.monotonic() - start
    answers, read = {}, []
    for line in done.stdout.splitlines():
        line = json.loads(line)
        answers[line["path"]] = (line["category"], line["media_type"])
        read.append(line["bytes_read"])
    return answers, took, read


def run_file(names, categories):
    start = time.monotonic()
    done = subprocess.run(["file", "-L", "-0", "-0", "--mime-type", "-f", "/dev/stdin"],
                          input="\n".join(names).encode("utf-8", "surrogateescape"),
                          stdout=subprocess.PIPE, check=False)
    took = time.monotonic() - start
    parts = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    answers = {}
    for name, media in zip(parts[0::2], parts[1::2]):
        media = media.strip()
        known = LIBMAGIC.get(media) or category_of(media, categories)
        answers[name.lstrip("\n")] = ("unknown" if media == "application/octet-stream" else known, media)
    return answers, took


def main():
    arguments = [a for a in sys.argv[1:] if a != "--misses"]
    misses = "--misses" in sys.argv
    if len(arguments) != 2:
        sys.exit(__doc__)
    program, categories = os.path.abspath(arguments[0]), table()
    files, unknown = [], []
    for path, media in labels(arguments[1]):
        category = media[1:] if media.startswith("=") else category_of(media, categories)
        if not os.path.isfile(path) or category in ("other", None):
            unknown.append((path, media))
        else:
            files.append((path, category))
    print(f"{len(files)} files; {len(unknown)} left out, whose label is no media type of the table")
    if misses:
        for path, media in unknown:
            print(f"left out\t{media}\t{path}")
    with tempfile.TemporaryDirectory() as scratch:
        for title, named in [
            ("own name", lambda p, c: os.path.basename(p)),
            ("no extension", lambda p, c: "x"),
            ("says nothing (.bin)", lambda p, c: "x.bin"),
            ("wrong (.jpg; .pdf for images)", lambda p, c: "x.pdf" if c == "image" else "x.jpg"),
        ]:
            expected = {}
            for n, (path, category) in enumerate(files):
                directory = os.path.join(scratch, title[:3], str(n))
                os.makedirs(directory)
                link = os.path.join(directory, named(path, category))
                os.symlink(path, link)
                expected[link] = (category, path)
            ours, took, read = run_tidyd(program, list(expected))
            theirs, their_took = run_file(list(expected), categories)
            for who, answers, seconds in [("tidyd", ours, took), ("file", theirs, their_took)]:
                tally(title, who, answers, expected, seconds, misses and who == "tidyd")
            read.sort()
            print(f"{'':32} bytes read of a file: {sum(read) / max(1, len(read)):.0f} on average, "
                  f"{read[len(read) // 2]} median, {read[-1]} at most")


def tally(title, who, answers, expected, seconds, misses):
    right = silent = 0
    for link, (category, path) in expected.items():
        said, media = answers.get(link, (None, None))
        if said == category:
            right += 1
            continue
        silent += said in ("unknown", None)
        if misses:
            print(f"  {title}\t{category}\t{said}\t{media}\t{path}")
    n = max(1, len(expected))
    wrong = n - right - silent
    print(f"{title:32} {who:6} right {100 * right / n:5.1f} %  not told {100 * silent / n:5.1f} %  "
          f"wrong {100 * wrong / n:5.1f} %  {n / max(seconds, 1e-9):8.0f} files/s")


if __name__ == "__main__":
    main()
