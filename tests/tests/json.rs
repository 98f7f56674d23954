//! `docs/json.md` held against what is really printed, and against what may be.

#[path = "../../protocol/tests/examples/mod.rs"]
#[expect(dead_code, reason = "the protocol's own tests use the rest")]
mod examples;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{Binary, World, binary};

const DOCUMENT: &str = include_str!("../../docs/json.md");

/// The shapes by name: the block below each heading.
fn shapes() -> BTreeMap<String, Value> {
    let mut shapes = BTreeMap::new();
    for section in DOCUMENT.split("\n### ").skip(1) {
        let (name, rest) = section.split_once('\n').expect("a heading ends");
        let code: Vec<&str> = rest.lines().filter_map(|l| l.strip_prefix("    ")).collect();
        let shape =
            serde_json::from_str(&code.join("\n")).unwrap_or_else(|e| panic!("{name}: {e}"));
        shapes.insert(name.to_owned(), shape);
    }
    shapes
}

/// What each verb prints, as a shape: a name, or a list of what it names.
fn verbs() -> BTreeMap<String, Value> {
    let mut verbs = BTreeMap::new();
    for row in DOCUMENT.lines().filter(|l| l.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split('|');
        let (names, shape) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let shape = shape.split('`').nth(1).expect("a shape");
        let shape = match shape.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            Some(item) => Value::Array(vec![item.into()]),
            None => shape.into(),
        };
        for name in names.split('`').skip(1).step_by(2) {
            verbs.insert(name.to_owned(), shape.clone());
        }
    }
    verbs
}

/// What is wrong with `value`, by its place.
fn mismatch(
    shapes: &BTreeMap<String, Value>,
    shape: &Value,
    value: &Value,
    at: &str,
) -> Option<String> {
    match shape {
        Value::String(kind) => {
            let (kind, nullable) =
                kind.strip_suffix('?').map_or((kind.as_str(), false), |k| (k, true));
            let is_path =
                |v: &Value| v.is_string() || (v["text"].is_string() && v["base64"].is_string());
            let fits = match kind {
                _ if nullable && value.is_null() => true,
                "any" => true,
                "text" => value.is_string(),
                "number" => value.is_i64() || value.is_u64(),
                "bool" => value.is_boolean(),
                "path" => is_path(value),
                name => {
                    let shape = shapes.get(name).unwrap_or_else(|| panic!("{at}: no shape {name}"));
                    return mismatch(shapes, shape, value, at);
                }
            };
            (!fits).then(|| format!("{at} is no {kind}: {value}"))
        }
        Value::Array(item) => {
            let Some(values) = value.as_array() else {
                return Some(format!("{at} is no list: {value}"));
            };
            let each = values.iter().enumerate();
            each.map(|(n, v)| mismatch(shapes, &item[0], v, &format!("{at}[{n}]"))).find_map(|m| m)
        }
        Value::Object(fields) => {
            let Some(object) = value.as_object() else {
                return Some(format!("{at} is no object: {value}"));
            };
            let known = |name: &String| {
                fields.contains_key(name) || fields.contains_key(&format!("{name}?"))
            };
            if let Some(more) = object.keys().find(|name| !known(name)) {
                return Some(format!("{at}.{more} is not described"));
            }
            fields.iter().find_map(|(name, shape)| {
                let (name, optional) =
                    name.strip_suffix('?').map_or((name.as_str(), false), |n| (n, true));
                match object.get(name) {
                    Some(value) => mismatch(shapes, shape, value, &format!("{at}.{name}")),
                    None => (!optional).then(|| format!("{at}.{name} is missing")),
                }
            })
        }
        other => panic!("not a shape: {other}"),
    }
}

