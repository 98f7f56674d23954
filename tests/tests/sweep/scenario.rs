//! What is filed: one row for each kind of operation, each with files of its own.

/// A rule for one extension, and the files it is about.
pub(crate) struct Case {
    /// Extension of its files, and name of the rule.
    pub(crate) ext: &'static str,
    /// The rest of the rule; `FAR` stands for a directory on another device.
    pub(crate) action: &'static str,
    pub(crate) files: &'static [Planted],
    /// Operations on files that it takes.
    pub(crate) steps: usize,
}

/// A file that is there before anything happens.
pub(crate) struct Planted {
    /// Below the watched directory.
    pub(crate) path: &'static [u8],
    pub(crate) content: Content,
    pub(crate) mode: u32,
    /// Minutes since it was modified.
    pub(crate) age: u64,
    /// Whether it has an extended attribute.
    pub(crate) attribute: bool,
}

/// What is in a file.
pub(crate) enum Content {
    /// These bytes.
    Text(&'static str),
    /// So many KiB, no two the same.
    Long(usize),
    /// A MiB, all of it a hole but for some bytes in the middle.
    Sparse,
}

use Content::{Long, Sparse, Text};

const fn file(path: &'static [u8], content: Content) -> Planted {
    Planted { path, content, mode: 0o644, age: 10, attribute: false }
}

const fn special(path: &'static [u8], content: Content, mode: u32, age: u64) -> Planted {
    Planted { path, content, mode, age, attribute: true }
}

/// Cases that are filed together.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The lines of the configuration before the rules of the cases.
    pub(crate) settings: &'static str,
    /// What `tidyctl` is asked to do instead of filing; without it, `tidyd --once`.
    pub(crate) asked: Option<&'static [&'static str]>,
    /// Whether it takes a file system on which files share blocks.
    pub(crate) shares_blocks: bool,
    pub(crate) cases: &'static [Case],
}

