//! What a run of tidyd did, from its system calls, and what is demanded of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ciborium::Value;
use tidy_tests::World;
use tidy_tests::trace::{self, Call};

/// Everything that changes a disk or makes it durable, and nothing else.
pub(crate) const CALLS: &str = "fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat,\
    unlink,unlinkat,rmdir,open,openat,openat2,creat,write,writev,pwrite64,pwritev,ftruncate,truncate,fallocate,sendfile,\
    copy_file_range,splice,ioctl,fchmod,fchmodat,fchown,fchownat,utimensat,fsetxattr,fremovexattr";

/// One change, or one sync, of a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum What {
    MadeDirectory,
    Created,
    /// From the first path to this one.
    Renamed(PathBuf),
    Linked,
    /// A file, or an empty directory.
    Removed,
    /// Bytes, or anything else `fsync` of the file makes durable.
    Written(Vec<u8>),
    Synced,
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MadeDirectory => f.write_str("made directory"),
            Self::Created => f.write_str("created"),
            Self::Renamed(from) => write!(f, "renamed from {from:?}"),
            Self::Linked => f.write_str("linked"),
            Self::Removed => f.write_str("removed"),
            Self::Written(bytes) => write!(f, "written, {} bytes", bytes.len()),
            Self::Synced => f.write_str("synced"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) what: What,
    pub(crate) path: PathBuf,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Event {
    fn of(call: &Call) -> Option<Self> {
        use What::{Created, Linked, MadeDirectory, Removed, Renamed, Synced, Written};
        if !call.succeeded {
            return None;
        }
        let written = |bytes| Some((Written(bytes), call.descriptor(0)?));
        let (what, path) = match call.name.as_str() {
            "mkdir" => (MadeDirectory, call.path(0)?),
            "mkdirat" => (MadeDirectory, call.path_at(1)?),
            "open" | "openat" | "openat2" | "creat" => {
                let text = [1, 2, 3].map(|n| call.argument(n)).concat();
                assert!(!text.contains("O_TRUNC") || text.contains("O_CREAT"), "{call:?}");
                text.contains("O_EXCL").then_some((Created, call.opened()?))?
            }
            "rename" => (Renamed(call.path(0)?), call.path(1)?),
            "renameat" | "renameat2" => (Renamed(call.path_at(1)?), call.path_at(3)?),
            "link" => (Linked, call.path(1)?),
            "linkat" => (Linked, call.path_at(3)?),
            "unlink" | "rmdir" => (Removed, call.path(0)?),
            "unlinkat" => (Removed, call.path_at(1)?),
            "fsync" | "fdatasync" => (Synced, call.descriptor(0)?),
            "write" => written(call.bytes(1)?)?,
            "ioctl" => call.argument(1).contains("FICLONE").then(|| written(Vec::new()))??,
            "copy_file_range" => (Written(Vec::new()), call.descriptor(2)?),
            "pwrite64" | "pwritev" | "writev" | "ftruncate" | "fallocate" | "sendfile"
            | "fchmod" | "fchown" | "utimensat" | "fsetxattr" | "fremovexattr" => {
                written(Vec::new())?
            }
            other => panic!("not expected of tidyd: {other} {call:?}"),
        };
        Some(Self { what, path, start: call.start, end: call.end })
    }

    /// The directories whose names it changes.
    fn directories(&self) -> Vec<&Path> {
        let above = |path| Path::parent(path).expect("nothing happens to the root");
        match &self.what {
            What::Written(_) | What::Synced => Vec::new(),
            What::Renamed(from) => vec![above(from), above(&self.path)],
            _ => vec![above(&self.path)],
        }
    }

    fn paths(&self) -> Vec<&Path> {
        match &self.what {
            What::Renamed(from) => vec![from, &self.path],
            _ => vec![&self.path],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Move = 1,
    Copy,
    Trash,
    Restore,
    MakeDir,
    RemoveDir,
}

pub(crate) const KINDS: [Kind; 6] =
    [Kind::Move, Kind::Copy, Kind::Trash, Kind::Restore, Kind::MakeDir, Kind::RemoveDir];

/// Codes of states in the log.
pub(crate) const VERIFIED: u64 = 2;
const DONE: u64 = 3;

/// A record of the log, and the event that wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) op: u64,
    pub(crate) state: u64,
    pub(crate) written: Event,
}

/// One operation, as the log and the calls tell of it.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) src: Option<PathBuf>,
    pub(crate) dst: Option<PathBuf>,
    /// The directory that `dst` is beneath, which was there before.
    pub(crate) base: Option<PathBuf>,
    /// `None`: written by a process before the one traced.
    pub(crate) intent: Option<Event>,
    pub(crate) states: Vec<Record>,
}