#[test]
fn what_is_printed_is_what_is_described() {
    let world = World::new();
    let same = Sample::Pdf.content(1);
    world.write("Downloads/a.pdf", &same);
    world.write("Downloads/copy of a.pdf", &same);
    world.write("Downloads/b.png", Sample::Png.content(2));
    let unknown = world.write("Downloads/unknown", b"\x00\x01nothing\xff");
    let daemon = world.start();
    world.wait();
    let filed = world.downloads().join("Documents/a.pdf");
    let (unknown, filed) = (unknown.to_str().unwrap(), filed.to_str().unwrap());
    let cases: &[(&str, &[&str])] = &[
        ("status", &["status"]),
        ("health", &["health"]),
        ("metrics", &["metrics"]),
        ("metrics --textfile", &["metrics", "--textfile", "tidyd.prom"]),
        ("doctor", &["doctor"]),
        ("errors", &["errors"]),
        ("log", &["log", "--all"]),
        ("log --batches", &["log", "--batches"]),
        ("show", &["show", "batch:1"]),
        ("explain", &["explain", unknown]),
        ("explain", &["explain", filed]),
        ("explain", &["explain", filed, "--as", "b.iso"]),
        ("files", &["files"]),
        ("file", &["file", filed]),
        ("duplicates", &["duplicates"]),
        ("categories", &["categories"]),
        ("rules", &["rules"]),
        ("suggest", &["suggest"]),
        ("report", &["report"]),
        ("resolve --dry-run", &["resolve", "trash", "--dry-run"]),
        ("organize --dry-run", &["organize", "--dry-run"]),
        ("pause", &["pause"]),
        ("status", &["status"]),
        ("rollback", &["rollback", "--last", "--dry-run"]),
        ("rollback", &["rollback", "--last"]),
        ("redo", &["redo"]),
        ("organize", &["organize"]),
        ("resolve", &["resolve", "trash", "--yes"]),
        ("jobs", &["jobs"]),
        ("resume", &["resume"]),
        ("rescan", &["rescan"]),
        ("reload", &["reload"]),
        ("cancel", &["cancel", "1"]),
        ("wait", &["wait"]),
        ("store backup", &["store", "backup"]),
        ("store list", &["store", "list"]),
        ("store verify", &["store", "verify"]),
        ("service status", &["service", "status"]),
        ("config check", &["config", "check"]),
        ("config show", &["config", "show"]),
        ("config path", &["config", "path"]),
    ];
    let (shapes, verbs) = (shapes(), verbs());
    let check = |cases: &[(&str, &[&str])]| {
        let wrong = cases.iter().filter_map(|(verb, arguments)| {
            let run = world.ctl(arguments.iter().copied().chain(["--json"]));
            let value = serde_json::from_str(&run.stdout)
                .unwrap_or_else(|e| panic!("{verb}: {e}: {run:?}"));
            mismatch(&shapes, &verbs[*verb], &value, verb)
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
    check(cases);

    // The stream.
    let mut command = world.command(binary(Binary::Tidyctl));
    let mut events = command.args(["events", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(events.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(mismatch(&shapes, &"event".into(), &event, "event"), None);
        let name = event["event"].as_str().unwrap().to_owned();
        if let Some(of) = ["state", "operation", "left", "job"].iter().find(|n| **n == name) {
            let of = if *of == "state" { "status" } else { of };
            assert_eq!(mismatch(&shapes, &of.into(), &event["data"], &name), None);
        }
        if name == "state" {
            world.write("Downloads/later.pdf", Sample::Pdf.content(9));
        }
        seen.push(name);
        if seen.iter().any(|n| n == "operation") {
            break;
        }
    }
    events.kill().unwrap();
    events.wait().unwrap();
    assert!(seen.contains(&"state".to_owned()), "{seen:?}");

    for line in world.ctl(["store", "export"]).ok().lines() {
        let operation = serde_json::from_str(line).unwrap();
        assert_eq!(mismatch(&shapes, &verbs["store export"], &operation, "store export"), None);
    }
    assert_eq!(daemon.stop(), 0);

    // What needs the state for itself.
    let alone: &[(&str, &[&str])] = &[
        ("store compact", &["store", "compact"]),
        ("store rebuild", &["store", "rebuild"]),
        ("store restore", &["store", "restore"]),
    ];
    check(alone);

    let documented: Vec<&str> = verbs.keys().map(String::as_str).collect();
    // The service's are tried with a service manager (`installed`), and `init` where there is no configuration.
    const ELSEWHERE: [&str; 6] =
        ["events", "init", "service install", "service uninstall", "service logs", "store export"];
    let tried = |verb: &str| {
        ELSEWHERE.contains(&verb) || cases.iter().chain(alone).any(|(name, _)| *name == verb)
    };
    assert!(documented.iter().all(|verb| tried(verb)), "{documented:?}");
}

/// Fields that only now and then are there: the protocol's examples have every one.
#[test]
fn what_may_be_printed_is_described() {
    let shapes = shapes();
    let mut wrong = Vec::new();
    for (name, response) in examples::responses() {
        let answer = serde_json::to_value(&response).unwrap();
        let kind = answer["kind"].as_str().unwrap();
        // What a list goes on from is for `tidyctl` itself.
        let data = match &answer["data"] {
            Value::Object(page) if page.contains_key("items") => page["items"].clone(),
            Value::Object(shown) if kind == "show" => {
                serde_json::json!({ "operations": shown["operations"] })
            }
            data => data.clone(),
        };
        let shape: Value = match kind {
            // Nothing is in them.
            "done" | "ended" => continue,
            "errors" => serde_json::json!(["problem"]),
            "roots" => serde_json::json!(["path"]),
            "wait" => "waited".into(),
            "jobs" => serde_json::json!(["job"]),
            "log" => serde_json::json!(["operation"]),
            "batches" => serde_json::json!(["batch"]),
            "show" => "shown".into(),
            "rollback" => "rolled-back".into(),
            "files" => serde_json::json!(["file"]),
            "explain" => "explanation".into(),
            "duplicates" => serde_json::json!(["group"]),
            "categories" => serde_json::json!(["category"]),
            "rules" => serde_json::json!(["rule"]),
            "suggestions" => serde_json::json!(["suggestion"]),
            same => same.into(),
        };
        wrong.extend(mismatch(&shapes, &shape, &data, name));
        if let Some((what, outcome)) = data["outcome"].as_object().and_then(|o| o.iter().next()) {
            let shape = if what == "organize" { "applied" } else { "rolled-back" };
            wrong.extend(mismatch(&shapes, &shape.into(), outcome, name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_answer_is_found() {
    let shapes =
        BTreeMap::from([("s".to_owned(), serde_json::json!({ "a": "number?", "b?": ["path"] }))]);
    let wrong = |value: Value| mismatch(&shapes, &"s".into(), &value, "it");
    assert_eq!(wrong(serde_json::json!({ "a": null })), None);
    assert_eq!(
        wrong(serde_json::json!({ "a": 1, "b": ["/", { "text": "", "base64": "" }] })),
        None
    );
    for (value, what) in [
        (serde_json::json!({}), "it.a is missing"),
        (serde_json::json!({ "a": "1" }), "it.a is no number"),
        (serde_json::json!({ "a": 1, "c": 1 }), "it.c is not described"),
        (serde_json::json!({ "a": 1, "b": [1] }), "it.b[0] is no path"),
        (serde_json::json!([]), "it is no object"),
    ] {
        assert!(wrong(value.clone()).is_some_and(|m| m.starts_with(what)), "{value}");
    }
}
