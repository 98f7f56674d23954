//! Why an operation was not carried out, and what to do about it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tidy_core::name;
use tidy_core::operation::OpEvent;

/// Why an operation was not carried out.
///
/// Nothing of the user's was changed, except where [`ActError::event`] says nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    #[error("{} is not there any more; nothing was done", shown(path))]
    SourceGone { path: PathBuf },
    #[error("{} has changed since it was looked at; it will be looked at again", shown(path))]
    SourceChanged { path: PathBuf },
    #[error("{} is open for writing; it will be looked at again when it is closed", shown(path))]
    StillWritten { path: PathBuf },
    #[error("{} is not a regular file; such things are left alone", shown(path))]
    NotRegular { path: PathBuf },
    #[error(
        "{} has other names (hard links), so it is not moved to another file system; move it by hand, or remove the \
         other names",
        shown(path)
    )]
    HasOtherNames { path: PathBuf },
    /// Plan again under another name.
    #[error("{} is there already and is not replaced; choose another name", shown(path))]
    DestinationTaken { path: PathBuf },
    /// To be made, and there already: it was not made by us, so an undo must not remove it.
    #[error("directory {} is there already; it is used as it is", shown(path))]
    Exists { path: PathBuf },
    #[error("directory {} is not empty and stays; move what is in it first", shown(path))]
    DirectoryNotEmpty { path: PathBuf },
    #[error("{} is a symlink or not a directory; name the real directory", shown(path))]
    NotADirectory { path: PathBuf },
    #[error(
        "{} and {} do not have the same content; neither was touched",
        shown(path),
        shown(twin)
    )]
    TwinDiffers { path: PathBuf, twin: PathBuf },
    #[error("{} is gone or has changed since it was compared; its duplicate stays", shown(twin))]
    TwinChanged { twin: PathBuf },
    #[error(
        "the file it goes with is not at {}, so it stays; it will be looked at again",
        shown(main)
    )]
    NotFollowed { main: PathBuf },
    #[error(
        "{} is a folder and {} is on another file system; a folder is moved as a whole only within one",
        shown(path),
        shown(dir)
    )]
    FolderAcross { path: PathBuf, dir: PathBuf },
    #[error(
        "the tags of {} have been changed by somebody else; they stay as they are",
        shown(path)
    )]
    TagsChanged { path: PathBuf },
    #[error("{} can have no tags: its file system keeps no extended attributes", shown(path))]
    NoTags { path: PathBuf },
    /// A command of a rule.
    #[error("{why}")]
    Command { why: String },
    #[error(
        "the directory {} does not exist any more: if its disk is away, connect it; else restart tidyd, which makes it",
        shown(dir)
    )]
    ParentMissing { dir: PathBuf },
    #[error(
        "the file system at {} can neither rename without replacing nor link, so nothing is moved \
         there; choose a destination on another file system",
        shown(path)
    )]
    NoSafeRename { path: PathBuf },
    #[error("{what} cannot be made in {}: {why}; copy instead, or leave the file", shown(path))]
    NoSuchLink { what: &'static str, path: PathBuf, why: &'static str },
    #[error(
        "the file system at {} does not take the name {}; use one without \\ : * ? \" < > | and without a dot or space \
         at its end",
        shown(dir),
        shown(Path::new(name))
    )]
    NameRefused { dir: PathBuf, name: OsString },
    #[error(
        "there is no room for the attribute {attribute} of {} on the file system at {}; free some space there, or \
         choose another destination",
        shown(path),
        shown(dir)
    )]
    AttributeTooLarge { path: PathBuf, attribute: String, dir: PathBuf },
    #[error("the copy of {} did not read back as it was written; check the disk", shown(path))]
    CopyDiffers { path: PathBuf },
    #[error("the copy at {} was changed by somebody else; both files were left", shown(path))]
    CopyChanged { path: PathBuf },
    #[error(
        "another file took the place of {} during the move and could not be put back; it is at {}",
        shown(path),
        shown(at)
    )]
    Displaced { path: PathBuf, at: PathBuf },
    #[error("no trash can be used for {}: {why}; set another action for such files", shown(path))]
    NoTrash { path: PathBuf, why: String },
    #[error("{} could not be made durable: {source}; check the disk", shown(path))]
    Sync { path: PathBuf, source: io::Error },
    #[error("cannot {doing} {}: {source}{}", shown(path), hint(source))]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// What had been changed by then could not be taken back: see [`super::recover`].
    #[error("{0}")]
    Unsettled(Box<ActError>),
    /// The journal could not make a state durable half-way.
    #[error("the journal could not be written: {0}; free some space or check the disk")]
    Journal(String),
    #[error("the operation has no {0}; this is a defect, please report it")]
    Malformed(&'static str),
}

