//! Disk images with a file system in them, and the record of what reached one ([`Recorder`]), from which every picture
//! that a power cut could have left is made ([`History::cut`]).
//!
//! All of it needs root and loop devices. Mounts are private to the process that [`in_private`] starts.

mod history;
mod recorder;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use history::{Cut, History, Unflushed};
pub use recorder::Recorder;

use crate::run::works;

/// A file system to put into an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    Ext4,
    Btrfs,
    Xfs,
}

impl FileSystem {
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Btrfs, Self::Xfs];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
            Self::Xfs => "xfs",
        }
    }

    fn mkfs(self) -> &'static str {
        match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Btrfs => "mkfs.btrfs",
            Self::Xfs => "mkfs.xfs",
        }
    }

    /// Bytes of an image: little more than the least that the file system's own tool accepts. It is sparse.
    fn size(self) -> u64 {
        match self {
            Self::Ext4 => 96 << 20,
            Self::Btrfs => 192 << 20,
            Self::Xfs => 320 << 20,
        }
    }

    /// Whether images of it can be made and mounted here; says why not.
    pub fn is_usable(self) -> bool {
        let Ok(scratch) = tempfile::tempdir() else { return false };
        let path = scratch.path().join("image");
        if !works(&[self.mkfs(), "-V"]) || !self.make(&path) {
            return false;
        }
        let (path, at) = (path.display().to_string(), scratch.path().join("at"));
        fs::create_dir(&at).expect("own directory");
        let script = format!("mount -o loop '{path}' '{}'", at.display());
        works(&["unshare", "--mount", "sh", "-c", &script])
    }

    /// Makes an image with an empty file system; `false` when that does not work here.
    pub fn make(self, path: &Path) -> bool {
        let file = File::create_new(path).expect("own file");
        file.set_len(self.size()).expect("own file");
        let options: &[&str] = match self {
            // Nothing is left to be initialized later, which would be noise in the record.
            Self::Ext4 => &["-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
            Self::Btrfs => &["-q", "-K"],
            Self::Xfs => &["-q", "-K"],
        };
        let image = path.display().to_string();
        works(&[&[self.mkfs()], options, &[&image]].concat())
    }
}

/// A mounted image. Unmounted when it goes out of scope, by which its loop device goes too.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts the image file at a directory.
    ///
    /// # Errors
    /// What mount says: after a power cut a file system may be beyond repair.
    pub fn new(image: &Path, at: &Path) -> io::Result<Self> {
        let mut mount = Command::new("mount");
        // A discard is no write, and could not be recorded.
        mount.args(["-o", "loop,nodiscard,noatime"]).arg(image).arg(at);
        let output = mount.output()?;
        if output.status.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Writes all of it to the image, as `sync -f` does.
    ///
    /// # Panics
    /// It cannot be synced.
    pub fn sync(&self) {
        let dir = File::open(&self.0).expect("a mounted directory");
        rustix::fs::syncfs(&dir).expect("a mounted file system");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).output();
        if !unmounted.is_ok_and(|output| output.status.success()) {
            // Something in it is still open, in a test that fails: out of sight, and gone with the process.
            let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
        }
    }
}

/// Runs the test `name` of this very test program again in a mount and process namespace of its own, so that neither
/// mounts nor daemons outlive it, and returns `false`; in there it returns `true`.
///
/// # Panics
/// The test fails in there.
#[track_caller]
pub fn in_private(name: &str) -> bool {
    const INSIDE: &str = "TIDYD_TEST_PRIVATE";
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return true;
    }
    const UNSHARE: [&str; 6] =
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !works(&[&UNSHARE[..], &["true"]].concat()) {
        return false;
    }
    let mut again = Command::new(UNSHARE[0]);
    again.args(&UNSHARE[1..]).arg(std::env::current_exe().expect("own path"));
    again.args(["--exact", name, "--nocapture"]).env(INSIDE, name);
    let output = again.output().expect("unshare worked before");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}
