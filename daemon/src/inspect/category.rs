//! From media type and extension to the category: the built-in table and the configuration's additions.

use tidy_core::category::Category;
use tidy_core::globset::GlobSet;

use super::table::{self, Type};

/// Which category a file belongs to.
#[derive(Debug, Clone, Default)]
pub struct CategoryTable {
    custom: Vec<Custom>,
    /// Patterns of names, in the order of the configuration.
    names: Vec<(Category, GlobSet)>,
}

#[derive(Debug, Clone)]
struct Custom {
    category: Category,
    /// Patterns of media types, lower case; `*` stands for any run of characters.
    mime: Vec<String>,
    /// Lower case, without a dot.
    ext: Vec<String>,
}

impl CategoryTable {
    /// The built-in table with additions: each a category, patterns of media types (`image/*`), and
    /// extensions with or without a dot. Earlier additions win over later ones, all over the built-in.
    pub fn new(custom: impl IntoIterator<Item = (Category, Vec<String>, Vec<String>)>) -> Self {
        let custom = custom
            .into_iter()
            .map(|(category, mime, ext)| {
                let mime = mime.iter().map(|m| table::canonical(&m.to_lowercase()).to_owned());
                let ext = ext.iter().map(|e| e.trim_start_matches('.').to_lowercase());
                Custom { category, mime: mime.collect(), ext: ext.collect() }
            })
            .collect();
        Self { custom, names: Vec::new() }
    }

    /// The same, with patterns of names (in lower case or regardless of it).
    pub fn with_names(self, names: impl IntoIterator<Item = (Category, GlobSet)>) -> Self {
        Self { names: names.into_iter().collect(), ..self }
    }

    /// The categories that the configuration adds to.
    pub fn configured(&self) -> impl Iterator<Item = &Category> {
        self.custom.iter().map(|c| &c.category).chain(self.names.iter().map(|(c, _)| c))
    }

    /// The configured category of a name. One that is a part of another (`screenshot` of `image`) is for files of that
    /// other only, which the rest has found them to be.
    pub(super) fn by_name(&self, name: &str, found: &Category) -> Option<Category> {
        if self.names.is_empty() {
            return None;
        }
        let name = tidy_core::name::normalized(name.as_ref());
        let fits = |category: &Category| category.parent().is_none_or(|whole| found.is(&whole));
        let mut named = self.names.iter().filter(|(category, _)| fits(category));
        named.find(|(_, globs)| globs.is_match(&name)).map(|(category, _)| category.clone())
    }

    /// The category of a type; `told` is what the content says beyond it, `ext` (lower case) is the
    /// file's own, and left out when the content contradicts it.
    pub(super) fn of(&self, ty: &Type, told: Option<&str>, ext: Option<&str>) -> Category {
        self.by_ext(ext)
            .or_else(|| self.by_media(ty.media))
            .unwrap_or_else(|| Category::new(told.unwrap_or(ty.category)))
    }

    /// The configured category of an extension.
    pub(super) fn by_ext(&self, ext: Option<&str>) -> Option<Category> {
        let ext = ext?;
        let found = self.custom.iter().find(|c| c.ext.iter().any(|e| e == ext));
        found.map(|c| c.category.clone())
    }

    fn by_media(&self, media: &str) -> Option<Category> {
        let found = self.custom.iter().find(|c| c.mime.iter().any(|m| matches(m, media)));
        found.map(|c| c.category.clone())
    }
}

/// Whether a pattern with `*` matches the whole text. Linear but for one step back per character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_media_types() {
        for (pattern, text, expected) in [
            ("image/*", "image/png", true),
            ("*", "image/png", true),
            ("image/*g", "image/png", true),
            ("image/*+xml", "image/svg+xml", true),
            ("*a*a*b", "xaxaxc", false),
            ("image/pn", "image/png", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_makes_a_file_part_of_what_it_is() {
        let globs = |pattern: &str| {
            let glob = tidy_core::globset::GlobBuilder::new(pattern).case_insensitive(true).build();
            GlobSet::new([glob.unwrap()]).unwrap()
        };
        let category = Category::new;
        let table = CategoryTable::new([]).with_names([
            (category("screenshot"), globs("Bildschirmfoto*")),
            (category("scans"), globs("scan_*")),
        ]);
        let of = |name: &str, found: &str| table.by_name(name, &category(found));
        assert_eq!(of("bildschirmfoto 1.png", "image"), Some(category("screenshot")));
        assert_eq!(of("bildschirmfoto 1.txt", "document"), None);
        assert_eq!(of("scan_1.pdf", "document"), Some(category("scans")));
        assert_eq!(of("other.pdf", "document"), None);
    }

    #[test]
    fn the_configuration_wins_over_the_built_in() {
        let papers = Category::new("papers");
        let add = (
            papers.clone(),
            vec!["image/vnd.djvu".into(), "audio/wav".into()],
            vec![".MOBI".into()],
        );
        let table = CategoryTable::new([add]);
        let of = |media: &str, ext| table.of(table::by_media(media).unwrap(), None, ext);
        assert_eq!(of("image/vnd.djvu", None), papers);
        // A name the table knows by another is meant too.
        assert_eq!(of("audio/vnd.wave", None), papers);
        assert_eq!(of("application/x-mobipocket-ebook", Some("mobi")), papers);
        assert_eq!(of("application/x-mobipocket-ebook", None), Category::new("ebook"));
    }
}
