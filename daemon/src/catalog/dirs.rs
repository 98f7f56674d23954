//! The known directories: a tree of names, in memory and as one row each.
//!
//! Row: key = id (u64 BE); value = `01`, parent id (u64 BE), name, crc32c (u32 LE, over key and value). The
//! other direction, name to id, is built in memory at start. `/` is number 1 and has no row. Renaming a directory
//! changes its row and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Number of a directory: monotonic, never reused. Stored in 64 bits; 32 are enough for four billion
/// directories over the life of a catalog, and keep the size index small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DirId(pub(super) u32);

impl DirId {
    pub(super) const ROOT: Self = Self(1);

    pub(super) fn to_bytes(self) -> [u8; 8] {
        u64::from(self.0).to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        u64::from_be_bytes(bytes.try_into().ok()?).try_into().ok().map(Self)
    }
}

const ROW_VERSION: u8 = 1;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) parent: DirId,
    pub(super) name: OsString,
}

impl Row {
    pub(super) fn encode(&self, id: DirId) -> Vec<u8> {
        let mut out = vec![ROW_VERSION];
        out.extend_from_slice(&self.parent.to_bytes());
        out.extend_from_slice(self.name.as_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&id.to_bytes()), &out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(id: DirId, bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let right = crc32c::crc32c_append(crc32c::crc32c(&id.to_bytes()), body);
        if right.to_le_bytes() != crc {
            return None;
        }
        let (&version, rest) = body.split_first()?;
        let (parent, name) = rest.split_at_checked(8)?;
        let name = OsStr::from_bytes(name);
        if version != ROW_VERSION || !is_name(name) {
            return None;
        }
        Some(Self { parent: DirId::from_bytes(parent)?, name: name.to_owned() })
    }
}

/// Whether it can be the name of a file: not empty, not `.` or `..`, without `/` and NUL.
pub(super) fn is_name(name: &OsStr) -> bool {
    let b = name.as_bytes();
    !matches!(b, b"" | b"." | b"..") && !b.iter().any(|c| matches!(c, b'/' | 0))
}

/// The names from the root to `path`; `None` unless it is absolute and free of `..`.
pub(super) fn names(path: &Path) -> Option<Vec<&OsStr>> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return None;
    }
    components
        .map(|c| match c {
            Component::Normal(name) if is_name(name) => Some(name),
            _ => None,
        })
        .collect()
}

#[derive(Debug)]
struct Node {
    parent: DirId,
    name: Box<OsStr>,
    children: BTreeMap<Box<OsStr>, DirId>,
}

/// The tree of names.
#[derive(Debug)]
pub(super) struct Dirs {
    nodes: HashMap<DirId, Node>,
}

impl Dirs {
    /// `/` alone.
    pub(super) fn new() -> Self {
        let root = Node {
            parent: DirId::ROOT,
            name: Box::from(OsStr::new("")),
            children: BTreeMap::new(),
        };
        Self { nodes: HashMap::from([(DirId::ROOT, root)]) }
    }

    /// The tree that the rows make, and the rows that are no part of it: their parent is missing, or another
    /// row has the same place.
    pub(super) fn from_rows(rows: BTreeMap<DirId, Row>) -> (Self, Vec<DirId>) {
        let mut by_parent: HashMap<DirId, Vec<(DirId, OsString)>> = HashMap::new();
        for (id, row) in rows {
            by_parent.entry(row.parent).or_default().push((id, row.name));
        }
        let mut dirs = Self::new();
        let mut orphans = Vec::new();
        let mut open = vec![DirId::ROOT];
        while let Some(parent) = open.pop() {
            for (id, name) in by_parent.remove(&parent).unwrap_or_default() {
                if dirs.child(parent, &name).is_some() || dirs.nodes.contains_key(&id) {
                    orphans.push(id);
                } else {
                    dirs.insert(id, Row { parent, name });
                    open.push(id);
                }
            }
        }
        orphans.extend(by_parent.into_values().flatten().map(|(id, _)| id));
        (dirs, orphans)
    }

    pub(super) fn contains(&self, id: DirId) -> bool {
        self.nodes.contains_key(&id)
    }

    pub(super) fn find(&self, path: &Path) -> Option<DirId> {
        names(path)?.into_iter().try_fold(DirId::ROOT, |at, name| self.child(at, name))
    }

