//! Categories: the coarse word a person uses for what a file is.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A category by its name: lower case, as it is written in the configuration (`kind = "image"`).
///
/// The built-in ones are in [`BUILT_IN`]; a configuration may add its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Category(Arc<str>);

/// Every built-in category with the one it is a part of, if any. `kind = "document"` also matches
/// a spreadsheet, and `[default] document = …` files it unless `spreadsheet` has a line of its own.
/// No media type belongs to those in [`crate::parts`]: they are told by name and metadata.
pub const BUILT_IN: &[(&str, Option<&str>)] = &[
    ("archive", None),
    ("audio", None),
    ("cad", None),
    ("code", None),
    ("data", None),
    ("disk-image", None),
    ("document", None),
    ("ebook", Some("document")),
    ("font", None),
    ("image", None),
    ("installer", None),
    ("key", None),
    ("mail", None),
    ("music", Some("audio")),
    ("photo", Some("image")),
    ("presentation", Some("document")),
    ("screenshot", Some("image")),
    ("spreadsheet", Some("document")),
    ("subtitle", None),
    ("torrent", None),
    ("unknown", None),
    ("video", None),
];

impl Category {
    /// A category by name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// What nobody could name.
    pub fn unknown() -> Self {
        Self::new("unknown")
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The built-in category this one is a part of.
    pub fn parent(&self) -> Option<Self> {
        BUILT_IN
            .iter()
            .find(|(name, _)| *name == &*self.0)
            .and_then(|(_, parent)| parent.map(Self::new))
    }

    /// Whether this is `other` or a part of it.
    pub fn is(&self, other: &Self) -> bool {
        self == other || self.parent().is_some_and(|p| p.is(other))
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Category {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_belong_to_their_whole_and_not_the_other_way_round() {
        assert!(Category::new("spreadsheet").is(&Category::new("document")));
        assert!(!Category::new("document").is(&Category::new("spreadsheet")));
        assert!(Category::new("papers").is(&Category::new("papers")));
    }

    #[test]
    fn the_table_is_sorted_and_every_parent_is_in_it() {
        assert!(BUILT_IN.is_sorted_by_key(|(name, _)| *name));
        for (_, parent) in BUILT_IN {
            assert!(parent.is_none_or(|p| BUILT_IN.iter().any(|(n, _)| *n == p)));
        }
    }
}
