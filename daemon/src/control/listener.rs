//! The socket: where it may lie, and how it is taken over from a daemon that died.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::{Listener as LocalListener, Stream};
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixListener;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};
use tokio::net::UnixStream;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("{} is too long for a socket, or holds a NUL byte", .0.display())]
    BadPath(PathBuf),
    #[error("cannot make the directory {}: {source}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{} belongs to another user", .0.display())]
    ForeignDirectory(PathBuf),
    #[error("other users can write to {}", .0.display())]
    OpenDirectory(PathBuf),
    #[error("another daemon answers on {}", .0.display())]
    InUse(PathBuf),
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot listen on {}: {source}", .path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("the descriptor that was handed over is not a listening Unix stream socket")]
    NotAListener,
    #[error("cannot use the socket that was handed over: {0}")]
    HandedOver(io::Error),
}

impl ControlError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadPath(_) => "choose a shorter path with --socket (about 100 bytes)",
            Self::Directory { .. } => {
                "make the directory above it, or choose another with --socket"
            }
            Self::ForeignDirectory(_) => {
                "choose a directory of your own with --socket, such as $XDG_RUNTIME_DIR/tidyd"
            }
            Self::OpenDirectory(_) => "run `chmod go-w` on it, or choose another with --socket",
            Self::InUse(_) => "stop the other daemon, or choose another path with --socket",
            Self::NotASocket(_) => "move it away, or choose another path with --socket",
            Self::Listen { .. } => {
                "check the directory's permissions, or choose another with --socket"
            }
            Self::NotAListener => "the socket unit needs ListenStream= with a path, and Accept=no",
            Self::HandedOver(_) => "restart the socket unit",
        }
    }
}

/// A socket that is listened on. Dropping it removes the file it made.
#[derive(Debug)]
pub struct Listener(LocalListener);

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        let Stream::UdSocket(stream) = self.0.accept().await?;
        Ok(stream.into())
    }
}

/// Listens on `path`, for our own user only. A socket nobody answers on is replaced. Must be called inside a
/// tokio runtime.
///
/// The socket's own directory is made (0700) when it is missing. It has to belong to us or to root, and nobody
/// else may write to it, except where the sticky bit keeps them from our files.
///
/// # Errors
/// [`ControlError::InUse`] when a daemon answers there; otherwise what is wrong with the place.
pub fn bind(path: &Path) -> Result<Listener, ControlError> {
    listen_on(path, None)
}

/// Listens on `path` as [`bind`] does, for a group, too: whoever is in it and can reach the directory may connect.
///
/// # Errors
/// As [`bind`]; and when the socket cannot be given to that group.
pub fn bind_for_group(path: &Path, group: u32) -> Result<Listener, ControlError> {
    listen_on(path, Some(group))
}

fn listen_on(path: &Path, group: Option<u32>) -> Result<Listener, ControlError> {
    std::os::unix::net::SocketAddr::from_pathname(path)
        .map_err(|_| ControlError::BadPath(path.to_owned()))?;
    let listen = |source| ControlError::Listen { path: path.to_owned(), source };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Between finding a stale socket and having our own in its place, another daemon that starts could do
    // the same and unlink ours: the directory is locked meanwhile.
    let directory = own_directory(parent)?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ControlError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(listen(source)),
    }
    make_way(path)?;
    let name = path.to_fs_name::<GenericFilePath>().map_err(listen)?;
    let options = ListenerOptions::new().name(name).reclaim_name(true);
    // Elsewhere a socket's mode cannot be set before it is bound; there the directory protects it.
    #[cfg(target_os = "linux")]
    let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
    let listener = options.create_tokio().map_err(listen)?;
    if let Some(group) = group {
        // In this order: before it is theirs it is nobody's but ours.
        let given = rustix::fs::chown(path, None, Some(rustix::fs::Gid::from_raw(group)));
        let mode = rustix::fs::Mode::from_raw_mode(0o660);
        given.and_then(|()| rustix::fs::chmod(path, mode)).map_err(|e| listen(e.into()))?;
    }
    drop(directory);
    Ok(Listener(listener))
}

/// Whether a descriptor that was handed over can be listened on.
///
/// # Errors
/// [`ControlError::NotAListener`] when it is anything but a listening Unix stream socket.
pub fn check_fd(fd: &OwnedFd) -> Result<(), ControlError> {
    let refused = |_: Errno| ControlError::NotAListener;
    let unix = rustix::net::getsockname(fd).map_err(refused)?.address_family();
    let stream = sockopt::socket_type(fd).map_err(refused)?;
    // macOS does not tell (rustix has no SO_ACCEPTCONN there); one that cannot be accepted from is told of then.
    #[cfg(target_os = "linux")]
    let listening = sockopt::socket_acceptconn(fd).map_err(refused)?;
    #[cfg(not(target_os = "linux"))]
    let listening = true;
    match unix == AddressFamily::UNIX && stream == SocketType::STREAM && listening {
        true => Ok(()),
        false => Err(ControlError::NotAListener),
    }
}

/// Listens on a socket somebody else bound (socket activation). Its file is theirs and stays. Must be called
/// inside a tokio runtime.
///
/// # Errors
/// As [`check_fd`].
pub fn from_fd(fd: OwnedFd) -> Result<Listener, ControlError> {
    check_fd(&fd)?;
    let listener = UnixListener::try_from(fd).map_err(ControlError::HandedOver)?;
    Ok(Listener(listener.into()))
}

/// Opens the socket's directory, made if need be, when nobody else could put a socket of theirs into it.
fn own_directory(path: &Path) -> Result<File, ControlError> {
    let failed = |source| ControlError::Directory { path: path.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(failed(e)),
    }
    let directory = File::open(path).map_err(failed)?;
    let found = directory.metadata().map_err(failed)?;
    if !found.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    let ours = rustix::process::geteuid().as_raw();
    if found.uid() != ours && found.uid() != 0 {
        return Err(ControlError::ForeignDirectory(path.to_owned()));
    }
    if open_to_others(found.mode()) {
        return Err(ControlError::OpenDirectory(path.to_owned()));
    }
    Ok(directory)
}

/// Others could replace a file of ours in a directory of this mode.
fn open_to_others(mode: u32) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    mode & OTHERS_WRITE != 0 && mode & STICKY == 0
}

/// Removes a socket nobody answers on.
#[expect(clippy::disallowed_methods, reason = "removes the socket of a daemon that died")]
fn make_way(path: &Path) -> Result<(), ControlError> {
    let listen = |source| ControlError::Listen { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(ControlError::NotASocket(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(listen(e)),
    }
    match knock(path) {
        Err(Errno::CONNREFUSED) => match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(listen(e)),
            _ => Ok(()),
        },
        Err(Errno::NOENT) => Ok(()),
        // EAGAIN: somebody listens, and the queue of those who wait is full.
        Ok(()) | Err(Errno::AGAIN) => Err(ControlError::InUse(path.to_owned())),
        Err(e) => Err(listen(e.into())),
    }
}

/// Connects without waiting: a daemon that hangs must not make us hang.
fn knock(path: &Path) -> rustix::io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_others_can_write_to_is_open_unless_sticky() {
        for (mode, open) in [
            (0o040_700, false),
            (0o040_755, false),
            (0o040_775, true),
            (0o040_702, true),
            (0o041_777, false),
            (0o042_770, true),
        ] {
            assert_eq!(open_to_others(mode), open, "{mode:o}");
        }
    }
}
