//! The order and presence of every sync, asserted from the system calls: a file system may keep what was not synced, and
//! the three of the power test mostly do, but none has to.
//!
//! What is demanded is what POSIX gives: `fsync` of a file makes its bytes durable and nothing else; `fsync` of a directory
//! makes the names in it durable, and neither its own name nor what the names stand for. So, of every operation:
//!
//! 1. its intent is durable, and so is the segment it is in, name and all directories above it, before anything of
//!    the user's is touched, and nothing is touched that belongs to no such operation;
//! 2. all names it has made or taken are durable before its end is written;
//! 3. a copy's bytes are durable before `verified` is written, `verified` before the copy gets its name, and the copy's
//!    name, with those of directories just made above it, before the source goes;
//! 4. what the trash knows of a file is durable before the file arrives there;
//! 5. the whole way to where a file is put is durable before its end is written, or, where it goes to another file
//!    system, before its source goes: whoever made a directory may not have synced it;
//! 6. a segment is durable before the next one is begun, and what was read of one before anything is added.
//!
//! Each test also takes single syncs out of what it saw, to find that they are missed.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

mod traced;

use std::fs;
use std::path::{Path, PathBuf};

use tidy_tests::{Binary, Run, World, binary, trace, works};

use traced::{CALLS, Event, Kind, Op, Traced, VERIFIED, What, is_segment, records, take};

const STRACE: [&str; 5] = ["strace", "-qq", "-o", "/dev/null", "true"];

/// A home with something for every kind of step, and another file system; `None` where there is none.
fn scene() -> Option<(World, tempfile::TempDir)> {
    if !works(&STRACE) {
        return None;
    }
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped, because /dev/shm cannot be written");
        return None;
    };
    let world = World::new();
    // The trash has to be made, with what is above it.
    fs::remove_dir_all(world.home().join(".local/share")).unwrap();
    world.configure(&format!(
        r#"
        watch = ["~/Downloads"]
        settle = "10ms"
        # A confined tidyd makes the trash before anything else.
        confine = false
        # What is traced are users' files and the log.
        backup = false
        duplicates = {{ keep = "oldest", others = "trash" }}
        [[rule]]
        name = "kept twice"
        when = {{ ext = "mp3" }}
        copy = "~/Copies/"
        [[rule]]
        name = "away"
        when = {{ ext = "zip" }}
        move = "{}/far/{{ext}}/"
        "#,
        other.path().display()
    ));
    for (name, content) in [
        ("a.txt", "one"),
        ("b.txt", "one"),
        ("c.zip", "two"),
        ("d.mp3", "three"),
        ("e.txt", "four"),
    ] {
        world.write(Path::new("Downloads").join(name), content);
    }
    Some((world, other))
}

/// Runs `tidyd --once` under strace.
fn once(world: &World, other: &Path, known: Vec<Op>) -> (Run, Traced) {
    let trace = world.home().join(".cache/trace");
    fs::create_dir_all(trace.parent().unwrap()).unwrap();
    let line = trace::strace(CALLS, &trace);
    let mut command = world.command(&line[0]);
    command.args(&line[1..]).arg(binary(Binary::Tidyd)).arg("--once");
    let run = Run::of(&mut command);
    (run, Traced::new(world, other, &trace, known))
}

/// As a person does who makes folders and has no idea of syncs.
#[test]
fn the_way_to_folders_that_others_have_made_is_synced() {
    let Some((world, other)) = scene() else { return };
    let far = other.path().join("far/zip");
    for dir in [world.downloads().join("Documents"), world.home().join("Copies"), far] {
        fs::create_dir_all(dir).unwrap();
    }
    let (run, mut traced) = once(&world, other.path(), Vec::new());
    run.ok();
    assert_eq!(traced.kinds(), [Kind::Move, Kind::Copy, Kind::Trash]);
    traced.check_with_each_taken_out();
}

/// The directories that tidyd makes for itself at its first start are new here, and so is its first segment.
#[test]
fn filing_syncs_what_it_must_in_order() {
    let Some((world, other)) = scene() else { return };
    let (run, mut traced) = once(&world, other.path(), Vec::new());
    run.ok();
    assert_eq!(traced.kinds(), [Kind::Move, Kind::Copy, Kind::Trash, Kind::MakeDir]);
    assert!(
        traced.ops.iter().any(|op| op.kind == Kind::Move
            && !op.states.is_empty()
            && op.states[0].state == VERIFIED),
        "one goes to the other file system"
    );
    traced.check_with_each_taken_out();
}

