//! Facts: what is known of one file, each with where it came from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::UnixNanos;
use crate::category::Category;
use crate::ignore::UnitKind;
use crate::metadata::Metadata;

/// Which file this is, whatever its name: survives a rename, changes with any write.
///
/// The device number is left out on purpose: it differs between two mounts of the same disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last modification of the content.
    pub mtime: UnixNanos,
    /// Creation, where the file system tells (`STATX_BTIME`).
    pub birth: Option<UnixNanos>,
}

impl Identity {
    /// The same file, though it may have been edited since: same inode, same birth.
    ///
    /// Inode numbers are reused after a delete, so where the file system tells no birth time an
    /// edited file cannot be told from another one, and only an unchanged one counts as the same.
    pub fn same_object(&self, other: &Self) -> bool {
        self == other
            || (self.ino == other.ino && self.birth.is_some() && self.birth == other.birth)
    }
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    /// FIFO, socket, device.
    Other,
}

/// What `statx(2)` says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub id: Identity,
    pub file_type: FileType,
    /// Device number, to tell whether a rename can work; not part of the identity.
    pub dev: u64,
    /// Last change of content or metadata: cannot be set by programs, so it is what settling trusts.
    pub ctime: UnixNanos,
    pub atime: UnixNanos,
    /// Permission bits, 0o7777.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
}

/// BLAKE3 of the whole content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where a fact came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `statx(2)`.
    Stat,
    /// The file's name.
    Name,
    /// The extension alone.
    Extension,
    /// Leading bytes (magic numbers).
    Signature,
    /// A look inside: container members, root element, text.
    Content,
    /// An extended attribute.
    Xattr,
    /// Exif data.
    Exif,
    /// Tags of music and other recordings.
    Tags,
    /// The header of a video's or picture's container.
    Container,
    /// What a document says of itself.
    Document,
    /// Computed over the content.
    Digest,
    /// A person said so (a rule test, `--as`).
    Given,
}

impl Source {
    /// One word for people and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Name => "name",
            Self::Extension => "extension",
            Self::Signature => "signature",
            Self::Content => "content",
            Self::Xattr => "xattr",
            Self::Exif => "exif",
            Self::Tags => "tags",
            Self::Container => "container",
            Self::Document => "document",
            Self::Digest => "digest",
            Self::Given => "given",
        }
    }
}

/// One fact: read or not, there or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// Nobody has looked yet.
    #[default]
    Unread,
    /// Looked, and the file has no such thing.
    Absent,
    /// Looked, and it could not be told; why. A condition on it is unknown, never true by negation.
    Unreadable(Arc<str>),
    /// Looked, and here it is.
    Known(T, Source),
}

impl<T> Fact<T> {
    /// The value, when known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known(v, _) => Some(v),
            _ => None,
        }
    }

    /// Whether somebody must look first.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread)
    }
}

/// What the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Media type, lower case, without parameters: `image/jpeg`.
    pub media_type: Cow<'static, str>,
    /// The category the media type (or a configured extension) belongs to.
    pub category: Category,
    /// Content and extension disagree strongly (a PDF named `.jpg`).
    pub mismatch: bool,
    /// The usual extension of what the content is, without a dot, when content said.
    pub true_ext: Option<Cow<'static, str>>,
}

/// Where a download came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `user.xdg.origin.url`.
    pub url: Option<String>,
    /// `user.xdg.referrer.url`.
    pub referrer: Option<String>,
}

/// Parts of names and texts that regular expressions of a rule have captured, by
/// `name.GROUP` and `text.GROUP`.
pub type Captures = BTreeMap<String, String>;

/// Extended attributes that belong to the file's user (`user.…`), by name.
pub type Attributes = BTreeMap<String, Vec<u8>>;

/// Why nothing but its name is known of a file that is not there.
pub const NO_FILE: &str = "there is no such file to look at";

/// All that is known of one file when a decision is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Absolute path.
    pub path: PathBuf,
    /// The root it was found under; `path` starts with it.
    pub root: Arc<Path>,
    pub stat: Stat,
    /// There is no such file, only its name: nothing that the stat says is known.
    pub imagined: bool,
    pub kind: Fact<Kind>,
    pub origin: Fact<Origin>,
    pub attributes: Fact<Attributes>,
    pub metadata: Fact<Metadata>,
    /// The beginning of its text.
    pub text: Fact<Arc<str>>,
    /// Of the rule whose action is being carried out.
    pub captures: Captures,
    pub digest: Fact<Digest>,
    /// The keeper this file is a copy of, byte for byte.
    pub duplicate_of: Fact<PathBuf>,
    /// It is no file, but a directory that is one thing.
    pub unit: Option<UnitKind>,
}

impl Facts {
    /// Facts of which only the stat is known.
    pub fn new(path: PathBuf, root: Arc<Path>, stat: Stat) -> Self {
        Self {
            path,
            root,
            stat,
            imagined: false,
            kind: Fact::Unread,
            origin: Fact::Unread,
            attributes: Fact::Unread,
            metadata: Fact::Unread,
            text: Fact::Unread,
            captures: Captures::new(),
            digest: Fact::Unread,
            duplicate_of: Fact::Unread,
            unit: None,
        }
    }

    /// Facts of a directory that is one thing: it has no content that could be asked about.
    pub fn of_unit(path: PathBuf, root: Arc<Path>, stat: Stat, unit: UnitKind) -> Self {
        Self {
            kind: Fact::Absent,
            origin: Fact::Absent,
            // A folder may have some, which nobody has read: not even "not this tag" can be said.
            attributes: Fact::Unreadable("a folder".into()),
            metadata: Fact::Absent,
            text: Fact::Absent,
            duplicate_of: Fact::Absent,
            unit: Some(unit),
            ..Self::new(path, root, stat)
        }
    }

    /// Facts of a file that is not there: its name and its place are known, everything else could not be read.
    pub fn imagined(path: PathBuf, root: Arc<Path>) -> Self {
        let (time, zero) = (UnixNanos(0), 0);
        let id = Identity { ino: 0, size: zero, mtime: time, birth: None };
        let file_type = FileType::Regular;
        let stat =
            Stat { id, file_type, dev: 0, ctime: time, atime: time, mode: 0, nlink: 1, uid: 0 };
        let why: Arc<str> = NO_FILE.into();
        Self {
            imagined: true,
            origin: Fact::Unreadable(why.clone()),
            attributes: Fact::Unreadable(why.clone()),
            metadata: Fact::Unreadable(why.clone()),
            text: Fact::Unreadable(why.clone()),
            digest: Fact::Unreadable(why.clone()),
            duplicate_of: Fact::Unreadable(why),
            ..Self::new(path, root, stat)
        }
    }

    /// The file name. Empty only for a path that has none, which no scan yields.
    pub fn file_name(&self) -> &std::ffi::OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The path below the root.
    pub fn relative(&self) -> &Path {
        self.path.strip_prefix(&self.root).unwrap_or(&self.path)
    }
}
