//! One file's facts, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use tidy_core::facts::{Fact, Origin, Source};
use tidy_core::metadata::Value;
use tidy_core::name;
use tidy_protocol::WirePath;

use super::Found;

/// What `docs/inspect.md` describes; keys are added, never changed.
#[derive(Serialize)]
struct Line<'f> {
    path: WirePath,
    size: u64,
    media_type: Option<&'f str>,
    category: Option<&'f str>,
    part: Option<String>,
    source: Option<&'static str>,
    mismatch: bool,
    true_ext: Option<&'f str>,
    origin: Option<WireOrigin<'f>>,
    metadata: BTreeMap<&'static str, WireFact>,
    /// Why something could not be told.
    problem: Option<&'f str>,
    bytes_read: usize,
}

#[derive(Serialize)]
struct WireOrigin<'f> {
    url: Option<&'f str>,
    referrer: Option<&'f str>,
}

#[derive(Serialize)]
struct WireFact {
    value: WireValue,
    source: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireValue {
    Text(String),
    Number(u64),
    /// Seconds.
    Length(f64),
}

fn wire(value: &Value) -> WireValue {
    match value {
        Value::Text(text) => WireValue::Text(text.clone()),
        Value::Number(n) => WireValue::Number(*n),
        Value::Moment(_) => WireValue::Text(value.to_string()),
        Value::Length(d) => WireValue::Length(d.as_secs_f64()),
    }
}

fn reason<T>(fact: &Fact<T>) -> Option<&str> {
    match fact {
        Fact::Unreadable(why) => Some(why),
        _ => None,
    }
}

fn problem<'f>(found: &'f Found<'_>) -> Option<&'f str> {
    reason(&found.kind).or_else(|| reason(&found.metadata)).or_else(|| reason(&found.origin))
}

/// One line.
pub(super) fn json(found: &Found<'_>) -> String {
    let kind = found.kind.value();
    let line = Line {
        path: found.path.into(),
        size: found.size,
        media_type: kind.map(|k| &*k.media_type),
        category: kind.map(|k| k.category.as_str()),
        part: found.part().map(|p| p.to_string()),
        source: match &found.kind {
            Fact::Known(_, source) => Some(source.as_str()),
            _ => None,
        },
        mismatch: kind.is_some_and(|k| k.mismatch),
        true_ext: kind.and_then(|k| k.true_ext.as_deref()),
        origin: found.origin.value().map(|Origin { url, referrer }| WireOrigin {
            url: url.as_deref(),
            referrer: referrer.as_deref(),
        }),
        metadata: found.metadata.value().map_or_else(BTreeMap::new, |m| {
            let fact = |value: &Value, source: Source| WireFact {
                value: wire(value),
                source: source.as_str(),
            };
            m.iter().map(|(key, value, source)| (key.word(), fact(value, source))).collect()
        }),
        problem: problem(found),
        bytes_read: found.bytes_read,
    };
    // Strings and numbers always are JSON.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// The name, and below it what there is to say.
pub(super) fn text(found: &Found<'_>) -> String {
    let mut out = format!("{}\n", name::shown(found.path.as_os_str()));
    let mut rows: Vec<(&str, String, &str)> = Vec::new();
    if let Fact::Known(kind, source) = &found.kind {
        let part = found.part().map_or_else(String::new, |p| format!(" ({p})"));
        let what = format!("{}, {}{part}", kind.media_type, kind.category);
        rows.push(("is", what, source.as_str()));
        if kind.mismatch {
            let usual = kind.true_ext.as_deref();
            let usual = usual.map_or_else(String::new, |e| format!("; usual: .{e}"));
            rows.push(("mismatch", format!("its name says something else{usual}"), ""));
        }
    }
    if let Some(origin) = found.origin.value() {
        let address = |a: &Option<String>| a.as_deref().map(|a| name::shown(a.as_ref()));
        rows.extend(address(&origin.url).map(|a| ("from", a, "xattr")));
        rows.extend(address(&origin.referrer).map(|a| ("linked by", a, "xattr")));
    }
    if let Some(says) = found.metadata.value() {
        let row = |(key, value, source): (tidy_core::metadata::Key, &Value, Source)| {
            (key.word(), name::shown(value.to_string().as_ref()), source.as_str())
        };
        rows.extend(says.iter().map(row));
    }
    if let Some(why) = problem(found) {
        rows.push(("unknown", name::shown(why.as_ref()), ""));
    }
    for (word, value, source) in rows {
        // Writing to a string does not fail.
        let _ = match source {
            "" => writeln!(out, "  {word:<12} {value}"),
            source => writeln!(out, "  {word:<12} {value}  [{source}]"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tidy_core::category::Category;
    use tidy_core::facts::Kind;
    use tidy_core::metadata::{Key, Metadata};

    fn found(path: &Path) -> Found<'_> {
        let kind = Kind {
            media_type: "audio/mpeg".into(),
            category: Category::new("audio"),
            mismatch: true,
            true_ext: Some("mp3".into()),
        };
        let mut metadata = Metadata::default();
        metadata.put_text(Key::Artist, Some("Nina\\Simone"), Source::Tags);
        metadata.put(
            Key::Duration,
            Value::Length(std::time::Duration::from_millis(90_500)),
            Source::Container,
        );
        metadata.put_number(Key::Track, Some(9), Source::Tags);
        Found {
            path,
            size: 7,
            kind: Fact::Known(kind, Source::Signature),
            metadata: Fact::Known(metadata, Source::Content),
            origin: Fact::Known(
                Origin { url: Some("https://a.b/c".into()), referrer: None },
                Source::Xattr,
            ),
            bytes_read: 5,
        }
    }

    #[test]
    fn a_line_of_json_has_every_key_and_its_source() {
        let line = json(&found(Path::new("/a/b.txt")));
        let expected = serde_json::json!({
            "path": "/a/b.txt", "size": 7, "media_type": "audio/mpeg", "category": "audio", "part": "music",
            "source": "signature", "mismatch": true, "true_ext": "mp3",
            "origin": { "url": "https://a.b/c", "referrer": null },
            "metadata": {
                "artist": { "value": "Nina\\Simone", "source": "tags" },
                "duration": { "value": 90.5, "source": "container" },
                "track": { "value": 9, "source": "tags" },
            },
            "problem": null, "bytes_read": 5,
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), expected);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
    }

    #[test]
    fn people_get_it_aligned_and_escaped() {
        let expected = "/a/b\\n.txt\n  \
            is           audio/mpeg, audio (music)  [signature]\n  \
            mismatch     its name says something else; usual: .mp3\n  \
            from         https://a.b/c  [xattr]\n  \
            artist       Nina\\\\Simone  [tags]\n  \
            duration     1m30s  [container]\n  \
            track        9  [tags]\n";
        assert_eq!(text(&found(Path::new("/a/b\n.txt"))), expected);
    }

    #[test]
    fn what_could_not_be_told_is_said() {
        let path = Path::new("x");
        let damaged = Found { metadata: Fact::Unreadable("damaged".into()), ..found(path) };
        assert!(text(&damaged).contains("  unknown      damaged\n"));
        assert!(json(&damaged).contains("\"problem\":\"damaged\""));
    }
}