impl Op {
    fn state(&self, wanted: impl Fn(u64) -> bool) -> Option<&Record> {
        self.states.iter().find(|r| wanted(r.state))
    }

    pub(crate) fn end(&self) -> Option<&Record> {
        self.state(|state| state >= DONE)
    }

    /// Whether an event on this path can be its doing.
    fn touches(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let own = [&self.src, &self.dst].into_iter().flatten().any(|p| p == path);
        let temporary = name.starts_with(&format!(".tidyd-{}.", self.id));
        let trashed = match self.kind {
            Kind::Trash => self.dst.as_ref(),
            Kind::Restore => self.src.as_ref(),
            _ => None,
        };
        own || temporary
            || trashed.is_some_and(|t| info_of(t).starts_with(path) || t.starts_with(path))
    }
}

/// `info/NAME.trashinfo` of `files/NAME`.
pub(crate) fn info_of(trashed: &Path) -> PathBuf {
    let mut name = trashed.file_name().expect("a file in the trash").to_owned();
    name.push(".trashinfo");
    trashed.ancestors().nth(2).expect("files/NAME").join("info").join(name)
}

/// A run of tidyd.
pub(crate) struct Traced {
    pub(crate) events: Vec<Event>,
    pub(crate) ops: Vec<Op>,
    pub(crate) state: PathBuf,
    /// The trees with files of the user's.
    pub(crate) users: [PathBuf; 2],
}

impl Traced {
    pub(crate) fn new(world: &World, other: &Path, trace: &Path, known: Vec<Op>) -> Self {
        let text = fs::read_to_string(trace).unwrap();
        let events: Vec<_> = trace::read(&text).iter().filter_map(Event::of).collect();
        let mut ops = known;
        for event in &events {
            let What::Written(bytes) = &event.what else { continue };
            if is_segment(&event.path) {
                records(bytes).into_iter().for_each(|payload| take(&mut ops, event, payload));
            }
        }
        let users = [world.home(), other.to_owned()];
        Self { events, ops, state: world.state(), users }
    }

    fn synced(&self, path: &Path, after: &Event, before: usize) -> bool {
        self.events.iter().any(|e| {
            e.what == What::Synced && e.path == path && e.start > after.end && e.end < before
        })
    }

    #[track_caller]
    fn assert_synced(&self, path: &Path, after: &Event, before: &Event, why: &str) {
        assert!(
            self.synced(path, after, before.start),
            "{why}: {path:?} is not synced between\n{after:?}\nand\n{before:?}"
        );
    }

    /// The names above and of a path that were made before `before` are durable by then.
    #[track_caller]
    fn assert_name_durable(&self, path: &Path, before: &Event, why: &str) {
        for name in path.ancestors() {
            let mut made = self
                .events
                .iter()
                .filter(|e| e.path == name && e.end < before.start && !e.directories().is_empty());
            if let Some(made) = made.next_back() {
                let directory = name.parent().expect("was made in one");
                self.assert_synced(directory, made, before, why);
            }
        }
    }

    /// Everything of the user's that was done to names or bytes.
    fn touches(&self) -> impl Iterator<Item = &Event> {
        let users = |path: &Path| {
            self.users.iter().any(|dir| path.starts_with(dir))
                && !path.starts_with(&self.state)
                && !self.state.starts_with(path)
        };
        let change = |e: &&Event| e.what != What::Synced;
        self.events.iter().filter(change).filter(move |e| e.paths().into_iter().any(users))
    }

    fn owner(&self, event: &Event) -> &Op {
        let alive = |op: &&Op| {
            op.intent.as_ref().is_none_or(|intent| intent.end < event.start)
                && op.end().is_none_or(|end| end.written.start > event.end)
        };
        let touched = |op: &&Op| event.paths().iter().any(|path| op.touches(path));
        let mut owners = self.ops.iter().filter(alive).filter(touched);
        owners.next().unwrap_or_else(|| panic!("no operation is behind {event:?}"))
    }

    #[track_caller]
    pub(crate) fn check(&self) {
        for touch in self.touches() {
            self.intent_first(self.owner(touch), touch);
        }
        for op in &self.ops {
            let own: Vec<_> = self.touches().filter(|e| std::ptr::eq(self.owner(e), op)).collect();
            self.end_last(op, &own);
            self.way_durable(op, &own);
            self.copy_in_order(op, &own);
            self.information_first(op, &own);
            self.recovered_durably(op, &own);
        }
        self.segments_in_order();
    }

