//! The log as its reader sees it, and what happens when there is none.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use super::*;

/// Runs `emit` with a log of the form `form` and returns what was written.
fn written(form: Form, filter: &str, emit: impl FnOnce()) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (subscriber, guard) = assemble(form, writer.into(), filter, None).unwrap();
    tracing::subscriber::with_default(subscriber, emit);
    // The last sender goes with the guard, so the writer ends and closes its end of the pipe.
    drop(guard);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

const PLAIN: Form = Form::Text { colours: false };

#[test]
fn a_line_has_time_level_spans_message_and_fields() {
    let text = written(PLAIN, "info", || {
        let outer = tracing::info_span!("batch", batch = 7, root = tracing::field::Empty);
        outer.record("root", "/home/a");
        let _outer = outer.enter();
        let _inner = tracing::info_span!("op", op = 9).entered();
        tracing::info!(path = "a b", ok = true, n = -3, "filed {}", 1);
        tracing::debug!("filtered out");
    });
    let line = text.strip_suffix('\n').unwrap();
    let (time, rest) = line.split_once(' ').unwrap();
    time.parse::<jiff::Timestamp>().unwrap();
    assert_eq!(
        rest.trim_start(),
        "INFO batch{batch=7 root=\"/home/a\"}:op{op=9}: tidyd::telemetry::log::tests: \
         filed 1 path=\"a b\" ok=true n=-3"
    );
}

#[test]
fn a_file_name_cannot_forge_a_line() {
    let name = std::path::Path::new("a\n2026-01-01 ERROR forged\u{1b}[31m");
    let text = written(PLAIN, "info", || {
        tracing::info!(path = %name.display(), "filed {}", name.display());
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(r"filed a\n2026-01-01 ERROR forged\u{1b}[31m"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn json_is_one_object_a_line() {
    let text = written(Form::Json, "info", || {
        let _span = tracing::info_span!("batch", batch = 7).entered();
        tracing::warn!(bytes = 12_u64, "x \"quoted\"");
    });
    let value: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(value["level"], "WARN");
    assert_eq!(value["bytes"], 12);
    assert_eq!(value["message"], "x \"quoted\"");
    assert_eq!(value["span"]["batch"], 7);
}

#[test]
fn errors_show_their_causes() {
    let text = written(PLAIN, "info", || {
        let error = LogError::Writer(std::io::Error::from_raw_os_error(24));
        tracing::error!(error = &error as &dyn std::error::Error, "no log");
    });
    assert!(text.contains("error=cannot start the log writer: Too many open files"), "{text}");
}

/// Far more than the queue and the pipe hold together.
const LINES: u64 = 100_000;

/// Nobody reads until everything has been logged: logging returns, and the reader is told later what is missing.
#[test]
fn a_full_pipe_stops_nobody_and_the_loss_is_counted() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (subscriber, guard) = assemble(PLAIN, writer.into(), "info", None).unwrap();
    let errors = guard.errors();
    tracing::subscriber::with_default(subscriber, || {
        (0..LINES).for_each(|n| tracing::info!(n, "a line {n}"));
        tracing::error!("the last");
    });
    assert_eq!(errors.recent_errors().len(), 1, "the ring does not depend on the reader");

    let started = Instant::now();
    drop(guard);
    assert!(started.elapsed() < FLUSH_LIMIT * 20, "leaving must not wait for the reader");

    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let kept = text.lines().filter(|l| l.contains(" a line ") || l.contains(" the last")).count();
    let dropped: u64 = text
        .lines()
        .filter_map(|l| l.split_once("dropped: whoever reads the log is too slow lines="))
        .map(|(_, n)| n.parse::<u64>().unwrap())
        .sum();
    assert!(dropped > 0);
    assert_eq!(u64::try_from(kept).unwrap() + dropped, LINES + 1);
}

#[test]
fn what_repeats_is_told_once_with_how_often() {
    let text = written(PLAIN, "debug", || {
        for n in 0..362 {
            tracing::warn!(n, "a folder cannot be read");
            tracing::debug!(n, "a look");
        }
        tracing::info!("something else");
    });
    let count = |what: &str| text.lines().filter(|l| l.contains(what)).count();
    assert_eq!(count(" a folder cannot be read n="), 50, "{text}");
    let told = " WARN tidyd::telemetry::log::writer: a folder cannot be read … and 312 more like it more=312";
    assert_eq!(count(told), 1, "{text}");
    assert_eq!((count("something else"), count(" a look ")), (1, 362));
}

#[test]
fn a_redacted_log_names_no_file_in_any_form() {
    let dir = tempfile::tempdir().unwrap();
    for form in [PLAIN, Form::Json] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let redactor = Redactor::open(dir.path()).unwrap();
        let (subscriber, guard) = assemble(form, writer.into(), "info", Some(redactor)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let path = std::path::Path::new("/home/ada/Secret plan.pdf");
            let _span = tracing::info_span!("batch", root = %path.display(), batch = 7).entered();
            let error = std::io::Error::other(format!("cannot open {}: busy", path.display()));
            tracing::info!(op = 9, rule = "papers", "move {} -> {}", path.display(), "/x/Secret");
            tracing::error!(error = &error as &dyn std::error::Error, ?path, "cannot {path:?}");
            (0..99).for_each(|_| tracing::warn!("cannot watch {}", path.display()));
        });
        drop(guard);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.lines().count() > 50 && text.contains("papers") && text.contains(".pdf>"));
        for part in ["Secret", "plan", "home", "ada", "busy"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn the_ring_sees_errors_that_the_filter_hides() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let (subscriber, guard) = assemble(PLAIN, writer.into(), "off", None).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("batch", batch = 7).entered();
        tracing::error!("hidden");
    });
    let errors = guard.errors().recent_errors();
    assert_eq!(errors[0].message, "hidden");
    assert_eq!(errors[0].context, [("batch".to_owned(), "7".to_owned())]);
}

