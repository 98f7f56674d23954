//! A fresh tree for one run, and what holds of it whenever everything is at rest.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tidy_tests::{Entry, Kind, Snapshot, World, eventually, path};

use crate::scenario::{Content, Planted, SCENARIOS, Scenario};

/// The trash, below the home.
const TRASH: &str = ".local/share/Trash";

/// Where the other device is, in a picture of the whole.
const FAR: &str = "far";

/// Where there is a file system on which files share blocks; all happens there, if that is given.
pub(crate) static BLOCKS_SHARED: OnceLock<PathBuf> = OnceLock::new();

/// The scenarios that can be swept where we are, with their numbers.
pub(crate) fn at_hand() -> impl Iterator<Item = (usize, &'static Scenario)> {
    let here = BLOCKS_SHARED.get().is_some();
    SCENARIOS.iter().enumerate().filter(move |(_, s)| s.shares_blocks == here)
}

/// A home with the files of a scenario, and a directory on another device.
pub(crate) struct Ground {
    pub(crate) world: World,
    far: tempfile::TempDir,
    /// Everything as it was.
    pub(crate) before: Snapshot,
    /// What it is that files them, when tidyctl is asked for it.
    pub(crate) asked: Option<&'static [&'static str]>,
    /// What a restored file has left in the trash could not be removed, and that was told.
    pub(crate) has_orphans: Cell<bool>,
}

/// A directory on another device than `home`, or beside it where there is none.
fn far(home: &Path) -> tempfile::TempDir {
    let device = |at: &Path| fs::metadata(at).map(|m| m.dev()).ok();
    let shared = Path::new("/dev/shm");
    let elsewhere = device(shared).is_some_and(|dev| Some(dev) != device(home));
    let made = tempfile::Builder::new().prefix("tidy-far-").tempdir_in(if elsewhere {
        shared
    } else {
        home.parent().expect("in the scratch directory")
    });
    made.expect("a directory of ours")
}

impl Ground {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let world = BLOCKS_SHARED.get().map_or_else(World::new, |at| World::new_in(at));
        let far = far(&world.home());
        let to = far.path().to_str().expect("text");
        let mut config =
            format!("watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n{}\n", scenario.settings);
        for case in scenario.cases {
            let action = case.action.replace("FAR", to);
            config += &format!(
                "[[rule]]\nname = \"{}\"\nwhen = {{ ext = \"{0}\" }}\n{action}\n",
                case.ext
            );
            case.files.iter().for_each(|f| plant(&world, f));
        }
        world.configure(&config);
        let mut ground = Self {
            world,
            far,
            before: Snapshot { entries: BTreeMap::new() },
            asked: scenario.asked,
            has_orphans: Cell::new(false),
        };
        ground.before = ground.picture();
        ground
    }

    /// Whether what goes far goes to another device.
    pub(crate) fn has_devices(&self) -> bool {
        let device = |at: &Path| fs::metadata(at).expect("own directory").dev();
        device(self.far.path()) != device(&self.world.home())
    }

    /// Everything that is a person's, there and here.
    pub(crate) fn picture(&self) -> Snapshot {
        let mut all = self.world.snapshot();
        let far = Snapshot::take(self.far.path());
        all.entries.extend(far.entries.into_iter().map(|(p, e)| (Path::new(FAR).join(p), e)));
        all
    }

    /// The operations of the journal, oldest first. The daemon runs.
    pub(crate) fn log(&self) -> Vec<Value> {
        let mut log = self.world.log(&["--all"]);
        log.sort_by_key(|op| op["id"].as_u64());
        log
    }

    /// Everything is where the journal says, as it was; nothing is left half-way. The daemon runs and is at rest.
    pub(crate) fn check_at_rest(&self) {
        let log = eventually("the commands to end", || {
            let log = self.log();
            let runs = |op: &Value| op["kind"] == "run" && op["state"] == "intended";
            (!log.iter().any(runs)).then_some(log)
        });
        for op in &log {
            let state = op["state"].as_str().unwrap_or_default();
            // How far a command came that was cut off, nobody knows.
            let ended = matches!(state, "done" | "aborted" | "failed")
                || (state, &op["kind"]) == ("unknown", &"run".into());
            assert!(ended, "not at an end: {op:#}");
        }
        let picture = self.picture();
        let names = picture.entries.keys().filter_map(|p| p.file_name());
        let ours: Vec<_> = names.filter(|n| n.as_bytes().starts_with(b".tidyd-")).collect();
        assert!(ours.is_empty(), "left behind: {ours:?}");
        let expected = Snapshot { entries: self.told(&log) };
        let found = Snapshot { entries: files(&picture) };
        tidy_tests::assert_same(&expected, &found);
        check_trash(&picture, self.has_orphans.get());
    }

    /// Rolls all of it back, and checks that everything is as it was; with `suffixes`, under a name that was free when
    /// its own was not.
    pub(crate) fn check_rollback(&self, suffixes: bool) {
        let last = self.world.ctl(["rollback", "--since", "1d", "--yes"]);
        let nothing = last.stderr.contains("nothing in effect");
        assert!(last.code == 0 || nothing, "the rollback did not work: {last:?}");
        self.world.wait();
        self.check_at_rest();
        let mut after = self.picture();
        // What a rule copied is in the trash now: nothing is ever deleted.
        let trashed = after.entries.keys().filter(|p| p.parent() == Some(&trash("files"))).count();
        let is_copy = |op: &&Value| is_done(op, "copy") || is_done(op, "reflink");
        let copied = self.log().iter().filter(is_copy).count();
        assert_eq!(trashed, copied, "in the trash");
        after.entries.retain(|p, _| !p.starts_with(TRASH));
        let mut before = self.before.clone();
        before.entries.retain(|p, _| !p.starts_with(TRASH));
        if suffixes {
            let plain = |p: PathBuf| PathBuf::from(without(p.into_os_string(), b" (2)"));
            after.entries = after.entries.into_iter().map(|(p, e)| (plain(p), e)).collect();
        }
        tidy_tests::assert_same(&before, &after);
    }

    /// Where every file is, as the log tells it.
    fn told(&self, log: &[Value]) -> BTreeMap<PathBuf, Entry> {
        let mut at = files(&self.before);
        for op in log.iter().filter(|op| op["state"] == "done" && op["src"] != Value::Null) {
            let kind = op["kind"].as_str().unwrap_or_default();
            let src = self.relative(&op["src"]);
            match kind {
                // A symbolic link is no file.
                "rmdir" | "symlink" | "run" => continue,
                "tag" => {
                    let file = at.get_mut(&src);
                    let file = file.unwrap_or_else(|| panic!("nothing was at its source: {op:#}"));
                    assert_eq!(
                        value(&op["tags"]["before"]),
                        file.attributes.remove(OsStr::new(TAGS)),
                        "{op:#}"
                    );
                    let after = value(&op["tags"]["after"]);
                    file.attributes.extend(after.map(|tags| (TAGS.into(), tags)));
                    continue;
                }
                "unlink" => {
                    at.remove(&src);
                    continue;
                }
                _ => {}
            }
            let dst = self.relative(&op["dst"]);
            if kind == "move-folder" {
                let inside = at.extract_if(.., |p, _| p.starts_with(&src)).collect::<Vec<_>>();
                assert!(!inside.is_empty(), "nothing was at its source: {op:#}");
                at.extend(
                    inside
                        .into_iter()
                        .map(|(p, e)| (dst.join(p.strip_prefix(&src).expect("it is inside")), e)),
                );
                continue;
            }
            let stays = matches!(kind, "copy" | "reflink" | "hardlink");
            let file = if stays { at.get(&src).cloned() } else { at.remove(&src) };
            let file = file.unwrap_or_else(|| panic!("nothing was at its source: {op:#}"));
            assert!(at.insert(dst, file).is_none(), "something was at its destination: {op:#}");
        }
        at
    }

    fn relative(&self, value: &Value) -> PathBuf {
        let path = path(value);
        match path.strip_prefix(self.far.path()) {
            Ok(far) => Path::new(FAR).join(far),
            Err(_) => path.strip_prefix(self.world.home()).expect("below the home").to_owned(),
        }
    }
}

