//! `suggest`: files are moved by hand, and a rule is proposed that would have done it. Nothing is applied.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tidy_tests::{World, eventually};

fn suggestions(world: &World) -> Vec<Value> {
    let all = world.ctl_json(["suggest"]);
    all.as_array().expect("a list").clone()
}

/// The first one there is; what a person did is seen a moment later.
fn suggested(world: &World) -> Value {
    eventually("something is suggested", || suggestions(world).into_iter().next())
}

#[expect(clippy::disallowed_methods, reason = "a person's hand")]
fn by_hand(world: &World, from: &str, to: &str) {
    let (from, to) = (world.home().join(from), world.home().join(to));
    fs::rename(&from, &to)
        .unwrap_or_else(|e| panic!("{} to {}: {e}", from.display(), to.display()));
}

#[expect(clippy::disallowed_methods, reason = "a person's folder")]
fn folder(world: &World, name: &str) {
    fs::create_dir_all(world.home().join(name)).unwrap();
}

fn pdf(world: &World, name: &str) {
    world.write(Path::new("Downloads").join(name), format!("%PDF-1.4\n% {name}\n"));
}

const BASE: &str = "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n";
const SCOPE: &str =
    "duplicates = { scope = [\"~/Downloads\", \"~/Papers\"], others = \"report\" }\n";

#[test]
fn what_is_moved_to_one_folder_becomes_a_rule_that_works() {
    let world = World::new();
    folder(&world, "Papers/Bills");
    let config = format!("{BASE}{SCOPE}[default]\n");
    world.configure(&config);
    for name in [
        "acme invoice 1.pdf",
        "Invoice-2024.pdf",
        "invoice_7.pdf",
        "thesis.pdf",
        "notes.pdf",
        "paper.pdf",
    ] {
        pdf(&world, name);
    }
    let daemon = world.start();
    world.wait();
    assert_eq!(suggestions(&world), Vec::<Value>::new());
    let none = world.ctl(["suggest"]).ok();
    assert!(none.starts_with("nothing to suggest"), "{none}");

    for name in ["acme invoice 1.pdf", "Invoice-2024.pdf", "invoice_7.pdf"] {
        by_hand(&world, &format!("Downloads/{name}"), &format!("Papers/Bills/{name}"));
    }
    let found = suggested(&world);
    assert_eq!((&found["kind"], &found["times"]), (&"rule".into(), &3.into()), "{found:#}");
    assert!(found["to"].as_str().unwrap().ends_with("Papers/Bills"));
    assert_eq!(found["files"].as_array().unwrap().len(), 3);
    let toml = found["toml"].as_str().unwrap();
    assert!(toml.contains("when = { name = \"*invoice*\" }\nmove = \"~/Papers/Bills/\""), "{toml}");
    let text = world.ctl(["suggest"]).ok();
    assert!(
        text.contains("3 files were moved by hand into") && text.contains("*invoice*"),
        "{text}"
    );

    // It survives a restart.
    daemon.stop();
    let daemon = world.start();
    assert_eq!(suggested(&world)["toml"], found["toml"]);

    // As it stands it is a configuration, and does what was done by hand; nothing did so before.
    pdf(&world, "invoice next.pdf");
    world.wait();
    assert!(world.downloads().join("invoice next.pdf").exists());
    world.configure(&format!("{BASE}{SCOPE}{toml}[default]\n"));
    world.ctl(["config", "check"]).ok();
    // What was only looked at is out of reach of a confined process until it is started again.
    daemon.stop();
    let _daemon = world.start();
    world.wait();
    assert!(world.home().join("Papers/Bills/invoice next.pdf").exists());
    assert!(world.downloads().join("thesis.pdf").exists(), "the others stay");
}

#[test]
fn what_tidyd_moves_and_what_a_person_takes_back_is_no_habit() {
    let world = World::new();
    folder(&world, "Papers/Bills");
    world.configure(&format!(
        "{BASE}{SCOPE}[[rule]]\nname = \"pdf\"\nwhen = {{ ext = \"pdf\" }}\nmove = \"~/Papers/\"\n[default]\n"
    ));
    let _daemon = world.start();
    for i in 0..5 {
        pdf(&world, &format!("scan {i}.pdf"));
        world.write(format!("Downloads/note {i}.txt"), format!("{i}"));
    }
    world.wait();
    for i in 0..5 {
        by_hand(&world, &format!("Downloads/note {i}.txt"), &format!("Papers/Bills/note {i}.txt"));
    }
    eventually("all moves are seen", || (suggested(&world)["times"] == 5).then_some(()));
    for i in 0..5 {
        by_hand(&world, &format!("Papers/Bills/note {i}.txt"), &format!("Downloads/note {i}.txt"));
    }
    eventually("they are back", || suggestions(&world).is_empty().then_some(()));
}

#[test]
fn a_rule_whose_work_is_undone_is_told_of() {
    let world = World::new();
    folder(&world, "Papers/Letters");
    world.configure(&format!(
        "{BASE}{SCOPE}[[rule]]\nname = \"pdf\"\nwhen = {{ ext = \"pdf\" }}\nmove = \"~/Papers/\"\n[default]\n"
    ));
    let _daemon = world.start();
    for name in ["draft one.pdf", "my draft.pdf", "Draft 3.pdf", "scan.pdf", "old.pdf"] {
        pdf(&world, name);
        world.wait();
    }
    for name in ["draft one.pdf", "my draft.pdf", "Draft 3.pdf"] {
        world
            .ctl_at(&["rollback", "--yes", "--path"], &world.home().join("Papers").join(name))
            .ok();
    }
    let found = suggested(&world);
    assert_eq!(
        (&found["kind"], &found["rule"]),
        (&"wrong-rule".into(), &"pdf".into()),
        "{found:#}"
    );
    assert_eq!((&found["times"], &found["of"]), (&3.into(), &5.into()));
    assert!(found["text"].as_str().unwrap().contains("wrong 3 times of 5"), "{found:#}");
    let toml = found["toml"].as_str().unwrap();
    assert!(toml.contains("\"*draft*\"") && toml.contains("leave = true"), "{toml}");

    // What is moved on by hand says where it belongs.
    for name in ["letter a.pdf", "letter b.pdf", "the letter.pdf"] {
        pdf(&world, name);
        world.wait();
        by_hand(&world, &format!("Papers/{name}"), &format!("Papers/Letters/{name}"));
    }
    let rule = eventually("the moves are seen", || {
        suggestions(&world).into_iter().find(|s| s["kind"] == "rule" && s["times"] == 3)
    });
    let toml = rule["toml"].as_str().unwrap();
    assert!(toml.contains("\"*letter*\"") && toml.contains("~/Papers/Letters/"), "{toml}");
    let wrong = suggestions(&world).into_iter().find(|s| s["kind"] == "wrong-rule").unwrap();
    assert_eq!((&wrong["times"], &wrong["of"]), (&6.into(), &8.into()), "{wrong:#}");
}
