//! Very many files.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::Value;
use tidy_tests::{Daemon, World, eventually};

use super::configure;

/// Files in the test of many; set to 100000 to measure (with `--release` and `--nocapture`).
const MANY: &str = "TIDYD_TEST_ROLLBACK";

/// A line of `/proc/PID/status` in KiB.
fn memory(daemon: &Daemon, line: &str) -> u64 {
    let status = format!("/proc/{}/status", daemon.pid().as_raw_nonzero());
    let status = fs::read_to_string(status).unwrap_or_default();
    let value = status.lines().find_map(|l| l.strip_prefix(line));
    value.and_then(|v| v.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn very_many_files_go_back_can_be_stopped_and_gone_on_with() {
    let many: u64 = std::env::var(MANY).ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let world = World::new();
    // So many that lie there would be asked about first.
    configure(&world, "breaker = false\n");
    let mut before: Vec<PathBuf> = Vec::new();
    for n in 0..many {
        before.push(world.write(format!("Downloads/{}/{n}.txt", n % 50), format!("file {n}\n")));
    }
    let daemon = world.start();
    world.wait_long();
    let there = || before.iter().filter(|p| p.exists()).count() as u64;
    assert_eq!(there(), 0, "all filed");
    // Afresh, so that what filing has taken is not counted.
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait_long();
    let idle = memory(&daemon, "VmRSS:");

    let mut ask = world.command(tidy_tests::binary(tidy_tests::Binary::Tidyctl));
    let null = std::process::Stdio::null;
    let ask = ask.args(["rollback", "--since", "1d", "--yes", "--json"]).stderr(null());
    let out = world.home().join(".cache/report");
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    let mut first = ask.stdout(File::create(&out).unwrap()).spawn().unwrap();
    let job = eventually("the rollback to be under way", || {
        let jobs = world.ctl_json(["jobs"]);
        let job = jobs.as_array()?.first()?.clone();
        (job["done"].as_u64()? > 0).then_some(job)
    });
    assert_eq!(job["total"], many, "{job:#}");
    world.ctl(["cancel", &job["id"].to_string()]).ok();
    let code = first.wait().unwrap().code();
    let report: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    let count = |field: &str| report[field].as_u64().expect("a number");
    let restored = count("restored");
    assert_eq!((restored, count("not_restored")), (there(), 0));
    assert_eq!(restored + count("not_reached"), many);
    if restored == many {
        eprintln!("skipped, because it was done before it could be cancelled");
    } else {
        assert_eq!((code, &report["stopped"]), (Some(3), &true.into()));
    }

    let began = std::time::Instant::now();
    let mut rest = ask.stdout(null()).spawn().unwrap();
    let ended = eventually_long("the rest to go back", || rest.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    let took = began.elapsed();
    assert_eq!(there(), many);
    let peak = memory(&daemon, "VmHWM:");
    eprintln!(
        "{} of {many} rolled back in {took:.1?}; resident {} MiB before, {} MiB at most",
        many - restored,
        idle >> 10,
        peak >> 10,
    );
    world.wait_long();
    assert_eq!(there(), many, "and they stay");
    assert!(world.ctl(["rollback", "--since", "1d"]).ok().starts_with("there is nothing"));

    let began = std::time::Instant::now();
    let dry = world.ctl_json(["redo", "--since", "1d", "--dry-run"]);
    eprintln!(
        "a dry run of taking it back: {:.1?}, {} MiB at most",
        began.elapsed(),
        memory(&daemon, "VmHWM:") >> 10
    );
    assert_eq!(dry["restored"], many);
    assert_eq!(dry["files"].as_array().map(Vec::len), Some(many.min(10_000) as usize));
    assert_eq!(daemon.stop(), 0);
}

/// As long as it takes for very many.
fn eventually_long<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600_000 {
        if let Some(answer) = state() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("waited in vain for: {what}");
}
