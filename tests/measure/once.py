#!/usr/bin/env python3
"""Where `tidyd --once` without any configuration puts the files of a collection, and whether all of it comes back.

    tests/measure/once.py TIDYD TIDYCTL LABELS…

LABELS are tables as tests/measure/kinds.py reads them. The files are copied into the Downloads of a scratch home, a third
each under their own extension, without any, and with the extension of something else, in folders of a hundred. `tidyd
--once` files them, with nothing but defaults. Then it is counted in which folders they are, against their labels and
against where `file --mime-type` would have put them; whether the bytes of every file are still there; and after
`tidyctl rollback` whether every name, byte, mode and time is as before. Exits with 1 if not.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter

from kinds import category_of, labels, run_file, table

# `[default]`, as docs/configuration.md has it; what is not named is left.
FOLDERS = {
    "image": "Pictures", "video": "Videos", "audio": "Music", "document": "Documents", "ebook": "Documents",
    "presentation": "Documents", "spreadsheet": "Documents", "archive": "Archives", "installer": "Installers",
    "font": "Fonts",
}
LEFT = "left"
NAMINGS = ["own extension", "no extension", "wrong extension"]


def naming(number, path, category):
    """The name that the file gets, and which of NAMINGS it is."""
    which = number % len(NAMINGS)
    ext = os.path.splitext(path)[1] if which == 0 else ""
    if which == 2:
        ext = ".pdf" if category == "image" else ".jpg"
    return f"file {number:05}{ext}", NAMINGS[which]


def listing(folder):
    """Every path below, with what makes it the same file."""
    found = {}
    for base, folders, names in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(base, name), folder)] = "folder"
        for name in names:
            path = os.path.join(base, name)
            stat = os.lstat(path)
            with open(path, "rb") as file:
                digest = hashlib.blake2b(file.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (digest, stat.st_mode, stat.st_mtime_ns, stat.st_size)
    return found


def collect(tables, downloads):
    """Copies the files; path below Downloads → category, naming and digest."""
    categories, files, seen = table(), {}, set()
    for name in tables:
        for path, media in labels(name):
            category = media[1:] if media.startswith("=") else category_of(media, categories)
            if not os.path.isfile(path) or category in ("other", None):
                continue
            with open(path, "rb") as file:
                digest = hashlib.blake2b(file.read()).hexdigest()
            # What is there twice is put aside as a copy, whatever it is; an empty file is nothing.
            if digest in seen or os.path.getsize(path) == 0:
                continue
            seen.add(digest)
            number = len(files)
            name, how = naming(number, path, category)
            target = os.path.join(f"{number // 100:03}", name)
            os.makedirs(os.path.join(downloads, os.path.dirname(target)), exist_ok=True)
            shutil.copy2(path, os.path.join(downloads, target))
            files[target] = (category, how, digest)
    return files


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    tidyd, tidyctl = (os.path.abspath(p) for p in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as home:
        downloads = os.path.join(home, "Downloads")
        os.makedirs(os.path.join(home, "run"), mode=0o700)
        environment = {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": os.path.join(home, "run"),
                       "LANG": "C.UTF-8"}
        files = collect(sys.argv[3:], downloads)
        asked = [os.path.join(downloads, f) for f in files]
        theirs, _ = run_file(asked, table())
        before = listing(downloads)

        start = time.monotonic()
        subprocess.run([tidyd, "--watch", downloads, "--once"], env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        print(f"{len(files)} files, {time.monotonic() - start:.1f} s")
        after = listing(downloads)

        where = {}
        for path, what in after.items():
            if what != "folder":
                folder = path.split(os.sep)[0]
                where[what[0]] = LEFT if folder.isdigit() else folder
        lost = [f for f, (_, _, digest) in files.items() if digest not in where]
        tally(files, lambda f: where.get(files[f][2]), "tidyd --once")
        tally(files, lambda f: FOLDERS.get(theirs.get(os.path.join(downloads, f), (None,))[0], LEFT), "file")
        print(f"lost: {len(lost)}")

        back = put_back(tidyd, tidyctl, downloads, environment)
        changed = sorted(p for p in before.keys() | back.keys() if before.get(p) != back.get(p))
        print(f"not as before after a rollback: {len(changed)}")
        for path in changed[:20]:
            print(f"  {path}: {before.get(path)} -> {back.get(path)}")
        sys.exit(1 if lost or changed else 0)


def put_back(tidyd, tidyctl, downloads, environment):
    """Rolls everything back, through the service, and lists what is there then."""
    service = subprocess.Popen([tidyd, "--watch", downloads], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        for verb in (["wait", "--timeout", "600s"], ["rollback", "--since", "1d", "--yes"],
                     ["wait", "--timeout", "600s"]):
            for _ in range(600):
                done = subprocess.run([tidyctl, *verb], env=environment, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, check=False)
                if done.returncode != 4:  # not running yet
                    break
                time.sleep(0.1)
            if done.returncode:
                print(f"tidyctl {verb[0]}: {done.stdout.decode(errors='replace').strip()}")
        return listing(downloads)
    finally:
        service.terminate()
        service.wait()


def tally(files, folder_of, who):
    for how in NAMINGS:
        counts = Counter()
        for file, (category, naming_of, _) in files.items():
            if naming_of == how:
                expected, found = FOLDERS.get(category, LEFT), folder_of(file)
                counts["right" if found == expected else "left" if found == LEFT else "wrong"] += 1
        n = max(1, sum(counts.values()))
        print(f"{who:13} {how:16} in the right place {100 * counts['right'] / n:5.1f} %  "
              f"left, though it has a folder {100 * counts['left'] / n:5.1f} %  "
              f"in a wrong folder {100 * counts['wrong'] / n:5.1f} %  ({n})")


if __name__ == "__main__":
    main()
