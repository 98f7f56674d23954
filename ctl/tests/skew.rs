//! Daemons that are none, others, older or newer: what is wrong, what to do about it, and the exit code.

#![expect(
    clippy::disallowed_methods,
    reason = "tests set up files of their own in a directory of their own"
)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use ciborium::cbor;
use tidy_protocol::{
    Call, Error, ErrorCode, Hello, MAX_REPLY, MAX_REQUEST, Message, PROTOCOL, Response, Status,
    decode, read_frame, write_frame,
};

fn tidyctl(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidyctl"));
    command.env_clear().env("TIDYD_SOCKET", socket).env("HOME", "/home/nobody").arg("status");
    command
}

/// Runs `tidyctl status`; returns the exit code and what it complained about.
fn said(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty() || output.status.success(), "{output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Something that listens, and what becomes of each connection, one after the other.
fn against(each: Vec<Box<dyn FnOnce(UnixStream) + Send>>) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let thread = std::thread::spawn(move || {
        for answer in each {
            answer(listener.accept().unwrap().0);
        }
    });
    let said = said(&mut tidyctl(&socket));
    thread.join().unwrap();
    said
}

fn greets(socket: &mut UnixStream, protocol: u32) {
    read_frame(socket, MAX_REQUEST).unwrap().unwrap();
    let hello = Hello { protocol, version: "9.8.7".into() };
    write_frame(socket, &hello, MAX_REPLY).unwrap();
}

fn call(socket: &mut UnixStream) -> Call {
    decode(&read_frame(socket, MAX_REQUEST).unwrap().unwrap()).unwrap()
}

fn one(answer: impl FnOnce(UnixStream) + Send + 'static) -> (i32, String) {
    against(vec![Box::new(answer)])
}

#[track_caller]
fn assert_said((code, text): (i32, String), exit: i32, parts: [&str; 2]) {
    assert_eq!(code, exit, "{text}");
    let (error, hint) = text.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {text}"));
    assert!(error.starts_with("error: ") && error.contains(parts[0]), "{text}");
    assert!(hint.contains(parts[1]), "{text}");
}

#[test]
fn another_protocol_says_which_one_to_upgrade() {
    let newer = one(|mut socket| greets(&mut socket, PROTOCOL + 1));
    assert_said(newer, 1, ["version 9.8.7", "upgrade tidyctl"]);
    let older = one(|mut socket| greets(&mut socket, PROTOCOL - 1));
    assert_said(older, 1, ["version 9.8.7", "restart tidyd"]);
}

#[test]
fn a_daemon_of_another_release_is_not_taken_for_a_broken_one() {
    let unknown = one(|mut socket| {
        greets(&mut socket, PROTOCOL);
        let id = call(&mut socket).id;
        let strange = Call { id, method: "dance".into(), params: ciborium::Value::Null };
        let error = strange.request().unwrap_err();
        write_frame(&mut socket, &Message::answer(id, Err(error)), MAX_REPLY).unwrap();
    });
    assert_said(unknown, 1, ["unknown method", "restart tidyd"]);
    let newer = one(|mut socket| {
        greets(&mut socket, PROTOCOL);
        let id = call(&mut socket).id;
        let answer = cbor!({"id" => id, "result" => {"kind" => "dance", "data" => 7}});
        write_frame(&mut socket, &answer.unwrap(), MAX_REPLY).unwrap();
    });
    assert_said(newer, 1, ["not understood", "upgrade the older one"]);
}

#[test]
fn what_is_no_tidyd_is_told() {
    let other = one(|mut socket| drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    assert_said(other, 1, ["tidyd", "--socket"]);
    let noise = one(|mut socket| drop(socket.write_all(&[0, 0, 0, 3, 0xff, 0xff, 0xff])));
    assert_said(noise, 1, ["tidyd", "--socket"]);
    let silent = one(drop);
    assert_said(silent, 4, ["without an answer", "try again"]);
    let half = one(|mut socket| {
        greets(&mut socket, PROTOCOL);
        call(&mut socket);
    });
    assert_said(half, 4, ["without an answer", "try again"]);
}

#[test]
fn where_nobody_listens_is_told_from_where_one_did() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    assert_said(said(&mut tidyctl(&none)), 4, ["not running", "start"]);
    let stale = dir.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    assert_said(said(&mut tidyctl(&stale)), 4, ["left its socket", "tidyctl errors"]);
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    assert_said(said(&mut tidyctl(&file)), 4, ["not running", "start"]);
}

#[test]
fn a_socket_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&socket, 0o600);
    mode(dir.path(), 0o755);
    let mut command = tidyctl(&socket);
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
        if let Err(error) = command.output() {
            eprintln!("skipped, because another user cannot run the program: {error}");
            return;
        }
    } else {
        mode(&socket, 0);
    }
    assert_said(said(&mut command), 5, ["not allowed", "another user"]);
}

/// Others have all connections: it comes again when it is told to.
#[test]
fn a_place_is_waited_for_where_all_are_taken() {
    let busy = |mut socket: UnixStream| {
        let error = Error::new(ErrorCode::Busy, "too many connections", "try again");
        let error = Error { retry_after_ms: Some(1), ..error };
        let _ = write_frame(&mut socket, &Message::answer(0, Err(error)), MAX_REPLY);
        let _ = read_frame(&mut socket, MAX_REQUEST);
    };
    let served = |mut socket: UnixStream| {
        greets(&mut socket, PROTOCOL);
        let id = call(&mut socket).id;
        let status = Response::Status(Box::<Status>::default());
        write_frame(&mut socket, &Message::answer(id, Ok(status)), MAX_REPLY).unwrap();
    };
    let (code, text) = against(vec![Box::new(busy), Box::new(busy), Box::new(served)]);
    assert_eq!((code, text.as_str()), (0, ""));
    // For long it is not.
    let (code, text) = one(|mut socket| {
        let error = Error::new(ErrorCode::Busy, "too many connections", "try again");
        let error = Error { retry_after_ms: Some(600_000), ..error };
        let _ = write_frame(&mut socket, &Message::answer(0, Err(error)), MAX_REPLY);
        let _ = read_frame(&mut socket, MAX_REQUEST);
    });
    assert_said((code, text), 5, ["too many connections", "try again"]);
}
