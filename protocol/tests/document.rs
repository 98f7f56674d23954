//! `docs/protocol.md`: the bytes in it are frames, and what stands above them is what they say; every method, event and
//! code is described.

mod notation;

use std::fmt::Write as _;

use ciborium::Value;
use tidy_protocol::{Call, Event, Hello, Message, Request, decode};

use notation::diagnostic;

const DOCUMENT: &str = include_str!("../../docs/protocol.md");

/// A frame of the document, and the lines in diagnostic notation (RFC 8949, section 8) before it.
struct Example {
    said: Vec<String>,
    frame: Vec<u8>,
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    let (mut said, mut hex): (Vec<String>, String) = (Vec::new(), String::new());
    for line in DOCUMENT.lines().chain([""]) {
        let code = line.strip_prefix("    ");
        let is_hex = code.is_some_and(|c| {
            let first = c.split_whitespace().next().unwrap_or_default();
            let digits = c.chars().all(|c| c == ' ' || c.is_ascii_hexdigit());
            digits && (!hex.is_empty() || first.len() == 8)
        });
        if is_hex {
            hex.extend(line.chars().filter(|c| !c.is_whitespace()));
            continue;
        }
        if !hex.is_empty() {
            let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
            let frame = digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect();
            examples.push(Example { said: std::mem::take(&mut said), frame });
            hex.clear();
        }
        match code.map(str::trim_start) {
            Some(code) if code.starts_with('{') => said.push(code.to_owned()),
            // Goes on in the next line.
            Some(code) if said.last().is_some_and(|s| !balanced(s)) => {
                let last = said.last_mut().expect("just looked at");
                write!(last, " {code}").expect("a string");
            }
            None if !line.is_empty() => said.clear(),
            _ => {}
        }
    }
    examples
}

fn balanced(text: &str) -> bool {
    text.matches('{').count() == text.matches('}').count()
}

#[test]
fn the_bytes_are_what_is_said_above_them() {
    let examples = examples();
    assert!(examples.len() >= 8, "only {} were found", examples.len());
    for Example { said, frame } in examples {
        let (len, body) = frame.split_at(4);
        let announced = u32::from_be_bytes(len.try_into().unwrap()) as usize;
        assert_eq!(announced, body.len(), "the length of {said:?}");
        let value: Value = decode(body).unwrap_or_else(|e| panic!("{said:?}: {e}"));
        let shown = diagnostic(&value);
        // Of several ways to say the same the last one is shown as bytes.
        let last = said.last().unwrap_or_else(|| panic!("nothing is said of {shown}"));
        assert!(last.starts_with(&shown), "{last}\nis not\n{shown}");
        let understood = decode::<Hello>(body).is_ok()
            || decode::<Message>(body).is_ok()
            || decode::<Call>(body).is_ok_and(|call| call.request().is_ok());
        assert!(understood, "{shown} is nothing that anybody sends");
    }
}

#[test]
fn everything_that_can_be_sent_is_described() {
    let rows = |name: &str| {
        let cell = format!("`{name}`");
        DOCUMENT
            .lines()
            .any(|l| l.starts_with('|') && l.split('|').nth(1).is_some_and(|c| c.contains(&cell)))
    };
    for name in Request::METHODS.iter().chain(Event::NAMES) {
        assert!(rows(name), "`{name}` has no row in docs/protocol.md");
    }
}
