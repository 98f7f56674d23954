//! What is told of a confinement, and what the kernel then refuses.

#![expect(clippy::disallowed_methods, reason = "tests set up files")]

use super::*;

#[test]
fn reach_is_told_by_the_directory_itself_and_not_by_its_name() {
    let t = tempfile::tempdir().unwrap();
    let dir = |name: &str| {
        let dir = t.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    };
    let (root, read) = (dir("root"), dir("read"));
    let keys =
        Keys { write: key(&root).into_iter().collect(), read: key(&read).into_iter().collect() };
    let confined = Confinement::Landlock { abi: 7, folders: vec![root.clone()], keys };
    assert!(confined.may_write(&root) && confined.may_read(&root));
    assert!(confined.may_write(&root.join("not there/yet")));
    assert!(confined.may_read(&read) && !confined.may_write(&read));
    assert!(!confined.may_read(t.path()) && !confined.may_write(&dir("other")));
    assert_eq!(confined.to_string(), "confined to 1 folder (Landlock ABI 7)");
    // The number of an inode may be given again at once, so the old directory stays, elsewhere.
    std::fs::rename(&root, t.path().join("away")).unwrap();
    dir("root");
    assert!(!confined.may_write(&root));
    assert!(confined.may_write(&t.path().join("away")));
}

#[test]
fn without_a_confinement_everything_is_within_reach() {
    let off = Confinement::Off("this kernel has no Landlock".into());
    assert!(off.may_write(Path::new("/")) && off.may_read(Path::new("/")));
    assert_eq!(off.to_string(), "not confined: this kernel has no Landlock");
}

/// A confinement is the thread's, so each test can have its own.
#[test]
fn only_what_is_within_reach_can_be_touched() {
    use std::fs;
    let t = tempfile::tempdir().unwrap();
    let base = t.path().canonicalize().unwrap();
    for dir in ["a", "b", "own", "read", "replaced", "run", "out"] {
        fs::create_dir(base.join(dir)).unwrap();
        fs::write(base.join(dir).join("f"), dir).unwrap();
    }
    let confined_thread = |check: &(dyn Fn() + Sync)| {
        let reach = Reach {
            folders: vec![base.join("a"), base.join("b"), base.join("not there")],
            own: vec![base.join("own")],
            socket_dirs: vec![base.join("run")],
            read: vec![base.join("read")],
            replaced: vec![base.join("replaced")],
            listen: None,
        };
        let in_it = || match confine(&reach) {
            Confinement::Off(why) => eprintln!("skipped, because it is not confined: {why}"),
            Confinement::Landlock { folders, .. } => {
                assert_eq!(folders, [base.join("a"), base.join("b")], "those that are there");
                check();
            }
        };
        std::thread::scope(|s| s.spawn(in_it).join().unwrap());
    };
    let at = |path: &str| base.join(path);
    let denied = |done: std::io::Result<()>| {
        assert_eq!(done.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    };
    confined_thread(&|| {
        // Filing: between folders, into new directories, and back; and our own files.
        fs::create_dir(at("b/new")).unwrap();
        fs::rename(at("a/f"), at("b/new/f")).unwrap();
        fs::hard_link(at("b/new/f"), at("a/f")).unwrap();
        fs::remove_file(at("b/new/f")).unwrap();
        fs::remove_dir(at("b/new")).unwrap();
        fs::write(at("own/g"), "x").unwrap();
        fs::write(at("own/g"), "shorter").unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("run/s")).unwrap();
        fs::remove_file(at("run/s")).unwrap();
        drop(socket);

        let mut new = fs::File::create_new(at("replaced/new")).unwrap();
        std::io::Write::write_all(&mut new, b"new").unwrap();
        fs::rename(at("replaced/new"), at("replaced/f")).unwrap();
        assert_eq!(fs::read(at("replaced/f")).unwrap(), b"new");
        denied(fs::create_dir(at("replaced/d")));

        assert_eq!(fs::read(at("read/f")).unwrap(), b"read");
        denied(fs::write(at("read/f"), "x"));
        denied(fs::remove_file(at("read/f")));
        denied(fs::write(at("run/new"), "x"));
        denied(fs::read(at("out/f")).map(drop));
        denied(fs::read_dir(at("out")).map(drop));
        denied(fs::write(at("out/f"), "x"));
        denied(fs::remove_file(at("out/f")));
        denied(fs::create_dir(at("not there")));
        let away = fs::rename(at("a/f"), at("out/g")).unwrap_err();
        let kinds = [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::CrossesDevices];
        assert!(kinds.contains(&away.kind()), "{away}");
        denied(std::process::Command::new("/bin/true").status().map(drop));
        // What is there can still be looked at, as far as the file system allows.
        assert!(at("out/f").exists());
    });
}

/// The version of Landlock that knows ports (Linux 6.7).
const KNOWS_PORTS: i32 = 4;

#[test]
fn a_port_can_be_listened_on_if_it_was_asked_for() {
    let bind = |listen: Option<u16>| {
        let reach = Reach { listen, ..Reach::default() };
        let in_it = || match confine(&reach) {
            Confinement::Landlock { abi, .. } if abi >= KNOWS_PORTS => {
                Some(std::net::TcpListener::bind("127.0.0.1:0").map(drop).map_err(|e| e.kind()))
            }
            other => {
                eprintln!("skipped, because ports are not confined here: {other}");
                None
            }
        };
        std::thread::scope(|s| s.spawn(in_it).join().unwrap())
    };
    let Some(refused) = bind(None) else { return };
    assert_eq!(refused, Err(std::io::ErrorKind::PermissionDenied));
    // 0: any that is free.
    assert_eq!(bind(Some(0)), Some(Ok(())));
    assert_eq!(bind(Some(1)), Some(Err(std::io::ErrorKind::PermissionDenied)));
}
