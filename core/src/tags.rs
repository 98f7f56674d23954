//! Tags: words that a person, or a rule, has put on a file.
//!
//! Where they are kept is the convention of freedesktop.org's `CommonExtendedAttributes`, which Dolphin, Baloo and
//! others follow: one extended attribute, the tags separated by commas. A value is bytes that somebody else may have
//! written: it is added to and put back as it was, never rewritten.

use std::ffi::OsString;

use crate::facts::Facts;
use crate::rules::Need;
use crate::template::{Template, TemplateError};

/// The attribute.
pub const ATTRIBUTE: &str = "user.xdg.tags";

/// The longest value that is added to, in bytes. Both the old and the new one go into the journal.
pub const VALUE_MAX: usize = 16 * 1024;

/// The longest tag, in characters. It is one word in a list somewhere.
const TAG_MAX: usize = 100;

/// The tags that a rule sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(Vec<Template>);

impl Tags {
    /// Of texts with placeholders.
    pub fn new(templates: Vec<Template>) -> Self {
        Self(templates)
    }

    /// The texts.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter()
    }

    /// The facts they may need, each once.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = self.0.iter().flat_map(Template::needs).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Those of one file, each once. One whose placeholder has no value for this file is left out.
    pub fn of(&self, facts: &Facts) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for template in &self.0 {
            let text: Result<OsString, TemplateError> = template.words(facts);
            let tag = text.ok().and_then(|t| word(&t.to_string_lossy()));
            out.extend(tag.filter(|tag| !out.contains(tag)));
        }
        out
    }
}

/// A text as one tag: a comma would make two of it.
pub fn word(text: &str) -> Option<String> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace() || c.is_control());
    let tag = words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    let tag: String = tag.chars().take(TAG_MAX).collect();
    let tag = tag.trim_end();
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// The tags in a value.
pub fn in_value(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Some writers end a value with a zero byte.
    value.split(|b| matches!(b, b',' | 0)).map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty())
}

/// The value with these tags added at its end; the same when it has all of them.
pub fn added(value: Option<&[u8]>, tags: &[String]) -> Option<Vec<u8>> {
    let mut out = value.map(<[u8]>::to_vec);
    for tag in tags {
        let now = out.get_or_insert_default();
        if in_value(now).any(|known| known == tag.as_bytes()) {
            continue;
        }
        while now.last().is_some_and(|b| matches!(b, b',' | b' ' | 0)) {
            now.pop();
        }
        if !now.is_empty() {
            now.push(b',');
        }
        now.extend_from_slice(tag.as_bytes());
    }
    out
}

/// The tags of a value for a person.
pub fn shown(value: Option<&[u8]>) -> String {
    let tags: Vec<_> = in_value(value.unwrap_or_default())
        .map(|t| String::from_utf8_lossy(t).into_owned())
        .collect();
    match tags.as_slice() {
        [] => "none".to_owned(),
        tags => crate::name::shown(tags.join(", ").as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_added_once_and_what_is_there_stays_as_it_is() {
        let tags = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        for (before, more, after) in [
            (None, &["a", "b c"][..], Some(&b"a,b c"[..])),
            (Some(&b"a"[..]), &["a"], Some(&b"a"[..])),
            (Some(b"x, a "), &["a"], Some(b"x, a ")),
            (Some(b"x,"), &["a"], Some(b"x,a")),
            (Some(b"A\xff"), &["a"], Some(b"A\xff,a")),
            (Some(b""), &["a"], Some(b"a")),
            (Some(b" "), &[], Some(b" ")),
            (None, &[], None),
        ] {
            assert_eq!(added(before, &tags(more)).as_deref(), after, "{before:?} + {more:?}");
        }
    }

    #[test]
    fn a_text_is_one_tag_or_none() {
        assert_eq!(word(" Crosby, Stills\n& Nash ").as_deref(), Some("Crosby Stills & Nash"));
        assert_eq!(word(" ,\0 "), None);
        assert_eq!(word(&"x".repeat(1000)).map(|t| t.len()), Some(TAG_MAX));
    }
}
