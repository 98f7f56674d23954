//! The real binary against a daemon that says what the test tells it to.

#![expect(
    clippy::disallowed_methods,
    reason = "tests set up files of their own in a directory of their own"
)]

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tidy_protocol::{
    Applied, Call, Error, ErrorCode, Event, Hello, JobInfo, JobState, MAX_REPLY, MAX_REQUEST,
    Message, OperationInfo, Outcome, PROTOCOL, Page, Request, Response, RollbackReport, Selector,
    Status, UndoneFile, decode, read_frame, write_frame,
};

/// What is sent for one call.
struct Turn {
    events: Vec<Event>,
    answer: Result<Response, Error>,
}

fn says(answer: Response) -> Turn {
    Turn { events: vec![], answer: Ok(answer) }
}

/// A daemon with a script; hands back what it was asked.
struct Daemon {
    dir: TempDir,
    thread: JoinHandle<Vec<Request>>,
}

impl Daemon {
    fn new(script: impl IntoIterator<Item = Turn>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let mut script: VecDeque<Turn> = script.into_iter().collect();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            while !script.is_empty() {
                let (socket, _) = listener.accept().unwrap();
                serve(socket, &mut script, &mut asked);
            }
            asked
        });
        Self { dir, thread }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Runs tidyctl to its end.
    fn run(&self, args: &[&str]) -> Output {
        tidyctl(&self.socket(), args)
    }

    fn asked(self) -> Vec<Request> {
        self.thread.join().unwrap()
    }
}

/// Answers the calls of one connection.
fn serve(mut socket: UnixStream, script: &mut VecDeque<Turn>, asked: &mut Vec<Request>) {
    read_frame(&mut socket, MAX_REQUEST).unwrap().unwrap();
    let hello = Hello { protocol: PROTOCOL, version: "test".into() };
    write_frame(&mut socket, &hello, MAX_REPLY).unwrap();
    while let Some(frame) = read_frame(&mut socket, MAX_REQUEST).unwrap() {
        let call: Call = decode(&frame).unwrap();
        asked.push(call.request().unwrap());
        let turn = script.pop_front().expect("one more call than expected");
        for event in turn.events {
            write_frame(&mut socket, &Message::event(call.id, &event), MAX_REPLY).unwrap();
        }
        write_frame(&mut socket, &Message::answer(call.id, turn.answer), MAX_REPLY).unwrap();
    }
}

