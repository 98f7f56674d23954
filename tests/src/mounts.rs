//! File systems of a test's own.
//!
//! [`Mounts::private`] gives the calling thread a mount namespace: what is mounted then is seen by that thread and by the
//! programs it starts, by nobody else, and goes with the last of them however the test ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::run::works;

/// The mounts of one test. They are taken away in reverse order, before the world they are in if made after it.
#[derive(Debug)]
pub struct Mounts {
    points: Vec<PathBuf>,
    /// Image files.
    images: tempfile::TempDir,
}

impl Mounts {
    /// `None`, having said why, where mounting is not allowed.
    pub fn private() -> Option<Self> {
        // SAFETY: only the mount namespace is left, and with it the working directory and umask shared with the other
        // threads; no descriptor table is unshared, so no owned descriptor of another thread can dangle.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNS) } {
            eprintln!("skipped, because there can be no private mounts here: {error}");
            return None;
        }
        let images = tempfile::tempdir().expect("a scratch directory");
        // Nothing mounted from here on is to reach anybody else.
        run(&["--make-rprivate", "/"]).then_some(Self { points: Vec::new(), images })
    }

    /// An empty file system in memory at `at`, with `options` (`size=64k`).
    pub fn tmpfs(&mut self, at: &Path, options: &str) -> bool {
        self.mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at)
    }

    /// Mounts a new image, as [`Self::make_image`] makes it, at `at`.
    pub fn image(&mut self, kind: &str, megabytes: u64, options: &[&str], at: &Path) -> bool {
        let image = self.make_image(kind, megabytes, options);
        // The loop device goes with the mount.
        image.is_some_and(|image| self.mount(&["-t", kind, "-o", "loop", &image], at))
    }

    /// A file of so many megabytes with a file system made by `mkfs.<kind>` with `options`.
    pub fn make_image(&self, kind: &str, megabytes: u64, options: &[&str]) -> Option<String> {
        let (_, image) = tempfile::NamedTempFile::new_in(self.images.path())
            .and_then(|file| file.keep().map_err(Into::into))
            .expect("own file");
        let sized =
            File::options().write(true).open(&image).and_then(|f| f.set_len(megabytes << 20));
        sized.expect("own file");
        let image = image.into_os_string().into_string().expect("a plain name");
        let mkfs = format!("mkfs.{kind}");
        works(&[&[mkfs.as_str()], options, &[&image]].concat()).then_some(image)
    }

    /// `mount <arguments> at`, making the directory. Says why not, and that the test is skipped, when it does not work.
    pub fn mount(&mut self, arguments: &[&str], at: &Path) -> bool {
        fs::create_dir_all(at).expect("own directory");
        let at_text = at.to_str().expect("a plain name");
        let mounted = run(&[arguments, &[at_text]].concat());
        if mounted {
            self.points.push(at.to_owned());
        }
        mounted
    }

    /// Has a FUSE program (`bindfs` with what to show) mount itself at `at`; it ends when that is unmounted.
    pub fn fuse(&mut self, program: &[&str], at: &Path) -> bool {
        fs::create_dir_all(at).expect("own directory");
        let mounted = works(&[program, &[at.to_str().expect("a plain name")]].concat());
        if mounted {
            self.points.push(at.to_owned());
        }
        mounted
    }

    /// The same with a program that wants a device to mount.
    pub fn fuse_on_loop(&mut self, program: &str, image: &str, at: &Path) -> bool {
        // Detached at once, the device goes when the program that has it open ends.
        const SCRIPT: &str = "device=$(losetup --find --show \"$1\") || exit; \"$0\" \"$device\" \"$2\"; \
                              ended=$?; losetup --detach \"$device\"; exit $ended";
        self.fuse(&["sh", "-c", SCRIPT, program, image], at)
    }

    /// The same directory again at `at`.
    pub fn bind(&mut self, directory: &Path, at: &Path) -> bool {
        self.mount(&["--bind", directory.to_str().expect("a plain name")], at)
    }

    /// Changes the options of what is mounted at `at`.
    ///
    /// # Panics
    /// It cannot be done.
    #[track_caller]
    pub fn remount(options: &str, at: &Path) {
        let at = at.to_str().expect("a plain name");
        assert!(run(&["-o", &format!("remount,{options}"), at]), "{options} at {at}");
    }

    /// Makes a bind mount at `at`, of what is there, that cannot be written to.
    pub fn read_only(&mut self, at: &Path) -> bool {
        let mounted = self.bind(at, at);
        if mounted {
            Self::remount("bind,ro", at);
        }
        mounted
    }

    /// Takes the mount at `at` away, in use or not.
    ///
    /// # Panics
    /// Nothing of ours is mounted there.
    #[track_caller]
    pub fn unmount(&mut self, at: &Path) {
        let place = self.points.iter().rposition(|p| p == at).expect("mounted by us");
        self.points.remove(place);
        unmount(at);
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        self.points.iter().rev().for_each(|point| unmount(point));
    }
}

fn run(arguments: &[&str]) -> bool {
    works(&[&["mount"], arguments].concat())
}

fn unmount(at: &Path) {
    let output = Command::new("umount").arg("-l").arg(at).output();
    if !output.as_ref().is_ok_and(|o| o.status.success()) {
        eprintln!("{} is still mounted: {output:?}", at.display());
    }
}