pub(crate) const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "files",
        settings: "duplicates = { keep = \"oldest\", others = { folder = \"Duplicates/\" } }",
        asked: None,
        shares_blocks: false,
        cases: &[
            Case {
                ext: "mv",
                action: "move = \"Moved/\"",
                files: &[
                    special(b"a.mv", Text("moved"), 0o640, 30),
                    special(b"line\nbreak \xff.mv", Text("hostile, moved"), 0o600, 40),
                ],
                steps: 2,
            },
            Case {
                ext: "deep",
                action: "move = \"~/Made/{ext}/on the way/\"",
                files: &[file(b"sub/b.deep", Text("in directories made for it"))],
                steps: 1,
            },
            Case {
                ext: "ren",
                action: "rename = \"new {stem}.{ext}\"",
                files: &[special(b"c.ren", Text("renamed"), 0o444, 50)],
                steps: 1,
            },
            Case {
                ext: "chain",
                action: "rename = \"chained {stem}.{ext}\"\nthen = \"continue\"\n\
                         [[rule]]\nname = \"chained\"\nwhen = { ext = \"chain\" }\nmove = \"Chain/\"",
                files: &[file(b"d.chain", Text("renamed, then moved"))],
                steps: 2,
            },
            Case {
                ext: "taken",
                action: "move = \"Taken/\"",
                files: &[
                    file(b"Taken/e.taken", Text("first")),
                    file(b"e.taken", Text("second, gets another name")),
                ],
                steps: 1,
            },
            Case {
                ext: "far",
                action: "move = \"FAR/filed/\"",
                files: &[
                    special(b"f.far", Long(300), 0o604, 60),
                    special(b"sparse \xfe\n.far", Sparse, 0o640, 70),
                    special(b"empty.far", Text(""), 0o600, 80),
                ],
                steps: 3,
            },
            Case {
                ext: "copy",
                action: "copy = \"~/Backup/\"",
                files: &[special(b"g.copy", Text("copied"), 0o640, 90)],
                steps: 1,
            },
            Case {
                ext: "junk",
                action: "trash = true",
                files: &[
                    special(b"h\n\xff.junk", Text("trashed"), 0o640, 15),
                    file(b"sub/h\n\xff.junk", Text("trashed under a name that is taken")),
                ],
                steps: 2,
            },
            Case {
                ext: "replace",
                action: "move = \"Replace/\"\nconflict = \"replace-to-trash\"",
                files: &[
                    special(b"Replace/i.replace", Text("replaced"), 0o600, 25),
                    file(b"i.replace", Text("replaces another")),
                ],
                steps: 2,
            },
            Case {
                ext: "newer",
                action: "move = \"Newer/\"\nconflict = \"keep-newer\"",
                files: &[
                    special(b"Newer/j.newer", Text("older"), 0o600, 35),
                    file(b"j.newer", Text("the newer one")),
                ],
                steps: 2,
            },
            TWINS,
        ],
    },
    Scenario {
        name: "copies",
        settings: "duplicates = { keep = \"oldest\", others = \"trash\" }",
        asked: None,
        shares_blocks: false,
        cases: &[TWINS, TAGGED, MARKED],
    },
    Scenario {
        name: "links",
        settings: "duplicates = { others = \"report\" }",
        asked: None,
        shares_blocks: false,
        cases: &[
            Case {
                ext: "hard",
                action: "hardlink = \"~/Names/\"",
                files: &[special(b"k\n\xff.hard", Text("has two names"), 0o640, 45)],
                steps: 1,
            },
            Case {
                ext: "soft",
                action: "symlink = \"~/Names/{stem}/\"",
                files: &[special(b"l.soft", Text("is pointed to"), 0o600, 55)],
                steps: 1,
            },
            Case {
                ext: "farchain",
                action: "move = \"FAR/passed/\"\nthen = \"continue\"\n\
                         [[rule]]\nname = \"onward\"\nwhen = { ext = \"farchain\" }\nrename = \"onward {name}\"",
                files: &[special(b"p.farchain", Text("moved far, then renamed"), 0o600, 85)],
                steps: 2,
            },
        ],
    },
    Scenario {
        name: "together",
        settings: "allow-run = true",
        asked: None,
        shares_blocks: false,
        cases: &[
            Case {
                ext: "jpg",
                action: "move = \"Party/\"",
                files: &[
                    file(b"Party/m.jpg", Text("the name is taken, by one without company")),
                    special(b"m.jpg", Text("goes with what belongs to it"), 0o640, 65),
                    special(b"m.jpg.xmp", Text("belongs to it"), 0o600, 75),
                ],
                steps: 2,
            },
            Case {
                ext: "dirs",
                action: "move = \"Files/\"\n\
                         [[rule]]\nname = \"projects\"\nwhen = { unit = \"project\" }\nmove = \"Code/\"",
                files: &[
                    special(b"sub/n.unit/Cargo.toml", Text("one thing"), 0o640, 85),
                    special(b"sub/n.unit/src/line\n\xff.dirs", Text("a part of it"), 0o600, 95),
                ],
                steps: 1,
            },
            Case {
                ext: "run",
                action: "move = \"Ran/\"\nrun = [\"true\", \"{path}\"]",
                files: &[special(b"o.run", Text("a command looks at it"), 0o640, 12)],
                steps: 2,
            },
        ],
    },
    Scenario {
        name: "resolved",
        settings: "duplicates = { others = \"report\" }\ndefault = {}",
        asked: Some(&["resolve", "hardlink", "--yes"]),
        shares_blocks: false,
        cases: RESOLVED,
    },
    Scenario {
        name: "clones",
        settings: "duplicates = { others = \"report\" }",
        asked: None,
        shares_blocks: true,
        cases: &[Case {
            ext: "clone",
            action: "reflink = \"~/Clones/\"",
            files: &[
                special(b"p\n\xff.clone", Long(40), 0o640, 18),
                special(b"q.clone", Text("shorter than a block"), 0o600, 28),
            ],
            steps: 2,
        }],
    },
    Scenario {
        name: "resolved clones",
        settings: "duplicates = { others = \"report\" }\ndefault = {}",
        asked: Some(&["resolve", "reflink", "--yes"]),
        shares_blocks: true,
        cases: RESOLVED,
    },
];

/// What resolving acts on: each copy goes to the trash, and something gets its name.
const RESOLVED: &[Case] = &[
    Case { action: "leave = true", ..TWINS },
    Case {
        ext: "triple",
        action: "leave = true",
        files: &[
            special(b"keeper.triple", Text("there are three of it"), 0o644, 98),
            special(b"sub/second\n\xff.triple", Text("there are three of it"), 0o600, 8),
            special(b"third.triple", Text("there are three of it"), 0o640, 7),
        ],
        steps: 4,
    },
];

const TAGGED: Case = Case {
    ext: "tag",
    action: "move = \"FAR/tagged/\"\ntag = [\"swept\", \"{ext}\"]",
    files: &[special(b"m\n\xff.tag", Text("marked, then moved"), 0o640, 65)],
    steps: 2,
};

const MARKED: Case = Case {
    ext: "mark",
    action: "tag = \"swept\"",
    files: &[special(b"n.mark", Text("only marked"), 0o600, 75)],
    steps: 1,
};

const TWINS: Case = Case {
    ext: "twin",
    action: "move = \"Twins/\"",
    files: &[
        special(b"keeper.twin", Text("there are two of it"), 0o644, 99),
        special(b"other.twin", Text("there are two of it"), 0o640, 9),
    ],
    steps: 2,
};
