//! XML as a stream: elements and texts in order, nothing kept, nothing expanded.
//!
//! quick-xml does not nest calls and expands no entities of a document's own, so that neither depth
//! nor "a billion laughs" cost anything.

use std::io::Read;
use std::ops::ControlFlow;

use encoding_rs::{Encoding, UTF_8};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Bytes of one document that are looked at.
const SOURCE_MAX: u64 = 8 * 1024 * 1024;

/// Elements and texts of one document that are looked at.
const MAX_ITEMS: usize = 4_000_000;

/// One thing in a document. Names are local, without a prefix.
pub(super) enum Item<'x> {
    Open(&'x str, Attributes<'x>),
    Text(&'x str),
    Close(&'x str),
}

/// The attributes of an element.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'x>(&'x BytesStart<'x>);

impl Attributes<'_> {
    /// The value of the attribute of that local name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let mut all = self.0.html_attributes().flatten();
        let found = all.find(|a| a.key.local_name().into_inner() == name)?;
        Some(unescaped(&found.value))
    }
}

/// The text in whatever encoding it is: by its first bytes, else as it declares, else UTF-8. What is no
/// letter in it becomes U+FFFD.
fn decoded(source: impl Read) -> String {
    let mut bytes = Vec::new();
    // What came before an error is as good as a file cut off there.
    let _ = source.take(SOURCE_MAX).read_to_end(&mut bytes);
    let head = bytes.get(..256).unwrap_or(&bytes);
    let head = String::from_utf8_lossy(head.split(|b| *b == b'>').next().unwrap_or(head));
    let declared = head.split("encoding=").nth(1).and_then(|rest| rest.split(['"', '\'']).nth(1));
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    // `decode` looks for a byte order mark first.
    declared.unwrap_or(UTF_8).decode(&bytes).0.into_owned()
}

/// Shows each item until `see` has had enough, the document ends, or it turns out to be none.
pub(super) fn walk(source: impl Read, mut see: impl FnMut(Item<'_>) -> ControlFlow<()>) {
    let text = decoded(source);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    for _ in 0..MAX_ITEMS {
        // What comes after damage is not worth guessing; what came before counts.
        let Ok(event) = reader.read_event() else { return };
        let flow = match &event {
            Event::Start(e) => see(Item::Open(e.local_name().into_inner(), Attributes(e))),
            Event::Empty(e) => {
                let name = e.local_name();
                let flow = see(Item::Open(name.into_inner(), Attributes(e)));
                if flow.is_break() { flow } else { see(Item::Close(name.into_inner())) }
            }
            Event::End(e) => see(Item::Close(e.local_name().into_inner())),
            Event::Text(e) => see(Item::Text(e)),
            Event::CData(e) => see(Item::Text(e)),
            Event::GeneralRef(e) => match e.resolve_char_ref() {
                Ok(Some(c)) => see(Item::Text(c.encode_utf8(&mut [0; 4]))),
                _ => see(Item::Text(named(e))),
            },
            Event::Eof => return,
            _ => ControlFlow::Continue(()),
        };
        if flow.is_break() {
            return;
        }
    }
}

/// The entities that every document has (XML 1.0, section 4.6), and the one HTML cannot do without.
fn named(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "apos" => "'",
        "gt" => ">",
        "lt" => "<",
        "nbsp" => " ",
        "quot" => "\"",
        _ => "",
    }
}

fn unescaped(value: &str) -> String {
    quick_xml::escape::unescape(value).map_or_else(|_| value.to_owned(), |v| v.into_owned())
}

/// How the text of a kind of document is told from its other texts.
pub(super) struct Prose {
    /// Only what stands in these; all texts if empty.
    pub(super) within: &'static [&'static str],
    /// Nothing of what stands in these.
    pub(super) without: &'static [&'static str],
    /// After these comes a new line.
    pub(super) lines: &'static [&'static str],
    /// These stand for a space.
    pub(super) spaces: &'static [&'static str],
}