#[test]
fn a_rollback_syncs_what_it_must_in_order() {
    let Some((world, other)) = scene() else { return };
    world.tidyd(&["--once"]).ok();
    let trace = world.home().join(".cache/trace");
    fs::create_dir_all(trace.parent().unwrap()).unwrap();
    let line = trace::strace(CALLS, &trace);
    let daemon = world.start_under(&line.iter().map(String::as_str).collect::<Vec<_>>());
    world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
    assert_eq!(daemon.stop(), 0);
    let mut traced = Traced::new(&world, other.path(), &trace, Vec::new());
    assert_eq!(traced.kinds(), [Kind::Move, Kind::Trash, Kind::Restore, Kind::RemoveDir]);
    traced.check_with_each_taken_out();
}

/// Operations that a process before has left open, from the log.
fn left_open(world: &World) -> Vec<Op> {
    let mut ops = Vec::new();
    for segment in segments(world) {
        let bytes = fs::read(&segment).unwrap();
        let written = Event { what: What::Written(Vec::new()), path: segment, start: 0, end: 0 };
        records(&bytes).into_iter().for_each(|payload| take(&mut ops, &written, payload));
    }
    ops.retain(|op| op.end().is_none());
    for op in &mut ops {
        op.intent = None;
        op.states.clear();
    }
    ops
}

fn segments(world: &World) -> Vec<PathBuf> {
    let journal = fs::read_dir(world.state().join("journal")).unwrap();
    let mut paths: Vec<_> = journal.map(|e| e.unwrap().path()).filter(|p| is_segment(p)).collect();
    paths.sort();
    paths
}

#[test]
fn a_recovery_syncs_what_it_must_in_order() {
    let points = [
        "dir.made",
        "move.renamed",
        "copy.synced",
        "copy.verified",
        "copy.renamed",
        "copy.directory-synced",
        "aside.renamed",
        "trash.directories",
        "trash.info-written",
        "sync.before",
    ];
    for point in points {
        let Some((world, other)) = scene() else { return };
        let mut command = world.command(binary(Binary::Tidyd));
        let crashed = Run::of(command.arg("--once").env("TIDYD_CRASH_AT", point));
        assert_eq!(crashed.code, 134, "{point}: {crashed:?}");
        let open = left_open(&world);
        assert!(!open.is_empty(), "{point}");
        let (run, traced) = once(&world, other.path(), open);
        run.ok();
        traced.check();
        assert!(traced.ops.iter().all(|op| op.end().is_some()), "{point}");
    }
}

/// A segment that gets full with an end that nobody waits for is durable before the next one is begun.
#[test]
fn a_new_segment_syncs_what_it_must_in_order() {
    const SEGMENT: usize = 4 << 20;
    let Some((mut world, mut other)) = scene() else { return };
    // How long an intent and its end are, to fill the segment up to between the two.
    let mut lengths = None;
    loop {
        let late = [world.downloads().join("a.txt"), world.downloads().join("b.txt")];
        late.iter().for_each(|path| fs::rename(path, path.with_extension("part")).unwrap());
        world.tidyd(&["--once"]).ok();
        late.iter().for_each(|path| fs::rename(path.with_extension("part"), path).unwrap());
        if let Some((intent, end)) = lengths {
            fill(&segments(&world)[0], SEGMENT - intent - end / 2);
        }
        let (run, mut traced) = once(&world, other.path(), Vec::new());
        run.ok();
        let writes: Vec<_> = traced.events.iter().filter(|e| is_segment(&e.path)).collect();
        let mut written = writes.iter().filter_map(|e| match &e.what {
            What::Written(bytes) => Some(bytes.len()),
            _ => None,
        });
        let found = (written.next().unwrap(), written.next().unwrap());
        // Nobody waits for the first end, so it may be written together with the next intent: not what is looked for here.
        let is_intent =
            |write: &Event| traced.ops.iter().any(|op| op.intent.as_ref() == Some(write));
        let mut ends = traced.ops.iter().filter_map(Op::end);
        let apart = !ends.any(|end| is_intent(&end.written));
        if lengths.is_some() && apart {
            assert_eq!(segments(&world).len(), 2);
            let begun = writes.iter().position(|e| e.what == What::Created).unwrap();
            let last = writes[..begun].iter().rfind(|e| e.what != What::Synced).unwrap();
            let ends = |op: &Op| op.end().is_some_and(|end| end.written == **last);
            assert!(traced.ops.iter().any(ends), "the end was to be the last in it: {writes:?}");
            traced.check_with_each_taken_out();
            return;
        }
        lengths = lengths.or(apart.then_some(found));
        (world, other) = scene().unwrap();
    }
}

/// Fills a segment with checkpoints, which change nothing, up to about `length`.
fn fill(segment: &Path, length: usize) {
    const HEADER: usize = 40;
    let mut bytes = fs::read(segment).unwrap();
    let head = bytes[HEADER..HEADER + 4].try_into().unwrap();
    let frame = HEADER..HEADER + 8 + u32::from_be_bytes(head) as usize;
    let checkpoint = bytes[frame].to_vec();
    while bytes.len() + checkpoint.len() / 2 < length {
        bytes.extend_from_slice(&checkpoint);
    }
    fs::write(segment, bytes).unwrap();
}
