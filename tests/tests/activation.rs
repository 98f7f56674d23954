//! A control socket that somebody else has opened: sd_listen_fds(3).

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Run, World, binary};

/// The daemon as a service manager starts it, with these descriptors from number 3 on; `exec` keeps the process number,
/// which `LISTEN_PID` has to name.
fn with(world: &World, socket: impl Into<OwnedFd>, count: u32) -> Command {
    let more = if count > 1 { "4<&0" } else { "" };
    let script =
        format!("LISTEN_PID=$$ LISTEN_FDS={count} exec \"$0\" \"$@\" 3<&0 {more} </dev/null");
    let mut command = world.command("sh");
    command.arg("-c").arg(script).arg(binary(Binary::Tidyd)).stdin(socket.into());
    command
}

/// Run to its end.
fn refused(mut command: Command) -> Run {
    let output = command.output().expect("a shell");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn whoever_asks_before_the_start_is_answered_after_it() {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let listener = UnixListener::bind(world.socket()).unwrap();
    // In the queue before there is a daemon.
    let early = UnixStream::connect(world.socket()).unwrap();
    let daemon = world.start_command(with(&world, listener.try_clone().unwrap(), 1));
    let hello: tidy_protocol::Hello = {
        let mut early = &early;
        let frame = tidy_protocol::read_frame(&mut early, tidy_protocol::MAX_REPLY).unwrap();
        tidy_protocol::decode(&frame.expect("a frame")).unwrap()
    };
    assert_eq!(hello.protocol, tidy_protocol::PROTOCOL);
    drop(early);
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);

    // The socket is not the daemon's to remove, and the next one takes it over with whoever waits there.
    assert!(world.socket().exists());
    let daemon = world.start_command(with(&world, listener, 1));
    world.ctl(["status"]).ok();
    assert_eq!(daemon.stop(), 0);
    assert!(world.socket().exists());
}

#[test]
fn what_is_no_listening_socket_is_refused_before_anything_is_done() {
    let world = World::new();
    let stream = UnixStream::pair().unwrap().0;
    let datagrams = UnixDatagram::bind(world.runtime().join("d")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let wrong: [OwnedFd; 4] = [stream.into(), datagrams.into(), tcp.into(), file.into()];
    for socket in wrong {
        let run = refused(with(&world, socket, 1));
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("not a listening Unix stream socket"), "{run:?}");
        assert!(run.stderr.contains("ListenStream="), "{run:?}");
    }
    let two = UnixListener::bind(world.runtime().join("s")).unwrap();
    let run = refused(with(&world, two, 2));
    assert!(run.code == 1 && run.stderr.contains("2 sockets were handed over"), "{run:?}");
    assert!(!world.state().exists(), "nothing was begun");
}
