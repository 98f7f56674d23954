//! `tidyctl report`: the same numbers in every form, and a page that a browser shows as it is meant.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tidy_tests::files::{self, Sample};
use tidy_tests::{Daemon, World};

/// A name that would like to be markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='taken'\"> & =1+1.pdf";

/// Twelve files, one of them a copy; one is put back.
fn used(world: &World) -> Daemon {
    world.write(format!("Downloads/{HOSTILE}"), Sample::Pdf.content(100_000));
    files::make(&world.downloads(), 10);
    fs::copy(world.downloads().join(HOSTILE), world.downloads().join("copy.pdf")).unwrap();
    let daemon = world.start();
    world.wait();
    let filed = world.log(&["--kind", "move"]);
    assert_eq!(filed.len(), 12, "{filed:#?}");
    let last = filed.iter().find(|op| op["rule"] != "duplicates").unwrap()["id"].to_string();
    world.ctl(["rollback", &last]).ok();
    world.wait();
    daemon
}

#[test]
fn all_forms_have_the_same_numbers() {
    let world = World::new();
    let daemon = used(&world);
    let json = world.ctl_json(["report"]);
    assert_eq!(json["done"]["filed"]["files"], 11);
    assert_eq!(json["done"]["put_aside"]["files"], 1);
    assert_eq!(json["done"]["put_back"]["files"], 1);
    assert_eq!(json["done"]["failed"], 0);
    assert_eq!(json["duplicates"]["groups"], 1);
    let sum = |rows: &Value| {
        rows.as_array().unwrap().iter().map(|r| r["files"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(sum(&json["categories"]), json["files"]["files"].as_u64().unwrap());
    assert_eq!(sum(&json["rules"]), 12);

    let rows = world.ctl(["report", "--csv"]).ok();
    let row = |start: &str| {
        let found = rows.lines().find(|l| l.starts_with(start));
        found.unwrap_or_else(|| panic!("{start} in\n{rows}")).to_owned()
    };
    let filed = &json["done"]["filed"];
    assert_eq!(row("done,filed,"), format!("done,filed,,{},{},", filed["files"], filed["bytes"]));
    assert_eq!(row("done,put back,"), {
        let back = &json["done"]["put_back"];
        format!("done,put back,,{},{},", back["files"], back["bytes"])
    });
    for category in json["categories"].as_array().unwrap() {
        let name = category["category"].as_str().unwrap();
        let wanted = format!("category,{name},,{},{},", category["files"], category["bytes"]);
        assert_eq!(row(&format!("category,{name},")), wanted);
    }

    let page = world.ctl(["report", "--html"]).ok();
    for rule in json["rules"].as_array().unwrap() {
        let cells = format!(
            "<th scope=\"row\">{}</th><td class=\"n\">{}</td>",
            rule["rule"].as_str().unwrap(),
            rule["files"]
        );
        assert!(page.contains(&cells), "{cells} in\n{page}");
    }
    let text = world.ctl(["report"]).ok();
    assert!(text.contains("11 files") && text.contains("1 group of duplicates"), "{text}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_time_bounds_what_was_done_and_not_what_lies_there() {
    let world = World::new();
    let daemon = used(&world);
    let all = world.ctl_json(["report"]);
    let before = world.ctl_json(["report", "--until", "2020-01-01"]);
    assert_eq!(before["done"]["filed"]["files"], 0);
    assert_eq!(before["days"].as_array().map(Vec::len), Some(0));
    assert_eq!(before["files"], all["files"]);
    let since = world.ctl_json(["report", "--since", "1h"]);
    assert_eq!(since["done"], all["done"]);
    let none = world.ctl(["report", "--since", "1h", "--until", "2h"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let world = World::new();
    let daemon = world.start();
    let page = world.home().join("report.html");
    world.ctl_at(&["report", "--html", "--output"], &page).ok();
    let written = fs::read(&page).unwrap();
    assert!(written.starts_with(b"<!DOCTYPE html>"));
    let again = world.ctl_at(&["report", "--csv", "--output"], &page);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(fs::read(&page).unwrap(), written);
    // What is for a terminal's eyes only stays out of a file.
    let text = world.home().join("report.txt");
    world.ctl_at(&["report", "--output"], &text).ok();
    assert!(!fs::read_to_string(&text).unwrap().contains('\u{1b}'));
    assert_eq!(daemon.stop(), 0);
}

fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|b| Command::new(b).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        eprintln!("skipped, because there is no Chromium here");
    }
    found
}

/// What the browser makes of the page, as text.
fn dom(browser: &str, profile: &Path, page: &Path) -> String {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_browser_shows_names_as_names() {
    let Some(browser) = browser() else { return };
    let world = World::new();
    let daemon = used(&world);
    let page = world.home().join("report.html");
    world.ctl_at(&["report", "--html", "--output"], &page).ok();
    let dom = dom(browser, &world.home().join("profile"), &page);
    assert!(!dom.contains("<img"), "{dom}");
    assert!(!dom.contains("<title>taken"), "{dom}");
    assert!(dom.contains("&lt;img src=x onerror="), "{dom}");
    // Every rectangle of the charts has come through.
    let written = fs::read_to_string(&page).unwrap();
    assert_eq!(dom.matches("<rect").count(), written.matches("<rect").count());
    assert!(dom.contains("<rect"));
    assert_eq!(daemon.stop(), 0);
}
