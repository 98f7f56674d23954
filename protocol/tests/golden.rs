//! Bytes of every request, reply and event, kept for each release: what was once sent stays readable, and what is sent
//! stays the same.
//!
//! `golden/VERSION.txt` holds one frame a line: a name and its bytes in hexadecimal. After a change to what is sent, and an
//! example of it in the lists below, `TIDYD_GOLDEN=write cargo test -p tidy-protocol --test golden` writes the file of the
//! version that is being worked on, and `docs/protocol-examples.md`; what changed in them is looked at. Files of released
//! versions never change.
#![expect(clippy::disallowed_methods, reason = "writes its own file when it is asked to")]

mod examples;
mod notation;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use ciborium::Value;
use tidy_protocol::{Body, Call, Event, Hello, Message, Request, Response, decode, encode};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn file() -> PathBuf {
    directory().join(concat!(env!("CARGO_PKG_VERSION"), ".txt"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).expect("hexadecimal")).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Name and bytes of every line of a file.
fn read(text: &str) -> BTreeMap<String, Vec<u8>> {
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|line| {
            let (name, hex) = line.split_once(' ').expect("a name and bytes");
            (name.to_owned(), bytes(hex))
        })
        .collect()
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol-examples.md")
}

/// The same for people.
fn described() -> String {
    let mut text = String::from(HEAD);
    let mut section = "";
    for (name, frame) in frames() {
        let (kind, rest) = name.split_once('/').unwrap_or((name.as_str(), ""));
        let (_, heading) = *SECTIONS.iter().find(|(of, _)| *of == kind).expect("a section");
        if section != heading {
            section = heading;
            writeln!(text, "\n## {heading}").unwrap();
        }
        let said = notation::diagnostic(&decode::<Value>(&frame).unwrap());
        let title = if rest.is_empty() { kind } else { rest };
        writeln!(text, "\n### {title}\n\n    {said}\n").unwrap();
        let whole = [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], &frame].concat();
        for line in whole.chunks(40) {
            writeln!(text, "    {}", hex(line)).unwrap();
        }
    }
    text
}

const HEAD: &str = "\
# Examples of the control socket

One of every call, answer, event and error of [the protocol](protocol.md): first in diagnostic notation (RFC 8949, section 8), then
the whole frame as it travels, with its length, in hexadecimal. Written by `protocol/tests/golden.rs`, which sees that they stay the
same. Values are made up.
";

const SECTIONS: [(&str, &str); 5] = [
    ("hello", "Hello"),
    ("call", "Calls"),
    ("result", "Results"),
    ("event", "Events"),
    ("error", "Errors"),
];

/// Every frame of this release, by name.
fn frames() -> Vec<(String, Vec<u8>)> {
    let hello = Hello { protocol: 1, version: "0.1.0".into() };
    let mut frames = vec![("hello".to_owned(), encode(&hello).unwrap())];
    for (name, request) in examples::requests() {
        let call = Call::new(7, &request).unwrap();
        frames.push((format!("call/{}/{name}", call.method), encode(&call).unwrap()));
    }
    for (name, response) in examples::responses() {
        frames.push((format!("result/{name}"), encode(&Message::answer(7, Ok(response))).unwrap()));
    }
    for (name, event) in examples::events() {
        frames.push((format!("event/{name}"), encode(&Message::event(7, &event)).unwrap()));
    }
    for (name, error) in examples::errors() {
        frames.push((format!("error/{name}"), encode(&Message::answer(7, Err(error))).unwrap()));
    }
    frames
}

#[test]
fn what_is_sent_is_what_this_release_sends() {
    let text = std::fs::read_to_string(file()).unwrap_or_default();
    let kept = read(&text);
    let frames = frames();
    let missing: Vec<_> = frames.iter().filter(|(name, _)| !kept.contains_key(name)).collect();
    if std::env::var_os("TIDYD_GOLDEN").is_some_and(|v| v == "write") {
        let mut text = String::new();
        for (name, frame) in &frames {
            writeln!(text, "{name} {}", hex(frame)).unwrap();
        }
        std::fs::write(file(), text).unwrap();
        std::fs::write(document(), described()).unwrap();
        return;
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| name).collect();
    assert!(names.is_empty(), "not kept yet (see the head of this file): {names:?}");
    for (name, frame) in &frames {
        assert_eq!(
            hex(&kept[name]),
            hex(frame),
            "{name} is sent with other bytes than before (see the head of this file)"
        );
    }
    let names: BTreeSet<_> = frames.iter().map(|(name, _)| name).collect();
    assert!(kept.keys().all(|name| names.contains(name)), "something is not sent any more");
}

#[test]
fn the_examples_for_people_are_these() {
    let told = std::fs::read_to_string(document()).unwrap_or_default();
    assert_eq!(told, described(), "see the head of this file");
}

/// Names of fields at any depth.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Map(entries) => entries.iter().for_each(|(name, value)| {
            names.extend(name.as_text().map(ToOwned::to_owned));
            fields(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}

#[test]
fn every_field_that_is_sent_is_described() {
    const TOLD: &str = include_str!("../../docs/protocol.md");
    let code: String = TOLD.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let words: BTreeSet<&str> =
        code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut names = BTreeSet::new();
    for (_, frame) in frames() {
        fields(&decode::<Value>(&frame).unwrap(), &mut names);
    }
    let untold: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(untold.is_empty(), "not in docs/protocol.md: {untold:?}");
}

#[test]
fn every_method_and_event_is_kept() {
    let (mut methods, mut events) = (BTreeSet::new(), BTreeSet::new());
    for (name, _) in frames() {
        let mut parts = name.split('/');
        match parts.next() {
            Some("call") => methods.insert(parts.next().unwrap().to_owned()),
            Some("event") => events.insert(parts.next().unwrap().to_owned()),
            _ => false,
        };
    }
    assert!(methods.iter().eq(Request::METHODS), "{methods:?}");
    assert!(events.iter().eq(Event::NAMES), "{events:?}");
}

/// Of this release and of all before it.
#[test]
fn what_was_ever_sent_is_still_understood() {
    let files: Vec<_> =
        std::fs::read_dir(directory()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        for (name, frame) in read(&std::fs::read_to_string(&file).unwrap()) {
            let at = format!("{name} of {}", file.display());
            if name == "hello" {
                decode::<Hello>(&frame).unwrap_or_else(|e| panic!("{at}: {e}"));
            } else if name.starts_with("call/") {
                let call: Call = decode(&frame).unwrap_or_else(|e| panic!("{at}: {e}"));
                call.request().unwrap_or_else(|e| panic!("{at}: {e}"));
            } else {
                let message: Message = decode(&frame).unwrap_or_else(|e| panic!("{at}: {e}"));
                let understood = |value: Value, event: bool| match event {
                    true => value.deserialized::<Event>().map(drop),
                    false => value.deserialized::<Response>().map(drop),
                };
                match message.body {
                    Body::Result(value) => understood(value, false),
                    Body::Event(value) => understood(value, true),
                    Body::Error(_) => Ok(()),
                }
                .unwrap_or_else(|e| panic!("{at}: {e}"));
            }
        }
    }
}