impl ActError {
    /// How the operation ends in the journal. `None`: it has not ended. Something was changed and could
    /// not be taken back, so that only a look at the disk can tell: that of [`super::recover`].
    pub fn event(&self) -> Option<OpEvent> {
        match self {
            Self::Unsettled(_) | Self::Displaced { .. } => None,
            Self::SourceGone { .. }
            | Self::SourceChanged { .. }
            | Self::StillWritten { .. }
            | Self::NotRegular { .. }
            | Self::HasOtherNames { .. }
            | Self::NotFollowed { .. }
            | Self::DestinationTaken { .. }
            | Self::Exists { .. }
            | Self::DirectoryNotEmpty { .. }
            | Self::NotADirectory { .. }
            | Self::TwinDiffers { .. }
            | Self::TwinChanged { .. }
            | Self::TagsChanged { .. } => Some(OpEvent::Aborted),
            Self::ParentMissing { .. }
            | Self::FolderAcross { .. }
            | Self::Command { .. }
            | Self::NoTags { .. }
            | Self::NoSafeRename { .. }
            | Self::NoSuchLink { .. }
            | Self::NameRefused { .. }
            | Self::AttributeTooLarge { .. }
            | Self::CopyDiffers { .. }
            | Self::CopyChanged { .. }
            | Self::NoTrash { .. }
            | Self::Sync { .. }
            | Self::Io { .. }
            | Self::Journal(_)
            | Self::Malformed(_) => Some(OpEvent::Failed),
        }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SourceGone { .. } => "source-gone",
            Self::SourceChanged { .. } => "source-changed",
            Self::StillWritten { .. } => "still-written",
            Self::NotRegular { .. } => "not-regular",
            Self::HasOtherNames { .. } => "has-other-names",
            Self::DestinationTaken { .. } => "destination-taken",
            Self::Exists { .. } => "exists",
            Self::DirectoryNotEmpty { .. } => "directory-not-empty",
            Self::NotADirectory { .. } => "not-a-directory",
            Self::TwinDiffers { .. } => "twin-differs",
            Self::TwinChanged { .. } => "twin-changed",
            Self::NotFollowed { .. } => "not-followed",
            Self::Command { .. } => "command-failed",
            Self::TagsChanged { .. } => "tags-changed",
            Self::NoTags { .. } => "no-tags",
            Self::FolderAcross { .. } => "folder-across",
            Self::ParentMissing { .. } => "parent-missing",
            Self::NoSafeRename { .. } => "no-safe-rename",
            Self::NoSuchLink { .. } => "no-such-link",
            Self::NameRefused { .. } => "name-refused",
            Self::AttributeTooLarge { .. } => "no-space",
            Self::CopyDiffers { .. } => "copy-differs",
            Self::CopyChanged { .. } => "copy-changed",
            Self::Displaced { .. } => "displaced",
            Self::NoTrash { .. } => "no-trash",
            Self::Sync { .. } => "sync-failed",
            Self::Io { source, .. } => kind(source).0,
            Self::Unsettled(e) => e.code(),
            Self::Journal(_) => "journal-failed",
            Self::Malformed(_) => "malformed-operation",
        }
    }

    /// The same, after something was changed and could not be taken back.
    pub(super) fn unsettled(self) -> Self {
        match self {
            already @ Self::Unsettled(_) => already,
            e => Self::Unsettled(Box::new(e)),
        }
    }

    /// The error number, if it was the system that refused.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io { source, .. } | Self::Sync { source, .. } => errno(source),
            _ => None,
        }
    }

    /// For `map_err`: what was being done, and to what.
    pub(super) fn io<E: Into<io::Error>>(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |e| Self::Io { doing, path, source: e.into() }
    }
}

/// The error number, if the system gave one.
pub(super) fn errno(e: &io::Error) -> Option<Errno> {
    e.raw_os_error().map(Errno::from_raw_os_error)
}

/// Whether the file system lacks the call. Two numbers on macOS, one on Linux.
pub(super) fn is_not_supported(e: Errno) -> bool {
    e == Errno::NOTSUP || e == Errno::OPNOTSUPP || e == Errno::NOSYS
}

/// Stable word, and what to do next.
fn kind(e: &io::Error) -> (&'static str, &'static str) {
    match errno(e) {
        Some(Errno::ACCESS) => (
            "permission-denied",
            "; check the permissions of it and its folder, and that tidyd is not confined to others \
             (`tidyctl status`)",
        ),
        Some(Errno::PERM) => (
            "permission-denied",
            "; it may belong to somebody else, or be protected from changes (`lsattr` shows that)",
        ),
        Some(Errno::ROFS) => ("read-only", "; its file system is read-only: mount it writable"),
        Some(Errno::NOSPC) => ("no-space", "; free some space there"),
        Some(Errno::DQUOT) => ("no-space", "; the quota there is used up"),
        Some(Errno::NAMETOOLONG) => ("name-too-long", "; use a shorter name"),
        Some(Errno::IO) => ("io-error", "; check the disk"),
        Some(Errno::MFILE | Errno::NFILE) => ("too-many-open", "; raise the limit of open files"),
        _ => ("io-error", ""),
    }
}

fn hint(e: &io::Error) -> &'static str {
    kind(e).1
}

fn shown(path: &Path) -> String {
    name::shown(path.as_os_str())
}