/// Where a file's tags are kept.
const TAGS: &str = "user.xdg.tags";

/// Tags as they are kept; `None`: no attribute.
fn value(tags: &Value) -> Option<Vec<u8>> {
    let tags: Vec<_> = tags.as_array()?.iter().map(|tag| tag.as_str().expect("a text")).collect();
    (!tags.is_empty()).then(|| tags.join(",").into_bytes())
}

pub(crate) fn is_done(op: &Value, kind: &str) -> bool {
    op["state"] == "done" && op["kind"] == kind
}

/// A name without the first occurrence of a part of it.
fn without(name: OsString, part: &[u8]) -> OsString {
    let bytes = name.as_bytes();
    match bytes.windows(part.len()).position(|w| w == part) {
        Some(at) => OsString::from_vec([&bytes[..at], &bytes[at + part.len()..]].concat()),
        None => name,
    }
}

fn trash(part: &str) -> PathBuf {
    Path::new(TRASH).join(part)
}

/// Regular files; not what the trash has written down about its files.
fn files(tree: &Snapshot) -> BTreeMap<PathBuf, Entry> {
    let mut files = tree.entries.clone();
    let info = trash("info");
    files.retain(|p, e| matches!(e.kind, Kind::File { .. }) && !p.starts_with(&info));
    files
}

/// What is in the trash is described there, and nothing else is, unless `orphans` may be left.
fn check_trash(tree: &Snapshot, orphans: bool) {
    let names = |part: &str| {
        let at = trash(part);
        let inside = tree.entries.keys().filter(move |p| p.parent() == Some(&at));
        inside.filter_map(|p| p.file_name().map(OsStr::to_owned)).collect::<Vec<_>>()
    };
    let described: Vec<_> = names("files")
        .into_iter()
        .map(|mut name| {
            name.push(".trashinfo");
            name
        })
        .collect();
    let mut info = names("info");
    info.sort();
    let mut described = described;
    described.sort();
    if orphans {
        info.retain(|name| described.contains(name));
    }
    assert_eq!(described, info, "files in the trash, and what is written down about them");
}

fn plant(world: &World, file: &Planted) {
    let path = Path::new("Downloads").join(OsStr::from_bytes(file.path));
    let path = match file.content {
        Content::Text(text) => world.write(path, text),
        Content::Long(kib) => {
            let bytes: Vec<u8> = (0..kib * 256).flat_map(|n| (n as u32).to_le_bytes()).collect();
            world.write(path, bytes)
        }
        Content::Sparse => {
            let path = world.write(path, "");
            let file = File::options().write(true).open(&path).expect("own file");
            file.set_len(1 << 20).expect("own file");
            file.write_all_at(b"amidst zeros", 500_000).expect("own file");
            path
        }
    };
    if file.attribute {
        let flags = rustix::fs::XattrFlags::empty();
        // Where there are none, none are compared.
        let _ = rustix::fs::setxattr(&path, "user.tidy.test", file.path, flags);
    }
    let then = SystemTime::now() - Duration::from_secs(60 * file.age);
    let opened = File::options().write(true).open(&path).expect("own file");
    opened.set_modified(then).expect("own file");
    fs::set_permissions(&path, Permissions::from_mode(file.mode)).expect("own file");
}
