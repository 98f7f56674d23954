//! Files that went from rule to rule are one file each, however many steps they take; and so are those that several people
//! put back at once.

use std::collections::BTreeMap;

use tidy_protocol::{
    Client, ClientError, ErrorCode, JobState, Outcome, Request, Response, Selector,
};
use tidy_tests::World;

use super::{configure, file, pdf, rolled_back, tree};

const TWO: &str = r#"
[[rule]]
name = "first"
when = { ext = "pdf" }
move = "~/First/"
then = "continue"

[[rule]]
name = "second"
when = { ext = "pdf" }
move = "~/Second/"
"#;

#[test]
fn in_one_batch() {
    let world = World::new();
    configure(&world, TWO);
    for n in 0..3 {
        pdf(&world, &format!("{n}.pdf"), n);
    }
    let before = tree(&world);
    let dry = world.tidyd(&["--once", "--dry-run"]);
    assert!(dry.stderr.contains("3 would be filed"), "{dry:?}");
    let daemon = world.start();
    world.wait();
    let moves = world.log(&["--kind", "move"]).len();
    assert_eq!(moves, 6, "two steps each");

    let (code, report) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!((code, &report["restored"], &report["not_restored"]), (0, &3.into(), &0.into()));
    assert_eq!(report["files"].as_array().map(Vec::len), Some(3), "{report:#}");
    for n in 0..3 {
        let name = format!("Downloads/{n}.pdf");
        assert_eq!(file(&report, &name)["outcome"], "restored");
    }
    assert_eq!(tree(&world), before);
    let job = world.ctl_json(["jobs"])[0].clone();
    assert_eq!((&job["done"], &job["total"]), (&3.into(), &3.into()), "{job:#}");

    let (code, report) = rolled_back(&world, &["redo"]);
    assert_eq!((code, &report["restored"]), (0, &3.into()), "{report:#}");
    assert!((0..3).all(|n| world.home().join(format!("Second/{n}.pdf")).exists()));
    assert_eq!(daemon.stop(), 0);
}

/// Filed, and filed on under other rules; then one is missing.
#[test]
fn over_several_batches_and_with_one_that_is_gone() {
    let world = World::new();
    // Without confinement: the second destination is new to a running tidyd.
    let rule = |to: &str| {
        format!(
            "confine = false\n[[rule]]\nname = \"{to}\"\nwhen = {{ ext = \"pdf\" }}\nmove = \"{to}/\"\n"
        )
    };
    configure(&world, &rule("~/Downloads/One"));
    for n in 0..3 {
        pdf(&world, &format!("{n}.pdf"), n);
    }
    let daemon = world.start();
    world.wait();
    configure(&world, &rule("~/Two"));
    world.ctl(["reload"]).ok();
    let organized = world.ctl(["organize", "--json"]);
    assert_eq!(organized.code, 0, "{organized:?}");
    let there =
        |dir: &str| (0..3).filter(|n| world.home().join(format!("{dir}/{n}.pdf")).exists()).count();
    assert_eq!((there("Downloads/One"), there("Two")), (0, 3), "{organized:?}");
    std::fs::remove_file(world.home().join("Two/1.pdf")).unwrap();

    let (code, report) = rolled_back(&world, &["rollback", "--since", "1h"]);
    let counts = (&report["restored"], &report["not_restored"]);
    assert_eq!((code, counts), (3, (&2.into(), &1.into())), "{report:#}");
    let missing = file(&report, "Downloads/1.pdf");
    assert_eq!(missing["outcome"], "missing", "{report:#}");
    assert_eq!(report["files"].as_array().map(Vec::len), Some(3), "{report:#}");
    assert_eq!(there("Downloads"), 2);
    let said = world.ctl(["redo", "--dry-run"]).ok();
    assert!(said.contains("2 files would be filed again"), "{said}");
    assert_eq!(daemon.stop(), 0);
}

/// Each file goes back once, by one of them, and the journal says so.
#[test]
fn several_rollbacks_at_once_put_each_file_back_once() {
    const FILES: u32 = 150;
    let world = World::new();
    configure(&world, "breaker = false\n");
    for n in 0..FILES {
        pdf(&world, &format!("{n}.pdf"), n);
    }
    let daemon = world.start();
    world.wait();
    let socket = world.socket();
    let ask = || {
        let mut client = Client::connect(&socket, "test").unwrap();
        let all = Request::Rollback { selector: Selector::Since(0), dry_run: false };
        match client.call(&all) {
            Ok(Response::Rollback(report)) => report.restored,
            Ok(Response::Job(job)) => {
                let mut follow = client.stream(&Request::JobFollow { id: job.id }).unwrap();
                assert!(follow.by_ref().all(|event| event.is_ok()));
                match follow.answer() {
                    Some(Response::Job(job)) if job.state == JobState::Done => match job.outcome {
                        Some(Outcome::Rollback(report)) => report.restored,
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                }
            }
            Err(ClientError::Daemon(error)) if error.code == ErrorCode::Busy => {
                assert!(error.retry_after_ms.is_some() && error.hint.is_some(), "{error:?}");
                0
            }
            other => panic!("{other:?}"),
        }
    };
    let restored: u64 = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(restored, u64::from(FILES));
    let mut undone: BTreeMap<u64, usize> = BTreeMap::new();
    for op in world.log(&["--kind", "move", "--state", "done"]) {
        if let Some(of) = op["inverse_of"].as_u64() {
            *undone.entry(of).or_default() += 1;
        }
    }
    assert_eq!(undone.len(), FILES as usize);
    assert!(undone.values().all(|times| *times == 1), "{undone:?}");
    assert_eq!(daemon.stop(), 0);
}