    fn intent_first(&self, op: &Op, touch: &Event) {
        let Some(intent) = &op.intent else { return };
        self.assert_synced(&intent.path, intent, touch, "the intent");
        self.assert_name_durable(&intent.path, touch, "the segment of the intent");
    }

    fn end_last(&self, op: &Op, own: &[&Event]) {
        let Some(end) = op.end() else { return };
        for touch in own {
            for directory in touch.directories() {
                // One that has gone since cannot be synced, and need not be.
                let gone = |e: &&Event| e.what == What::Removed && e.path == directory;
                if !self.events.iter().any(|e| gone(&e)) {
                    self.assert_synced(directory, touch, &end.written, "the end");
                }
            }
        }
    }

    /// Also where somebody else has made it.
    fn way_durable(&self, op: &Op, own: &[&Event]) {
        let (Some(end), Some(dst), Some(base)) = (op.end(), &op.dst, &op.base) else { return };
        let is_gone = |path: &Path| path.extension().is_some_and(|e| e == "gone");
        let crosses = op.state(|state| state == VERIFIED).is_some();
        let source = own.iter().find(|e| crosses && is_gone(&e.path));
        let before = source.map_or(end.written.start, |source| source.start);
        if end.state != DONE || op.kind == Kind::MakeDir {
            return;
        }
        for directory in dst.ancestors().skip(2).take_while(|d| d.starts_with(base)) {
            let synced = |e: &Event| e.what == What::Synced && e.path == directory;
            assert!(
                self.events.iter().any(|e| synced(e) && e.end < before),
                "{directory:?} on the way of {op:?}"
            );
        }
    }

    fn copy_in_order(&self, op: &Op, own: &[&Event]) {
        let Some(verified) = op.state(|state| state == VERIFIED) else { return };
        let is_part = |path: &Path| path.extension().is_some_and(|e| e == "part");
        let bytes = own.iter().filter(|e| matches!(e.what, What::Written(_)) && is_part(&e.path));
        let last = bytes.max_by_key(|e| e.end).expect("a copy has bytes or attributes");
        self.assert_synced(&last.path, last, &verified.written, "the copy");
        let published = own
            .iter()
            .find(|e| matches!(&e.what, What::Renamed(from) if is_part(from)))
            .expect("a copy that is verified gets its name");
        self.assert_synced(&verified.written.path, &verified.written, published, "`verified`");
        let is_gone = |path: &Path| path.extension().is_some_and(|e| e == "gone");
        if let Some(source) = own.iter().find(|e| is_gone(&e.path)) {
            self.assert_synced(published.path.parent().unwrap(), published, source, "the copy");
            self.assert_name_durable(&published.path, source, "the way to the copy");
        } else {
            assert_eq!(op.kind, Kind::Copy, "the source has to go: {op:?}");
        }
    }

    fn information_first(&self, op: &Op, own: &[&Event]) {
        let (Kind::Trash, Some(dst)) = (op.kind, &op.dst) else { return };
        let Some(arrived) = own.iter().find(|e| e.path == *dst) else { return };
        let written =
            own.iter().rfind(|e| matches!(e.what, What::Written(_)) && e.path == info_of(dst));
        let written = written.expect("the trash is told where the file came from");
        self.assert_synced(&written.path, written, arrived, "the trash's information");
    }

    /// What an operation of an earlier process left is settled by what is on the disk, so that has to last: the log that
    /// was read, both ends, and the way to a copy before its source goes.
    fn recovered_durably(&self, op: &Op, own: &[&Event]) {
        let (None, Some(end)) = (&op.intent, op.end()) else { return };
        let synced = |path: &Path, before: usize| {
            let mut syncs = self.events.iter().filter(|e| e.what == What::Synced && e.end < before);
            syncs.any(|e| e.path == path)
        };
        let first = own.iter().map(|e| e.start).chain([end.written.start]).min().unwrap();
        assert!(synced(&end.written.path, first), "the log that was read: {op:?}");
        for place in [&op.src, &op.dst].into_iter().flatten() {
            let directory = place.parent().unwrap();
            let made = |e: &Event| e.what == What::MadeDirectory && e.path == directory;
            if directory.exists() && !self.events.iter().any(made) {
                assert!(synced(directory, end.written.start), "{directory:?} at the end of {op:?}");
            }
        }
        let is_gone = |path: &Path| path.extension().is_some_and(|e| e == "gone");
        let last = own.iter().find(|e| e.what == What::Removed && is_gone(&e.path));
        if let (Some(last), Some(dst)) = (last, &op.dst) {
            for directory in dst.ancestors().skip(1).take(3) {
                assert!(
                    synced(directory, last.start),
                    "{directory:?} before the source goes: {op:?}"
                );
            }
        }
        let mut later = self.events.iter().filter(|e| e.start > end.written.end);
        let next = later.find(|e| e.path == end.written.path).expect("a sync at least");
        assert_eq!(next.what, What::Synced, "the end is durable: {op:?}");
    }

