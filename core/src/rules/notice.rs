//! What a person is told of on the desktop: one line for all files that a rule filed in a batch.

use super::run::{fill, placeholders};

/// What a rule says of its files, or nothing of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice(Option<String>);

/// Why a text is refused at load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    #[error("there is nothing to be told")]
    Empty,
    #[error("the text is one line of at most {MAX} characters")]
    Line,
    #[error(
        "unknown placeholder `{{{0}}}`; known: {{count}}, {{files}}, {{name}}, {{folder}}, {{rule}}"
    )]
    Unknown(String),
}

const KNOWN: [&str; 5] = ["count", "files", "name", "folder", "rule"];

/// The longest text: what desktops show of one.
const MAX: usize = 200;

/// What is to be told of one rule's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<'a> {
    pub rule: &'a str,
    pub count: usize,
    /// Of the first one.
    pub name: &'a str,
    /// Where they are, unless they are in several folders.
    pub folder: Option<&'a str>,
}

impl Notice {
    /// A text of the person's own.
    ///
    /// # Errors
    /// It is empty, or names a placeholder that does not exist.
    pub fn new(text: String) -> Result<Self, NoticeError> {
        if text.trim().is_empty() {
            return Err(NoticeError::Empty);
        }
        if text.contains(char::is_control) || text.chars().count() > MAX {
            return Err(NoticeError::Line);
        }
        let unknown = placeholders(&text).find(|name| !KNOWN.contains(name)).map(str::to_owned);
        unknown.map_or(Ok(Self(Some(text))), |unknown| Err(NoticeError::Unknown(unknown)))
    }

    /// The line.
    pub fn line(&self, told: &Told<'_>) -> String {
        let files = match told.count {
            1 => told.name.to_owned(),
            n => format!("{n} files"),
        };
        let Some(text) = &self.0 else {
            let to = told.folder.map(|f| format!(" to {f}")).unwrap_or_default();
            return format!("{}: {files}{to}", told.rule);
        };
        let value = |word: &str| match word {
            "count" => told.count.to_string(),
            "files" => files.clone(),
            "name" => told.name.to_owned(),
            "folder" => told.folder.unwrap_or("several folders").to_owned(),
            _ => told.rule.to_owned(),
        };
        String::from_utf8_lossy(&fill(text, |word| value(word).into_bytes())).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Told<'_> =
        Told { rule: "bills", count: 1, name: "a {rule}.pdf", folder: Some("~/Bills") };

    #[test]
    fn a_line_says_how_many_files_went_where() {
        let line = |notice: &Notice, told| notice.line(&told);
        let plain = Notice::default();
        assert_eq!(line(&plain, ONE), "bills: a {rule}.pdf to ~/Bills");
        let more = Told { count: 3, folder: None, ..ONE };
        assert_eq!(line(&plain, more.clone()), "bills: 3 files");
        let own = Notice::new("{files} ({count}) by {rule} in {folder}".into()).unwrap();
        assert_eq!(line(&own, ONE), "a {rule}.pdf (1) by bills in ~/Bills");
        assert_eq!(line(&own, more), "3 files (3) by bills in several folders");
    }

    #[test]
    fn what_cannot_be_told_is_refused_at_load() {
        assert_eq!(Notice::new(" ".into()), Err(NoticeError::Empty));
        assert_eq!(Notice::new("a\nb".into()), Err(NoticeError::Line));
        assert_eq!(Notice::new("{nme}".into()), Err(NoticeError::Unknown("nme".into())));
    }
}