    /// The deepest known directory on the way to `path`, and the names that are missing below it.
    pub(super) fn find_nearest<'p>(&self, names: &[&'p OsStr]) -> (DirId, Vec<&'p OsStr>) {
        let mut at = DirId::ROOT;
        for (i, name) in names.iter().enumerate() {
            match self.child(at, name) {
                Some(child) => at = child,
                None => return (at, names[i..].to_vec()),
            }
        }
        (at, Vec::new())
    }

    pub(super) fn child(&self, parent: DirId, name: &OsStr) -> Option<DirId> {
        self.nodes.get(&parent)?.children.get(name).copied()
    }

    pub(super) fn children(&self, id: DirId) -> Vec<OsString> {
        self.nodes
            .get(&id)
            .map(|n| n.children.keys().map(|k| k.clone().into_os_string()).collect())
            .unwrap_or_default()
    }

    pub(super) fn has_children(&self, id: DirId) -> bool {
        self.nodes.get(&id).is_some_and(|n| !n.children.is_empty())
    }

    pub(super) fn parent(&self, id: DirId) -> Option<DirId> {
        if id == DirId::ROOT { None } else { self.nodes.get(&id).map(|n| n.parent) }
    }

    /// The path of a directory; `None` when it is not (any more) known.
    pub(super) fn path(&self, id: DirId) -> Option<PathBuf> {
        let (mut names, mut length) = (Vec::with_capacity(16), 1);
        let mut at = id;
        while at != DirId::ROOT {
            let node = self.nodes.get(&at)?;
            names.push(&*node.name);
            length += 1 + node.name.len();
            at = node.parent;
        }
        let mut path = PathBuf::with_capacity(length);
        path.push("/");
        path.extend(names.into_iter().rev());
        Some(path)
    }

    /// The directory and all below it, parents before children.
    pub(super) fn subtree(&self, id: DirId) -> Vec<DirId> {
        let mut all = vec![id];
        let mut next = 0;
        while let Some(node) = all.get(next).map(|at| self.nodes.get(at)) {
            all.extend(node.into_iter().flat_map(|n| n.children.values()));
            next += 1;
        }
        all
    }

    /// Puts a directory in its place, which must be free; its parent must be known.
    pub(super) fn insert(&mut self, id: DirId, row: Row) {
        if let Some(parent) = self.nodes.get_mut(&row.parent) {
            let name: Box<OsStr> = row.name.into();
            parent.children.insert(name.clone(), id);
            self.nodes.insert(id, Node { parent: row.parent, name, children: BTreeMap::new() });
        }
    }

    /// Takes a directory without children out.
    pub(super) fn remove(&mut self, id: DirId) {
        if let Some(node) = self.nodes.remove(&id)
            && let Some(parent) = self.nodes.get_mut(&node.parent)
        {
            parent.children.remove(&node.name);
        }
    }

    /// Number of known directories, `/` included.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Paths of many directories, one after the other: neighbours have the same parent, mostly.
pub(super) struct Paths<'a> {
    dirs: &'a Dirs,
    parent: Option<(DirId, PathBuf)>,
    at: Option<DirId>,
    path: PathBuf,
}

impl<'a> Paths<'a> {
    pub(super) fn of(dirs: &'a Dirs) -> Self {
        Self { dirs, parent: None, at: None, path: PathBuf::new() }
    }

    /// As [`Dirs::path`] has it.
    pub(super) fn path(&mut self, id: DirId) -> Option<&Path> {
        if self.at != Some(id) {
            self.at = None;
            self.set(id)?;
            self.at = Some(id);
        }
        Some(&self.path)
    }

    fn set(&mut self, id: DirId) -> Option<()> {
        let Some(node) = self.dirs.nodes.get(&id).filter(|_| id != DirId::ROOT) else {
            self.path = self.dirs.path(id)?;
            return Some(());
        };
        if self.parent.as_ref().is_none_or(|(parent, _)| *parent != node.parent) {
            self.parent = Some((node.parent, self.dirs.path(node.parent)?));
        }
        let (_, above) = self.parent.as_ref()?;
        self.path.as_mut_os_string().clear();
        self.path.push(above);
        self.path.push(&*node.name);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(parent: u32, name: &str) -> Row {
        Row { parent: DirId(parent), name: name.into() }
    }

    #[test]
    fn rows_survive_and_changed_rows_do_not() {
        let row = Row { parent: DirId(9), name: OsStr::from_bytes(b"\xff\n").to_owned() };
        let mut bytes = row.encode(DirId(12));
        assert_eq!(
            bytes[..11],
            [1, 0, 0, 0, 0, 0, 0, 0, 9, 0xff, b'\n'],
            "the format of version 1"
        );
        assert_eq!(Row::decode(DirId(12), &bytes), Some(row));
        assert_eq!(Row::decode(DirId(13), &bytes), None);
        bytes[9] ^= 1;
        assert_eq!(Row::decode(DirId(12), &bytes), None);
        assert_eq!(Row::decode(DirId(12), b"x"), None);
    }

    #[test]
    fn rows_without_a_way_to_the_root_are_orphans() {
        let rows = BTreeMap::from([
            (DirId(2), row(1, "a")),
            (DirId(3), row(2, "b")),
            (DirId(4), row(1, "a")),  // the same place again
            (DirId(5), row(4, "c")),  // below it
            (DirId(6), row(99, "d")), // parent missing
            (DirId(7), row(8, "e")),  // a ring
            (DirId(8), row(7, "f")),
        ]);
        let (dirs, mut orphans) = Dirs::from_rows(rows);
        orphans.sort();
        assert_eq!(orphans, [4, 5, 6, 7, 8].map(DirId));
        assert_eq!(dirs.find(Path::new("/a/b")), Some(DirId(3)));
        assert_eq!(dirs.path(DirId(3)), Some("/a/b".into()));
        assert_eq!(dirs.path(DirId(5)), None);
    }

    #[test]
    fn paths_one_after_the_other_are_those_of_each() {
        let row_of = |n: u32| (DirId(n), row(1.max(n / 3), &format!("d{n}")));
        let (dirs, orphans) = Dirs::from_rows((2..200).map(row_of).collect());
        assert!(orphans.is_empty());
        let mut paths = Paths::of(&dirs);
        // Forwards, with jumps, and what is not there.
        let jumps = (0..400).map(|n| n * 7_919 % 250);
        for id in (0..250).chain(jumps).chain([1, 1, 5, 5]).map(DirId) {
            assert_eq!(paths.path(id).map(Path::to_owned), dirs.path(id), "{id:?}");
        }
    }

    #[test]
    fn only_absolute_plain_paths_name_a_directory() {
        assert_eq!(
            names(Path::new("/a//b/./c/")),
            Some(vec!["a".as_ref(), "b".as_ref(), "c".as_ref()])
        );
        assert_eq!(names(Path::new("/")), Some(vec![]));
        for bad in ["a", "", "/a/../b", "./a"] {
            assert_eq!(names(Path::new(bad)), None, "{bad}");
        }
    }
}