    fn segments_in_order(&self) {
        for (at, first) in self.events.iter().enumerate() {
            let before = &self.events[..at];
            if is_segment(&first.path) && !before.iter().any(|e| e.path == first.path) {
                let read = !matches!(first.what, What::Written(_));
                assert!(read, "what was read of a segment has to last: {first:?}");
            }
        }
        for (at, begun) in self.events.iter().enumerate() {
            if begun.what != What::Created || !is_segment(&begun.path) {
                continue;
            }
            let before = self.events[..at].iter().rev();
            let mut written =
                before.filter(|e| matches!(e.what, What::Written(_)) && is_segment(&e.path));
            if let Some(last) = written.next() {
                self.assert_synced(&last.path, last, begun, "the segment before");
            }
        }
    }

    /// Checks, and then takes out one sync after the other. Each has to be missed, but for those of the store, those of
    /// directories that went later, and where the same path is synced twice; of the log, only the one of its header
    /// (that of the first intent does as well) and the last of all.
    #[track_caller]
    pub(crate) fn check_with_each_taken_out(&mut self) {
        self.check();
        let mut of_the_log = 0;
        for at in 0..self.events.len() {
            if self.events[at].what != What::Synced {
                continue;
            }
            let sync = self.events.remove(at);
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.check()));
            if checked.is_ok() && is_segment(&sync.path) {
                of_the_log += 1;
            } else if checked.is_ok() {
                let on_it =
                    |what| self.events.iter().any(|e| e.what == what && e.path == sync.path);
                let store = sync.path.starts_with(self.state.join("store"));
                // Which format the directory has: written whole before the log is opened.
                let format = sync.path == self.state.join("format.new");
                let spare = store || format || sync.path == self.state;
                assert!(
                    spare || on_it(What::Synced) || on_it(What::Removed),
                    "nothing asks for it: {sync:?}"
                );
            }
            self.events.insert(at, sync);
        }
        assert!(of_the_log <= 2, "{of_the_log} syncs of the log are not asked for");
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let done = self.ops.iter().filter(|op| op.end().is_some_and(|end| end.state == DONE));
        let mut kinds: Vec<_> = done.map(|op| op.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

pub(crate) fn is_segment(path: &Path) -> bool {
    path.parent().is_some_and(|p| p.ends_with("tidyd/journal"))
        && path.extension().is_some_and(|e| e == "log")
}

/// The payloads in what was written to a segment; its header is passed over.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<Value> {
    if bytes.starts_with(b"TIDYJRNL") {
        bytes = &bytes[40..];
    }
    let mut payloads = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (payload, rest) = rest.split_at(length);
        payloads.push(ciborium::from_reader(payload).expect("a record"));
        bytes = rest;
    }
    payloads
}

pub(crate) fn take(ops: &mut Vec<Op>, written: &Event, payload: Value) {
    let record = payload.into_map().expect("a record");
    let (key, value) = record.into_iter().next().expect("one entry");
    let Ok(fields) = value.into_map() else { return };
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key.as_text() == Some(name));
        found.map(|(_, value)| value)
    };
    let number = |name| {
        let value = field(name).and_then(Value::as_integer).expect("a number");
        u64::try_from(value).expect("not negative")
    };
    let place = |name| {
        let parts = field(name)?.as_array().expect("base and path beneath it");
        let part = |n: usize| parts[n].as_bytes().expect("bytes").clone();
        use std::os::unix::ffi::OsStringExt as _;
        let path = |bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes));
        Some(path(part(0)).join(path(part(1))))
    };
    let base = |name| {
        use std::os::unix::ffi::OsStringExt as _;
        let base = field(name)?.as_array().expect("base and path beneath it")[0].as_bytes();
        Some(PathBuf::from(std::ffi::OsString::from_vec(base.expect("bytes").clone())))
    };
    match key.as_text() {
        Some("i") => ops.push(Op {
            id: number("o"),
            kind: KINDS[usize::try_from(number("k")).expect("small") - 1],
            src: place("s"),
            dst: place("d"),
            base: base("d"),
            intent: Some(written.clone()),
            states: Vec::new(),
        }),
        Some("s") => {
            let op = number("o");
            let record = Record { op, state: number("n"), written: written.clone() };
            // Others ended in a process before this one.
            if let Some(op) = ops.iter_mut().find(|o| o.id == record.op) {
                op.states.push(record);
            }
        }
        _ => {}
    }
}