fn tidyctl(socket: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidyctl"));
    command.env_clear().env("TIDYD_SOCKET", socket).env("HOME", "/home/nobody").env("TZ", "UTC");
    command.args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn operation(id: u64, kind: &str, src: &[u8]) -> OperationInfo {
    OperationInfo {
        id,
        batch: 1,
        trigger: "watch".into(),
        kind: kind.into(),
        state: "done".into(),
        time_ns: 1_700_000_000_000_000_000,
        rule: "photos".into(),
        why: "it has a date".into(),
        src: Some(Path::new(OsStr::from_bytes(src)).into()),
        dst: Some(Path::new("/d").into()),
        size: Some(1),
        digest: None,
        tags: None,
        inverse_of: None,
        undo: false,
        undone_by: None,
        error: None,
        considered: None,
    }
}

fn page(items: Vec<OperationInfo>, cursor: Option<&str>) -> Turn {
    says(Response::Log(Page { items, cursor: cursor.map(str::to_owned), partial: false }))
}

fn job(state: JobState, outcome: Option<Outcome>) -> Box<JobInfo> {
    let (error, ended_ns) = (None, None);
    Box::new(JobInfo {
        id: 7,
        kind: "test".into(),
        state,
        started_ns: 1,
        ended_ns,
        done: 1,
        total: 2,
        batch: Some(3),
        outcome,
        error,
    })
}

#[test]
fn json_lists_are_one_array_over_all_pages() {
    let first = vec![operation(3, "move", b"/a/\xff\n"), operation(2, "mkdir", b"/b")];
    let daemon =
        Daemon::new([page(first, Some("next")), page(vec![operation(1, "move", b"/c")], None)]);
    let output = daemon.run(&["log", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.iter().map(|r| r["id"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(rows[0]["src"]["base64"], "L2Ev/wo=");
    assert_eq!(rows[2]["src"], "/c");
    let asked = daemon.asked();
    assert!(
        matches!(&asked[1], Request::Log(q) if q.cursor.as_deref() == Some("next")),
        "{asked:?}"
    );
}

#[test]
fn an_empty_list_is_an_empty_array() {
    let daemon = Daemon::new([page(vec![], None)]);
    assert_eq!(stdout(&daemon.run(&["log", "--json"])), "[]\n");
}

#[test]
fn people_see_files_and_as_many_as_they_asked_for() {
    let first = vec![operation(4, "mkdir", b"/new"), operation(3, "move", b"/a\x1b[2J\n")];
    let rest = vec![operation(2, "move", b"/b"), operation(1, "move", b"/c")];
    let daemon = Daemon::new([page(first, Some("next")), page(rest, Some("more"))]);
    let shown = stdout(&daemon.run(&["log", "--limit", "2"]));
    assert!(shown.contains("/a\\x1b[2J\\n -> /d") && shown.contains("/b -> /d"), "{shown}");
    assert!(!shown.contains("/new") && !shown.contains("/c"), "{shown}");
    assert!(!shown.contains('\x1b'), "no colours in a pipe: {shown:?}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

#[test]
fn without_a_daemon_the_exit_code_is_4_and_there_is_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    for verb in [&["status"][..], &["log", "--json"], &["rollback", "--last"], &["events"]] {
        let output = tidyctl(&dir.path().join("none"), verb);
        assert_eq!(code(&output), 4, "{verb:?}");
        assert!(stderr(&output).starts_with("error: tidyd is not running"), "{}", stderr(&output));
        assert!(stderr(&output).contains("\nhint: "), "{}", stderr(&output));
        assert!(stdout(&output).is_empty());
    }
}

#[test]
fn a_rollback_that_leaves_something_is_partly_done() {
    let file = UndoneFile {
        operation: 1,
        path: Path::new("/gone").into(),
        outcome: "missing".into(),
        restored_as: None,
        detail: None,
    };
    let report = RollbackReport {
        batch: Some(3),
        files: vec![file],
        restored: 4,
        not_restored: 1,
        stopped: false,
        not_reached: 0,
        folders: 0,
        commands: 0,
    };
    let ended = job(JobState::Done, Some(Outcome::Rollback(report)));
    let daemon = Daemon::new([
        says(Response::Job(job(JobState::Running, None))),
        Turn {
            events: vec![Event::Job(job(JobState::Running, None))],
            answer: Ok(Response::Job(ended)),
        },
    ]);
    let output = daemon.run(&["rollback", "batch:3"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let want = "missing       /gone\n4 files put back, 1 not (1 missing)\ntake it back with: tidyctl redo\n";
    assert_eq!(stdout(&output), want);
    let asked = daemon.asked();
    assert_eq!(asked[0], Request::Rollback { selector: Selector::Batch(3), dry_run: false });
    assert_eq!(asked[1], Request::JobFollow { id: 7 });
}

#[test]
fn organize_tells_what_it_did_and_how_to_take_it_back() {
    let applied = Applied { batch: Some(3), filed: 2, left: 1, ..Applied::default() };
    let ended = job(JobState::Done, Some(Outcome::Organize(applied)));
    let daemon = Daemon::new([
        says(Response::Job(job(JobState::Running, None))),
        says(Response::Job(ended)),
    ]);
    let output = daemon.run(&["organize"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let want = "2 files filed, 1 left where they are\nput everything back with: tidyctl rollback batch:3\n";
    assert_eq!(stdout(&output), want);
}

#[test]
fn a_job_that_failed_is_an_error() {
    let mut failed = job(JobState::Failed, None);
    failed.error = Some("the disk is full\x1b".into());
    let daemon = Daemon::new([says(Response::Job(failed))]);
    let output = daemon.run(&["organize", "--json"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).starts_with("error: test failed: the disk is full\\x1b\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn errors_of_the_daemon_keep_their_meaning() {
    for (code_sent, want) in [
        (ErrorCode::Busy, 5),
        (ErrorCode::Refused, 5),
        (ErrorCode::BadConfig, 78),
        (ErrorCode::BadRequest, 2),
        (ErrorCode::NotFound, 1),
    ] {
        let error = Error::new(code_sent, "no\x1b", "try this");
        let daemon = Daemon::new([Turn { events: vec![], answer: Err(error) }]);
        let output = daemon.run(&["reload"]);
        assert_eq!(code(&output), want, "{code_sent:?}");
        assert_eq!(stderr(&output), "error: no\\x1b\nhint: try this\n");
    }
}

#[test]
fn events_are_one_object_a_line() {
    let turn = Turn {
        events: vec![Event::State(Box::default()), Event::Lagged { missed: 2 }, Event::Stopping],
        answer: Ok(Response::Ended),
    };
    let daemon = Daemon::new([turn]);
    let output = daemon.run(&["events", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown = stdout(&output);
    let names: Vec<_> = shown
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(names, ["state", "lagged", "stopping"]);
}

#[test]
fn an_answer_that_does_not_belong_is_an_error_not_a_panic() {
    for verb in [&["status"][..], &["health"], &["rules"], &["wait"], &["show", "1"], &["organize"]]
    {
        let daemon = Daemon::new([says(Response::Ended)]);
        let output = daemon.run(verb);
        assert_eq!(code(&output), 1, "{verb:?}");
        assert!(stderr(&output).starts_with("error: tidyd sent an answer"), "{}", stderr(&output));
    }
}

#[test]
fn status_in_json_is_the_answer() {
    let status = Status { version: "9".into(), files_known: 3, ..Status::default() };
    let daemon = Daemon::new([says(Response::Status(Box::new(status.clone())))]);
    let output = daemon.run(&["status", "--json"]);
    assert_eq!(serde_json::from_slice::<Status>(&output.stdout).unwrap(), status);
}

#[test]
fn paths_are_absolute_and_their_directories_resolved_before_they_are_sent() {
    let daemon = Daemon::new([Turn {
        events: vec![],
        answer: Err(Error::new(ErrorCode::NotFound, "no", "")),
    }]);
    let here = daemon.dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(&here, here.join("link")).unwrap();
    let given = here.join("link/x\n");
    daemon.run(&["explain", given.to_str().unwrap()]);
    let want = Request::Explain { path: here.join("x\n").into(), as_path: None };
    assert_eq!(daemon.asked(), [want]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let many = (1..20_000).map(|id| operation(id, "move", b"/a")).collect();
    let daemon = Daemon::new([page(many, None)]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidyctl"));
    command.env_clear().env("TIDYD_SOCKET", daemon.socket()).args(["log", "--json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn init_writes_once_and_config_check_finds_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("Incoming")).unwrap();
    std::fs::create_dir(home.path().join(".config")).unwrap();
    let dirs = home.path().join(".config/user-dirs.dirs");
    std::fs::write(dirs, "XDG_DOWNLOAD_DIR=\"$HOME/Incoming\"\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidyctl"));
        command.env_clear().env("HOME", home.path()).args(args).output().unwrap()
    };
    let output = run(&["init"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("tidyd --once --dry-run"), "{}", stdout(&output));
    let path = home.path().join(".config/tidyd/config.toml");
    assert!(std::fs::read_to_string(&path).unwrap().contains("watch = [\"~/Incoming\"]"));
    assert_eq!(stdout(&run(&["config", "path"])), format!("{}\n", path.display()));
    let output = run(&["config", "check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("1 folder, 0 rules"), "{}", stdout(&output));

    std::fs::write(&path, "watch = [\"~/Nowhere\"]\nsettel = \"1s\"\n").unwrap();
    let output = run(&["init", "--force"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("already") && stderr(&output).contains("hint: "));
    let output = run(&["config", "check"]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("settel"), "{}", stderr(&output));
    let output = run(&["config", "check", "--json"]);
    assert_eq!(code(&output), 78);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["ok"], &found["errors"][0]["line"]), (&false.into(), &2.into()), "{found}");
    assert_eq!(code(&run(&["config", "show"])), 78);
}

#[test]
fn completions_and_manual_pages_are_made_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = tidyctl(Path::new("/none"), &["completions", shell]);
        let script = stdout(&output);
        assert!(code(&output) == 0 && script.contains("TIDYCTL_COMPLETE"), "{shell}: {script}");
    }
    assert!(stdout(&tidyctl(Path::new("/none"), &["man"])).contains(".TH tidyctl 1"));
    let output = tidyctl(Path::new("/none"), &["man", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for page in ["tidyctl.1", "tidyctl-rollback.1", "tidyctl-config-check.1"] {
        assert!(dir.path().join(page).is_file(), "{page}");
    }
}