impl Prose {
    /// Appends the text until `into` has `most` bytes.
    pub(super) fn read(&self, source: impl Read, into: &mut String, most: usize) {
        let (mut inside, mut outside) = (0usize, 0usize);
        walk(source, |item| {
            match item {
                Item::Open(name, _) => {
                    inside += usize::from(self.within.contains(&name));
                    outside += usize::from(self.without.contains(&name));
                    if self.spaces.contains(&name) {
                        into.push(' ');
                    }
                }
                Item::Close(name) => {
                    inside = inside.saturating_sub(usize::from(self.within.contains(&name)));
                    outside = outside.saturating_sub(usize::from(self.without.contains(&name)));
                    let begun = !into.is_empty() && !into.ends_with('\n');
                    if begun && self.lines.contains(&name) {
                        into.push('\n');
                    }
                }
                Item::Text(text) => {
                    if outside == 0 && (inside > 0 || self.within.is_empty()) {
                        push(into, text, most);
                    }
                }
            }
            if into.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
}

/// Appends as much of a text as there is room for.
pub(super) fn push(into: &mut String, text: &str, most: usize) {
    let room = most.saturating_sub(into.len());
    into.push_str(&text[..text.floor_char_boundary(room)]);
}

/// The texts of some elements, in the order in which they are asked for; the first of each.
pub(super) fn texts<const N: usize>(source: impl Read, wanted: [&str; N]) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    let mut at: Option<(usize, String)> = None;
    walk(source, |item| {
        match item {
            Item::Open(name, _) if at.is_none() => {
                let hit = wanted.iter().position(|w| *w == name);
                at = hit.filter(|i| found[*i].is_none()).map(|i| (i, String::new()));
            }
            Item::Text(text) => {
                if let Some((_, so_far)) = &mut at {
                    push(so_far, text, 4096);
                }
            }
            Item::Close(name) => {
                if let Some((i, text)) = at.take_if(|(i, _)| wanted[*i] == name) {
                    found[i] = Some(text).filter(|t| !t.trim().is_empty());
                }
            }
            Item::Open(..) => {}
        }
        match found.iter().all(Option::is_some) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Prose = Prose { within: &[], without: &["style"], lines: &["p"], spaces: &["br"] };

    fn text(xml: &str) -> String {
        let mut out = String::new();
        ALL.read(xml.as_bytes(), &mut out, 1000);
        out
    }

    #[test]
    fn texts_come_in_order_without_what_is_no_text() {
        assert_eq!(
            text("<a><p>one<br/>two</p><style>x</style><p>3 &lt; &#52;</p></a>"),
            "one two\n3 < 4\n"
        );
        assert_eq!(text("<p>M&uuml;ll <b>& more</p></x></y>"), "Mll & more\n");
    }

    #[test]
    fn what_is_asked_for_is_found_wherever_it_stands() {
        let xml =
            "<m><dc:title>A &amp; B</dc:title><x><creator> </creator><creator>C</creator></x></m>";
        let found = texts(xml.as_bytes(), ["creator", "title", "none"]);
        assert_eq!(found, [Some("C".into()), Some("A & B".into()), None]);
    }

    #[test]
    fn entities_of_a_documents_own_are_not_expanded_and_depth_costs_nothing() {
        let laughs = r#"<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><p>&b;&b;.</p>"#;
        assert_eq!(text(laughs), ".\n");
        let deep = format!("{}x", "<p>".repeat(200_000));
        assert_eq!(text(&deep), "x");
    }

    #[test]
    fn no_more_text_is_kept_than_was_asked_for() {
        let mut out = String::new();
        ALL.read(format!("<p>{}</p>", "ü".repeat(900)).as_bytes(), &mut out, 101);
        assert_eq!(out.trim_end(), "ü".repeat(50));
    }
}