#[test]
fn a_filter_is_checked() {
    let null: OwnedFd = File::open("/dev/null").unwrap().into();
    assert!(matches!(assemble(PLAIN, null, "tidyd=loud", None), Err(LogError::Filter(_))));
}

#[test]
fn journald_is_used_only_when_stderr_is_its_stream() {
    let cases = [("9:1234", true), ("9:1235", false), ("8:1234", false), ("", false), ("9", false)];
    for (variable, expected) in cases {
        assert_eq!(same_stream(variable, 9, 1234), expected, "{variable}");
    }
}

/// Names this test's part inside the private mount namespace.
const NAMESPACE: &str = "TIDYD_TEST_LOG_NAMESPACE";

/// Runs a test of this module again where `/run` is empty and private; `None` without the right to do so.
fn in_private_run(test: &str) -> Option<std::process::Output> {
    let script =
        "mount --make-rprivate / && mount -t tmpfs tmpfs /run || exit 77; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(NAMESPACE, "1")
        .output()
        .ok()?;
    let refused = output.status.code() == Some(77)
        || String::from_utf8_lossy(&output.stderr).contains("unshare failed");
    (!refused).then_some(output)
}

fn run_again_in_private_run(test: &str) {
    match in_private_run(&format!("telemetry::log::tests::{test}")) {
        Some(output) => assert!(output.status.success(), "{output:?}"),
        None => eprintln!("skipped, because a private mount namespace needs root and unshare(1)"),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "makes a journald's place in a private /run")]
fn a_stalled_journald_stops_nobody() {
    if std::env::var_os(NAMESPACE).is_none() {
        return run_again_in_private_run("a_stalled_journald_stops_nobody");
    }
    std::fs::create_dir_all("/run/systemd/journal").unwrap();
    let journald = UnixDatagram::bind("/run/systemd/journal/socket").unwrap();
    journald.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (_reader, writer) = std::io::pipe().unwrap();
    let (subscriber, guard) = assemble(Form::Journald, writer.into(), "info", None).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("batch", batch = 7).entered();
        (0..LINES).for_each(|n| tracing::info!(n, path = "a\nb", "filed {n}"));
    });

    // journald comes back: what was kept arrives with every field, then the count of what was not.
    let mut datagram = [0; 4096];
    let mut receive = || {
        let n = journald.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..n]).into_owned()
    };
    assert_eq!(receive(), "", "the empty datagram with which tracing-journald tries the socket");
    let first = receive();
    let encoded = |name: &str, value: &str| {
        let length = u64::try_from(value.len()).unwrap().to_le_bytes();
        format!("{name}\n{}{value}\n", String::from_utf8_lossy(&length))
    };
    for (name, value) in [
        ("PRIORITY", "6"),
        ("MESSAGE", "filed 0"),
        ("SYSLOG_IDENTIFIER", "tidyd"),
        ("TIDYD_N", "0"),
        ("TIDYD_PATH", "a\nb"),
        ("TIDYD_BATCH", "7"),
        ("SPAN_NAME", "batch"),
        ("TARGET", module_path!()),
    ] {
        assert!(first.contains(&encoded(name, value)), "{name} in {first:?}");
    }
    let mut kept = 1;
    loop {
        let datagram = receive();
        if datagram.contains("dropped: whoever reads") {
            assert!(kept < LINES);
            break;
        }
        kept += 1;
    }
    drop(guard);
}

#[test]
fn without_journald_the_log_goes_to_stderr_and_says_so() {
    if std::env::var_os(NAMESPACE).is_none() {
        return run_again_in_private_run("without_journald_the_log_goes_to_stderr_and_says_so");
    }
    let text = written(Form::Journald, "info", || tracing::info!("still here"));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("journald cannot be reached") && lines[1].contains("still here"));
}
