//! Where the socket lies.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::super::{ControlError, from_fd};
use super::*;

fn try_bind(path: &Path) -> Result<(), ControlError> {
    let runtime = runtime();
    let _inside = runtime.enter();
    bind(path).map(drop)
}

#[test]
fn a_missing_directory_is_made_for_us_alone() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("tidyd");
    let runtime = runtime();
    let _inside = runtime.enter();
    let listener = bind(&own.join("s")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&own), 0o700);
    #[cfg(target_os = "linux")]
    assert_eq!(mode(&own.join("s")), 0o600);
    drop(listener);
    assert!(!own.join("s").exists());
    // Only the last directory is made.
    let deep = try_bind(&dir.path().join("a/b/s"));
    assert!(matches!(deep, Err(ControlError::Directory { .. })), "{deep:?}");
    assert!(!dir.path().join("a").exists());
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");

    let live = UnixListener::bind(&path).unwrap();
    assert!(matches!(try_bind(&path), Err(ControlError::InUse(_))));
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    drop(live); // its file stays
    try_bind(&path).unwrap();
    assert!(!path.exists());

    fs::write(&path, "mine").unwrap();
    assert!(matches!(try_bind(&path), Err(ControlError::NotASocket(_))));
    assert_eq!(fs::read(&path).unwrap(), b"mine");

    // A link to a socket is not a socket of ours.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
    assert!(matches!(try_bind(&link), Err(ControlError::NotASocket(_))));
}

#[test]
fn a_daemon_too_busy_to_accept_is_still_in_use() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let address = SocketAddrUnix::new(&path).unwrap();
    let stream = || rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let deaf = stream();
    rustix::net::bind(&deaf, &address).unwrap();
    rustix::net::listen(&deaf, 0).unwrap();
    let mut queue = Vec::new();
    loop {
        let client = stream();
        rustix::io::ioctl_fionbio(&client, true).unwrap();
        if rustix::net::connect(&client, &address).is_err() {
            break;
        }
        queue.push(client);
    }
    assert!(matches!(try_bind(&path), Err(ControlError::InUse(_))));
    assert!(path.exists());
}

#[test]
fn two_that_start_at_once_end_up_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let runtime = runtime();
    let bound: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let _inside = runtime.enter();
                    bind(&path)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(bound.iter().filter(|b| b.is_ok()).count(), 1, "{bound:?}");
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn a_directory_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let set = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o777);
    let refused = try_bind(&dir.path().join("s")).unwrap_err();
    assert!(matches!(refused, ControlError::OpenDirectory(_)), "{refused:?}");
    assert!(refused.hint().contains("chmod"));
    set(0o1777);
    try_bind(&dir.path().join("s")).unwrap();
}

#[test]
fn a_path_that_fits_no_socket_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let long = try_bind(&dir.path().join("x".repeat(120)));
    assert!(matches!(long, Err(ControlError::BadPath(_))), "{long:?}");
    let under_a_file = dir.path().join("file");
    fs::write(&under_a_file, "").unwrap();
    let refused = try_bind(&under_a_file.join("s"));
    assert!(matches!(refused, Err(ControlError::Directory { .. })), "{refused:?}");
}

#[test]
fn a_socket_that_was_handed_over_is_served_and_stays() {
    let server = Server::start(); // lends its handler
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let bound = UnixListener::bind(&path).unwrap();
    let closing = CancellationToken::new();
    let task = {
        let _inside = server.runtime.enter();
        let listener = from_fd(OwnedFd::from(bound)).unwrap();
        let (fake, limits) = (server.fake.clone(), Limits::default());
        let room = Room::new(fake, closing.clone(), limits, Arc::default());
        server.runtime.spawn(room.serve(listener, Role::Control))
    };
    let mut client = Client::connect(&path, "test").unwrap();
    assert!(matches!(client.call(&Request::Status), Ok(Response::Status(_))));
    closing.cancel();
    server.runtime.block_on(task).unwrap();
    assert!(path.exists());
}

#[test]
fn what_is_no_listening_socket_is_not_taken() {
    let (one, _other) = UnixStream::pair().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let datagram = std::os::unix::net::UnixDatagram::unbound().unwrap();
    let file = tempfile::tempfile().unwrap();
    for fd in [OwnedFd::from(one), tcp.into(), datagram.into(), file.into()] {
        assert!(matches!(from_fd(fd), Err(ControlError::NotAListener)));
    }
}
