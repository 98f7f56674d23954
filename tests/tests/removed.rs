//! The state directory goes away while tidyd runs: somebody wanted to begin anew, or an unmounted disk took it along.
#![expect(clippy::disallowed_methods, reason = "removes a scratch state directory")]

use std::fs;

use tidy_tests::{World, eventually};

/// What is written to a file that has no name any more goes with the process, and then nothing could be put back.
#[test]
fn without_a_state_directory_nothing_is_filed_and_it_is_told() {
    let world = World::new();
    let daemon = world.start();
    world.write("Downloads/before.pdf", "%PDF-1.4\n1");
    world.wait();
    fs::remove_dir_all(world.state()).unwrap();

    let file = world.write("Downloads/after.pdf", "%PDF-1.4\n2");
    let health = eventually("health to be bad", || {
        let run = world.ctl(["health"]);
        (run.code != 0).then_some(run)
    });
    assert!(health.code == 1 && health.stdout.contains("BAD  journal: "), "{health:?}");
    assert!(file.exists(), "nothing is touched that is not on record");
    // Nobody waits for what cannot be done.
    let waited = world.ctl(["wait", "--timeout", "10m"]);
    assert!(waited.code == 6 && waited.stderr.contains("tidyctl health"), "{waited:?}");
    assert!(waited.stderr.starts_with("error: nothing can be filed: "), "{waited:?}");
    let waited = world.ctl(["wait", "--timeout", "10m", "--json"]);
    assert!(waited.code == 6 && waited.stdout.contains(r#""drained":false"#), "{waited:?}");
    // A rollback would not be on record either.
    assert_ne!(world.ctl(["rollback", "--last"]).code, 0);
    assert!(world.downloads().join("Documents/before.pdf").exists());
    assert_eq!(daemon.stop(), 0);

    let daemon = world.start();
    world.wait();
    assert!(world.downloads().join("Documents/after.pdf").exists());
    assert_eq!(world.ctl(["health"]).code, 0);
    world.ctl(["rollback", "--last"]).ok();
    assert!(file.exists());
    assert_eq!(daemon.stop(), 0);
}
