//! What is counted and measured, and where it can be read.
#![expect(clippy::disallowed_methods, reason = "tests write, move and remove their own files")]

mod documents;
mod exposition;
mod health;
mod http;
mod textfile;

use std::process::{Command, Stdio};

use exposition::Exposition;
use tidy_tests::files::Sample;
use tidy_tests::{World, eventually, works};

/// What `tidyctl metrics` says.
#[track_caller]
fn metrics(world: &World) -> Exposition {
    let text = world.ctl(["metrics"]).ok();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    Exposition::of(&text)
}

/// The configuration of a world, with more lines.
fn configured(lines: &str) -> World {
    let world = World::new();
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n{lines}\n"));
    world
}

/// A world in which something of everything has happened.
fn busy() -> World {
    let world = World::new();
    let same = Sample::Pdf.content(1);
    world.write("Downloads/secret-plan.pdf", &same);
    world.write("Downloads/copy of secret-plan.pdf", &same);
    world.write("Downloads/secret-face.png", Sample::Png.content(2));
    world.write("Downloads/secret-nothing", b"\x00\x01nothing\xff");
    world
}

#[test]
fn all_of_it_is_in_the_format_and_no_file_is_named() {
    let world = busy();
    let daemon = world.start();
    world.wait();
    let text = world.ctl(["metrics"]).ok();
    let told = Exposition::of(&text);
    told.check();
    assert!(told.families.len() >= 25, "{}", told.families.len());
    assert!(!text.contains("secret") && !text.contains(world.home().to_str().unwrap()), "{text}");
    assert!(told.value("tidyd_watches", &[]) >= 1.0);
    assert!(told.value("process_open_fds", &[]) <= told.value("process_max_fds", &[]));
    assert!(told.value("process_resident_memory_bytes", &[]) > 1e6);
    assert!(told.value("tidyd_journal_size_bytes", &[]) > 0.0);
    assert!(told.value("tidyd_store_size_bytes", &[]) > 0.0);
    assert_eq!(told.value("tidyd_roots", &[("state", "watching")]), 1.0);
    assert_eq!(told.value("tidyd_health_ok", &[("check", "root")]), 1.0);
    assert_eq!(told.value("tidyd_clients", &[]), 1.0, "the one that asks");

    // The parser of Prometheus' own client for Python, where it is installed.
    let python = ["python3", "-c", "import prometheus_client.openmetrics.parser"];
    if works(&python) {
        let script = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as p; \
                      print(len(list(p(sys.stdin.read()))))";
        let file = world.write("metrics.txt", &text);
        let input = Stdio::from(std::fs::File::open(file).unwrap());
        let output = Command::new("python3").args(["-c", script]).stdin(input).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), told.families.len().to_string(), "{output:?}");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_is_filed_put_aside_left_rolled_back_and_refused_is_counted() {
    let world = configured("read-only = { socket = \"~/look.sock\" }");
    let daemon = world.start();
    world.wait();
    let before = metrics(&world);
    assert_eq!(before.get("tidyd_files_total", &[]), None);
    assert_eq!(before.value("tidyd_filed_total", &[]), 0.0);
    assert_eq!(before.value("tidyd_settle_seconds_count", &[]), 0.0);

    let pdf = Sample::Pdf.content(1);
    world.write("Downloads/a.pdf", &pdf);
    world.write("Downloads/b.png", Sample::Png.content(2));
    world.write("Downloads/unknown", b"\x00\x01nothing\xff");
    world.wait();
    world.write("Downloads/again.pdf", &pdf);
    world.wait();
    let filed = metrics(&world);
    filed.check();
    let files = |outcome, category| {
        filed.value("tidyd_files_total", &[("outcome", outcome), ("category", category)])
    };
    assert_eq!(files("filed", "document"), 1.0);
    assert_eq!(files("filed", "image"), 1.0);
    assert!(filed.value("tidyd_files_total", &[("outcome", "left")]) >= 1.0);
    assert_eq!(filed.value("tidyd_files_total", &[("outcome", "put-aside")]), 1.0);
    assert_eq!(filed.value("tidyd_filed_total", &[]), 3.0);
    assert_eq!(filed.value("tidyd_duplicates_found_total", &[]), 1.0);
    assert_eq!(filed.value("tidyd_duplicates_put_aside_total", &[]), 1.0);
    for bytes in ["tidyd_duplicates_found_bytes_total", "tidyd_duplicates_put_aside_bytes_total"] {
        assert_eq!(filed.value(bytes, &[]), pdf.len() as f64, "{bytes}");
    }
    let by_rule = |rule| filed.value("tidyd_rule_files_total", &[("rule", rule)]);
    assert_eq!((by_rule("default image"), by_rule("duplicates")), (1.0, 1.0));
    let done = [("kind", "move"), ("state", "done")];
    assert_eq!(filed.value("tidyd_operations_total", &done), 3.0);
    assert!(filed.value("tidyd_journal_operations_total", &[("state", "done")]) >= 3.0);
    assert!(filed.value("tidyd_operation_seconds_count", &[]) >= 3.0);
    assert!(filed.value("tidyd_journal_sync_seconds_count", &[]) >= 2.0);
    assert!(filed.value("tidyd_settle_seconds_count", &[]) >= 4.0);
    assert_eq!(filed.value("tidyd_filing_seconds_count", &[]), 3.0);
    assert!(filed.value("tidyd_settle_seconds_sum", &[]) > 0.0);
    assert!(filed.value("tidyd_digest_cache_misses_total", &[]) >= 1.0);
    assert_eq!(filed.value("tidyd_left_files", &[("reason", "no-rule")]), 1.0);
    assert_eq!(filed.value("tidyd_catalog_files", &[("outcome", "filed")]), 3.0);
    for stage in ["settling", "ready", "filing"] {
        assert_eq!(filed.value("tidyd_pending_files", &[("stage", stage)]), 0.0, "{stage}");
    }

    world.ctl(["rollback", "--last", "2"]).ok();
    world.ctl(["redo"]).ok();
    assert_eq!(world.ctl(["show", "4711"]).code, 1);
    let look = world.home().join("look.sock");
    assert_eq!(world.ctl(["--socket", look.to_str().unwrap(), "pause"]).code, 5);
    let looked = world.ctl(["--socket", look.to_str().unwrap(), "metrics"]).ok();
    let after = Exposition::of(&looked);
    let undone = |direction| after.value("tidyd_undone_files_total", &[("direction", direction)]);
    assert_eq!((undone("rollback"), undone("redo")), (3.0, 3.0));
    let restored = [("direction", "rollback"), ("outcome", "restored")];
    assert_eq!(after.value("tidyd_undone_files_total", &restored), 3.0);
    assert_eq!(after.value("tidyd_request_errors_total", &[("code", "not-found")]), 1.0);
    assert_eq!(after.value("tidyd_request_errors_total", &[("code", "refused")]), 1.0);
    assert_eq!(after.value("tidyd_requests_refused_total", &[("reason", "read-only")]), 1.0);
    assert_eq!(after.value("tidyd_request_seconds_count", &[("method", "show")]), 1.0);
    assert_eq!(after.get("tidyd_request_seconds_count", &[("method", "wait")]), None);
    assert!(after.value("tidyd_requests_total", &[]) > filed.value("tidyd_requests_total", &[]));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn totals_survive_a_restart_and_what_the_process_counts_begins_anew() {
    let world = busy();
    let daemon = world.start();
    world.wait();
    let first = metrics(&world);
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait();
    let second = metrics(&world);
    for total in
        ["tidyd_filed_total", "tidyd_filed_bytes_total", "tidyd_duplicates_put_aside_total"]
    {
        assert!(first.value(total, &[]) > 0.0, "{total}");
        assert_eq!(first.get(total, &[]), second.get(total, &[]), "{total}");
    }
    assert_eq!(second.get("tidyd_files_total", &[("outcome", "filed")]), None);
    assert_eq!(second.value("tidyd_filing_seconds_count", &[]), 0.0);
    let started = "process_start_time_seconds";
    assert!(second.value(started, &[]) > first.value(started, &[]));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_stopped_folder_and_the_error_about_it_are_told() {
    let world = configured("breaker = { first = 3 }");
    (0..8).for_each(|n| drop(world.write(format!("Downloads/{n}.png"), Sample::Png.content(n))));
    let daemon = world.start();
    assert_eq!(world.ctl(["wait"]).code, 3, "it is not waited for");
    let told = metrics(&world);
    assert_eq!(told.value("tidyd_roots_stopped", &[]), 1.0);
    assert_eq!(told.value("tidyd_roots", &[("state", "paused")]), 1.0);
    assert_eq!(told.value("tidyd_health_ok", &[("check", "root")]), 0.0);
    assert_eq!(told.value("tidyd_health_ok", &[("check", "journal")]), 1.0);
    assert!(told.value("tidyd_errors_total", &[("room", "service")]) >= 1.0);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_rule_may_be_called_anything() {
    let world = configured(
        "[[rule]]\nname = 'my \"best\" \\ rule'\nwhen = { ext = \"odd\" }\nmove = \"Odd/\"",
    );
    world.write("Downloads/a.odd", "x");
    let daemon = world.start();
    world.wait();
    let told = metrics(&world);
    told.check();
    assert_eq!(told.value("tidyd_rule_files_total", &[("rule", "my \"best\" \\ rule")]), 1.0);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn where_it_can_be_read_is_put_in_force_by_a_restart_alone() {
    let world = configured("");
    let daemon = world.start();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n",
    );
    let said = world.ctl(["reload"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("[metrics] has changed: restart tidyd"), "{said:?}");
    let waits = |part: &str| {
        let status = world.ctl_json(["status"]);
        let warned = status["warnings"].as_array().unwrap().clone();
        warned.iter().filter_map(|w| w.as_str()).any(|w| w.starts_with(part))
    };
    assert!(waits("[metrics] has changed: restart tidyd"));
    // The same holds for the log, and only for as long as it is so.
    let other = "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n";
    world.configure(&format!("{other}log = {{ redact = true }}\n"));
    assert!(world.ctl(["reload"]).stderr.contains("log has changed: restart tidyd"));
    assert!(waits("log has changed") && !waits("[metrics]"));
    world.configure(&format!("{other}[metrics]\nlisten = \"127.0.0.1:0\"\n"));
    world.ctl(["reload"]).ok();
    assert!(waits("[metrics]") && !waits("log"));
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    http::port(&daemon);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_waits_is_told_while_it_waits() {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"1h\"\n");
    let daemon = world.start();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    eventually("the file to be seen", || {
        let settling = [("stage", "settling")];
        (metrics(&world).value("tidyd_pending_files", &settling) == 1.0).then_some(())
    });
    assert_eq!(metrics(&world).value("tidyd_settle_seconds_count", &[]), 0.0);
    assert_eq!(daemon.stop(), 0);
}
