//! The moves that are kept, in a tree of the store.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Identity;
use tidy_core::operation::OpId;

use super::{MOVES, Move};

const TREE: &str = "habits/moves";

/// A move as it is stored, in CBOR; its key is a number that counts up (u64 BE). What cannot be read is skipped.
#[derive(Serialize, Deserialize)]
struct MoveV1 {
    #[serde(rename = "t")]
    time: i64,
    #[serde(rename = "f", with = "serde_bytes")]
    from: Vec<u8>,
    #[serde(rename = "o", with = "serde_bytes")]
    to: Vec<u8>,
    #[serde(rename = "i")]
    ino: u64,
    #[serde(rename = "s")]
    size: u64,
    #[serde(rename = "m")]
    mtime: i64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    birth: Option<i64>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    filed: Option<u64>,
    #[serde(rename = "n", default, skip_serializing_if = "is_false")]
    undecided: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

/// At most [`MOVES`] of them. Without a tree nothing is kept.
#[derive(Debug)]
pub(super) struct Kept {
    tree: Option<sled::Tree>,
    next: u64,
    count: usize,
    /// Files that were put somewhere, by where: which, and from where.
    placed: HashMap<PathBuf, (Identity, PathBuf)>,
}

impl Kept {
    pub(super) fn open(db: &sled::Db) -> Self {
        let tree = db.open_tree(TREE).map_err(|error| {
            tracing::warn!(%error, "what was moved by hand is not kept");
        });
        let tree = tree.ok();
        let last = tree.as_ref().and_then(|t| t.last().ok().flatten());
        let last = last.and_then(|(key, _)| Some(u64::from_be_bytes((*key).try_into().ok()?)));
        let count = tree.as_ref().map_or(0, sled::Tree::len);
        let next = last.map_or(0, |n| n.saturating_add(1));
        let mut me = Self { next, count, tree, placed: HashMap::new() };
        me.all().iter().for_each(|moved| me.note(moved));
        me
    }

    pub(super) fn add(&mut self, moved: &Move) {
        let Some(tree) = &self.tree else { return };
        let mut bytes = Vec::new();
        let written = ciborium::into_writer(&MoveV1::from(moved), &mut bytes);
        if written.is_err() || tree.insert(self.next.to_be_bytes(), bytes).is_err() {
            tracing::debug!("a move by hand could not be kept");
            return;
        }
        self.next += 1;
        self.count += 1;
        while self.count > MOVES && matches!(tree.pop_min(), Ok(Some(_))) {
            self.count -= 1;
        }
        self.note(moved);
    }

    fn note(&mut self, moved: &Move) {
        if !moved.undecided {
            // Of those that are kept no more than that are remembered; a restart begins anew.
            if self.placed.len() >= 2 * MOVES {
                self.placed.clear();
            }
            self.placed.insert(moved.to.clone(), (moved.id, moved.from.clone()));
        }
    }

    /// From where this very file was put there.
    pub(super) fn placed(&self, path: &Path, id: Identity) -> Option<PathBuf> {
        self.placed.get(path).filter(|(there, _)| *there == id).map(|(_, from)| from.clone())
    }

    pub(super) fn all(&self) -> Vec<Move> {
        let values = self.tree.iter().flat_map(|t| t.iter().values()).filter_map(Result::ok);
        let read = |bytes: sled::IVec| ciborium::from_reader::<MoveV1, _>(&*bytes).ok();
        values.filter_map(read).map(Move::from).collect()
    }
}

impl From<&Move> for MoveV1 {
    fn from(m: &Move) -> Self {
        Self {
            time: m.time.0,
            from: m.from.as_os_str().as_bytes().to_vec(),
            to: m.to.as_os_str().as_bytes().to_vec(),
            ino: m.id.ino,
            size: m.id.size,
            mtime: m.id.mtime.0,
            birth: m.id.birth.map(|b| b.0),
            category: m.category.as_ref().map(ToString::to_string),
            filed: m.filed.map(|op| op.0),
            undecided: m.undecided,
        }
    }
}

impl From<MoveV1> for Move {
    fn from(m: MoveV1) -> Self {
        let (mtime, birth) = (UnixNanos(m.mtime), m.birth.map(UnixNanos));
        Self {
            time: UnixNanos(m.time),
            from: OsString::from_vec(m.from).into(),
            to: OsString::from_vec(m.to).into(),
            id: Identity { ino: m.ino, size: m.size, mtime, birth },
            category: m.category.as_deref().map(Category::new),
            filed: m.filed.map(OpId),
            undecided: m.undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(n: u64) -> Move {
        let id = Identity { ino: n, size: 2, mtime: UnixNanos(3), birth: None };
        let from = OsString::from_vec(b"/a/caf\xE9".to_vec()).into();
        Move {
            time: UnixNanos(n as i64),
            from,
            to: "/b/x".into(),
            id,
            category: None,
            filed: Some(OpId(9)),
            undecided: false,
        }
    }

    #[test]
    fn the_last_moves_survive_and_no_more_than_those() {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::open(dir.path().join("s")).unwrap();
        let mut kept = Kept::open(&db);
        for n in 0..MOVES as u64 + 3 {
            kept.add(&moved(n));
        }
        let mut kept = Kept::open(&db);
        assert_eq!((kept.all().len(), kept.all()[0].clone()), (MOVES, moved(3)));
        kept.add(&moved(7));
        assert_eq!((kept.all().len(), kept.all().pop()), (MOVES, Some(moved(7))));
        db.open_tree(TREE).unwrap().insert(b"\xFF", b"nonsense").unwrap();
        assert_eq!(Kept::open(&db).all().len(), MOVES, "what cannot be read is skipped");
    }

    /// Bytes of version 1, kept: they lie in people's stores.
    #[test]
    fn golden_bytes() {
        let mut bytes = Vec::new();
        ciborium::into_writer(&MoveV1::from(&moved(1)), &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "a76174016166472f612f636166e9616f442f622f786169016173026 16d0361700 9".replace(' ', "")
        );
    }
}
