//! Nobody notices tidyd at work: what it does unasked comes last, and reads no faster than it may.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};

use tidy_tests::World;

/// `SCHED_BATCH`, `linux/sched.h`
const BATCH: i64 = 3;

/// The nice value and the scheduling policy of a thread (proc_pid_stat(5)).
fn priority(stat: &str) -> (i64, i64) {
    // The name in the second field may hold anything.
    let fields: Vec<i64> = stat
        .rsplit(')')
        .next()
        .expect("fields after the name")
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    (fields[19 - 3], fields[41 - 3])
}

#[test]
fn the_thread_that_walks_comes_after_other_programs_and_the_one_that_answers_does_not() {
    let world = World::new();
    let daemon = world.start();
    let own = priority(&fs::read_to_string("/proc/self/stat").unwrap());
    let process = format!("/proc/{}", daemon.pid());
    assert_eq!(priority(&fs::read_to_string(format!("{process}/stat")).unwrap()), own);
    let threads = fs::read_dir(format!("{process}/task")).unwrap().map(|t| t.unwrap().path());
    let scanner = |dir: &std::path::PathBuf| {
        fs::read_to_string(dir.join("comm")).is_ok_and(|name| name.trim() == "scanner")
    };
    let scanner = threads.into_iter().find(scanner).expect("a thread that walks");
    let (nice, policy) = priority(&fs::read_to_string(scanner.join("stat")).unwrap());
    assert_eq!((nice, policy), (own.0.max(10), BATCH));
    assert_eq!(daemon.stop(), 0);
}

/// It takes as long as it must, and may take longer.
#[test]
fn copies_are_looked_for_no_faster_than_the_configuration_says() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nlimits = { read = \"100 kB/s\" }\n",
    );
    let daemon = world.start();
    let begin = Instant::now();
    let content = vec![7; 150_000];
    world.write("Downloads/one.bin", &content);
    world.write("Downloads/two.bin", &content);
    world.ctl(["wait", "--timeout", "120s"]).ok();
    assert!(world.downloads().join("Duplicates").exists(), "one was put aside");
    // 300 kB, of which a quarter of a second's come at once.
    assert!(begin.elapsed() > Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(daemon.stop(), 0);
}
