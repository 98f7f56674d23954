//! Destination templates: `{modified:%Y}/{from_host|'Unknown'}/`.
//!
//! In: the text of a template, checked completely when the configuration is read, every error with
//! its byte span; then the facts of one file. Out: the [`Place`] it goes to. A destination that ends
//! in `/` is a directory and the file keeps its name; without it the last component is the new name.
//!
//! May not know: what is on disk, what time it is, which time zone the machine is in (it is passed in).
//!
//! ```text
//! template    = { text | "{{" | "}}" | "{" alternative { "|" alternative } "}" }
//! alternative = placeholder [ "?" ] [ ":" format ] | "'" text "'"
//! format      = strftime (times) | text with one "%d", "%03d" (numbers) or "%s" (texts)
//! ```
//!
//! The first alternative the file has a value for is taken; with a `?` there may be none, and nothing
//! stands in its place. `{name.GROUP}` and `{text.GROUP}` are what a rule's own expressions captured. A value is made one safe component
//! (`AC/DC` → `AC-DC`); a `/` in a format or in quotes is the author's and separates directories.
//! Times are formatted by strftime in the time zone given; the default is `%Y-%m-%d`.
//!
//! A new name without any extension of its own (no `{ext}`, `{true_ext}` or `{name}`, no literal
//! `.xyz` at its end) keeps the file's extension: `scan {modified:%F %H%M%S}` gives
//! `scan 2024-05-06 101500.pdf`. A dot before an `{ext}` that the file does not have goes with it.

mod parse;
mod render;

use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::facts::Facts;
use crate::metadata::Key;
use crate::plan::Place;
use crate::rules::{Need, TimeOf};

/// The directory a template's destinations stay beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The root the file was found under.
    Root,
    /// This directory: absolute, existing when the configuration was read, symlinks resolved.
    Dir(Arc<Path>),
}

/// A destination with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    base: Base,
    text: Arc<str>,
    pieces: Arc<[Piece]>,
    /// It names a directory: the file keeps its name.
    keeps_name: bool,
    /// The new name has no extension of its own and gets the file's.
    keeps_extension: bool,
    /// It is a new name in the file's own directory.
    is_name: bool,
    tz: TimeZone,
}

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Never empty, without `/`.
    Text(String),
    /// One or more `/`.
    Separator,
    /// The alternatives in the order in which they are tried.
    Value(Vec<Alternative>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Alternative {
    Field(Field),
    /// Formats between the separators that the format had.
    Time(TimeOf, Vec<String>),
    /// A moment the file tells of itself, formatted likewise.
    Moment(Key, Vec<String>),
    /// Anything else it says of itself.
    Meta(Key, Option<Format>),
    /// What an expression of the rule captured.
    Capture(String, Option<Format>),
    /// Nothing, after a `?`.
    Nothing,
    /// Text between the separators that the quotes had.
    Literal(Vec<String>),
}

/// Text around a value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Format {
    before: String,
    after: String,
    /// Numbers get zeros in front up to this many digits.
    digits: usize,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The file name.
    Name,
    /// The file name without its extension.
    Stem,
    /// The extension, lower case.
    Ext,
    /// The usual extension of what the content is.
    TrueExt,
    Category,
    /// The media type, its `/` made `-`.
    MediaType,
    /// The name of the directory the file is in.
    Parent,
    /// The name of the root.
    Root,
    /// Size in bytes.
    Size,
    /// The host the file was downloaded from, else the page that linked to it; lower case, no `www.`.
    FromHost,
}

impl Field {
    const ALL: &'static [(&'static str, Self)] = &[
        ("name", Self::Name),
        ("stem", Self::Stem),
        ("ext", Self::Ext),
        ("true_ext", Self::TrueExt),
        ("category", Self::Category),
        ("media_type", Self::MediaType),
        ("parent", Self::Parent),
        ("root", Self::Root),
        ("size", Self::Size),
        ("from_host", Self::FromHost),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, f)| *f == self).map_or("?", |(word, _)| word)
    }

    fn need(self) -> Option<Need> {
        match self {
            Self::TrueExt | Self::Category | Self::MediaType => Some(Need::Kind),
            Self::FromHost => Some(Need::Origin),
            _ => None,
        }
    }
}

/// Placeholders for times, which take a strftime format.
const TIMES: &[(&str, TimeOf)] = &[
    ("modified", TimeOf::Modified),
    ("created", TimeOf::Created),
    ("accessed", TimeOf::Accessed),
    ("changed", TimeOf::Changed),
];

/// What is wrong with a template's text; every span is in bytes of that text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the destination is empty")]
    Empty,
    #[error("`{{` is not closed; write `{{{{` for a brace in a name")]
    Unclosed,
    #[error("`}}` without `{{`; write `}}}}` for a brace in a name")]
    Unopened,
    #[error("the quote is not closed")]
    UnclosedQuote,
    #[error("there is no placeholder between the braces")]
    NoPlaceholder,
    #[error("unknown placeholder `{name}`{}", did_you_mean(.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("placeholder `{0}` takes no format")]
    TakesNoFormat(&'static str),
    #[error("bad format `{format}`: {why}")]
    BadFormat { format: String, why: String },
    #[error("`.` and `..` cannot be part of a destination")]
    Dots,
    #[error("control characters cannot be part of a destination")]
    ControlCharacter,
    #[error("the destination must be relative here")]
    Absolute,
    #[error(
        "this would give many files the name `{0}`; end it in `/` if it is a folder, or put a \
         placeholder such as {{stem}} into the name"
    )]
    Collapses(String),
    #[error("this cannot end in `/`: it names no folder")]
    EndsInSeparator,
    #[error("a new name cannot contain `/`; use `move` to file it into another folder")]
    NotAName,
}

fn did_you_mean(name: &Option<&'static str>) -> String {
    name.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

/// Why a template is refused at load or cannot be rendered for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// At load.
    #[error("{problem}")]
    Text { problem: Problem, span: Range<usize> },
    /// For one file: it has no value for a placeholder without a fallback, or nobody has looked.
    #[error("the file has no value for {{{placeholder}}} ({why})")]
    Missing { placeholder: String, why: String },
    /// For one file: the result is no path below the base.
    #[error("the destination `{0}` cannot be used")]
    Unusable(String),
}

impl TemplateError {
    /// Where in the text, in bytes; empty for errors of one file.
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Text { span, .. } => span.clone(),
            Self::Missing { .. } | Self::Unusable(_) => 0..0,
        }
    }
}

impl Template {
    /// A destination below `base`. Times are formatted in `tz`. Below [`Base::Dir`] the empty text
    /// stands for that directory itself.
    pub fn parse(text: &str, base: Base, tz: &TimeZone) -> Result<Self, TemplateError> {
        let parsed = match (text, &base) {
            ("", Base::Dir(_)) => parse::Parsed { pieces: Vec::new(), keeps_name: true },
            _ => parse::parse(text, tz)?,
        };
        if !parsed.keeps_name {
            parsed.refuse_collapse(text)?;
        }
        Ok(Self::from_parsed(parsed, text, base, tz, false))
    }

    /// A new name in the file's own directory: without `/`, different for different files.
    pub fn parse_name(text: &str, tz: &TimeZone) -> Result<Self, TemplateError> {
        let parsed = parse::parse(text, tz)?;
        parsed.refuse_directories(text)?;
        parsed.refuse_collapse(text)?;
        Ok(Self::from_parsed(parsed, text, Base::Root, tz, true))
    }

    /// A text that is no place: a tag. What makes a folder in a destination is a `/` in it.
    pub fn parse_text(text: &str, tz: &TimeZone) -> Result<Self, TemplateError> {
        let parsed = parse::parse(text, tz)?;
        if parsed.keeps_name {
            let span = text.len().saturating_sub(1)..text.len();
            return Err(TemplateError::Text { problem: Problem::EndsInSeparator, span });
        }
        let whole = Self::from_parsed(parsed, text, Base::Root, tz, true);
        Ok(Self { keeps_extension: false, ..whole })
    }

    fn from_parsed(
        parsed: parse::Parsed,
        text: &str,
        base: Base,
        tz: &TimeZone,
        is_name: bool,
    ) -> Self {
        Self {
            base,
            text: text.into(),
            keeps_name: parsed.keeps_name,
            keeps_extension: !parsed.keeps_name && !parsed.has_extension(),
            pieces: parsed.pieces.into(),
            is_name,
            tz: tz.clone(),
        }
    }

    /// A directory without placeholders, taken literally; files keep their names. Relative: below
    /// the root. Absolute: below its parent directory, which must exist, so that the folder itself is
    /// made when the first file comes.
    pub fn fixed_folder(dir: &Path) -> Self {
        let (base, rel) = match (dir.is_absolute(), dir.parent(), dir.file_name()) {
            (false, _, _) => (Base::Root, dir),
            (true, Some(parent), Some(name)) => (Base::Dir(parent.into()), Path::new(name)),
            (true, _, _) => (Base::Dir(dir.into()), Path::new("")),
        };
        let mut pieces = Vec::new();
        for component in rel.components() {
            if let Component::Normal(name) = component {
                // A configuration is UTF-8, so nothing is lost here.
                pieces.push(Piece::Text(name.to_string_lossy().into_owned()));
                pieces.push(Piece::Separator);
            }
        }
        Self {
            base,
            text: dir.to_string_lossy().into(),
            pieces: pieces.into(),
            keeps_name: true,
            keeps_extension: false,
            is_name: false,
            tz: TimeZone::UTC,
        }
    }

    /// The text it was made from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The directory its destinations stay beneath.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// The facts it may need, each once.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = self
            .pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Value(alternatives) => alternatives.as_slice(),
                _ => &[],
            })
            .filter_map(|alternative| match alternative {
                Alternative::Field(field) => field.need(),
                Alternative::Moment(..) | Alternative::Meta(..) => Some(Need::Metadata),
                _ => None,
            })
            .collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// The captures it names, by `name.GROUP` and `text.GROUP`.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        let alternatives = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Value(alternatives) => alternatives.as_slice(),
            _ => &[],
        });
        alternatives.filter_map(|alternative| match alternative {
            Alternative::Capture(name, _) => Some(name.as_str()),
            _ => None,
        })
    }

    /// What a text that is no place is for one file.
    pub fn words(&self, facts: &Facts) -> Result<OsString, TemplateError> {
        Ok(render::components(self, facts)?.join(std::ffi::OsStr::new("/")))
    }

    /// Where the file goes: below the base, every component safe and at most 255 bytes.
    ///
    /// With `rename` the result is the file's new name in its own directory. Errors are about this
    /// file: no value for a placeholder, or nothing usable came out.
    pub fn destination(&self, facts: &Facts, rename: bool) -> Result<Place, TemplateError> {
        let mut components = render::components(self, facts)?;
        if self.keeps_name {
            components.push(facts.file_name().to_owned());
        }
        let (base, rel) = if rename || self.is_name {
            let [name] = components.as_slice() else {
                return Err(TemplateError::Unusable(self.text.to_string()));
            };
            match (facts.path.strip_prefix(&facts.root), facts.path.parent()) {
                (Ok(rel), _) => (facts.root.clone(), rel.with_file_name(name)),
                // An earlier rule has moved it out of its root.
                (Err(_), Some(dir)) => (dir.into(), PathBuf::from(name)),
                (Err(_), None) => return Err(TemplateError::Unusable(self.text.to_string())),
            }
        } else {
            let base = match &self.base {
                Base::Root => facts.root.clone(),
                Base::Dir(dir) => dir.clone(),
            };
            (base, components.iter().collect())
        };
        let unusable = || TemplateError::Unusable(rel.display().to_string());
        Place::new(base, rel.clone()).ok_or_else(unusable)
    }

    /// The directory that confines what it files, when that is not the root.
    pub fn base_dir(&self) -> Option<&Path> {
        match &self.base {
            Base::Dir(dir) if !self.is_name => Some(dir),
            _ => None,
        }
    }

    /// The directory made of the leading components that hold no placeholder: everything it files
    /// lands below. `None` when that is the root itself or a directory above it.
    pub fn static_dir(&self, root: &Path) -> Option<PathBuf> {
        self.fixed_dir(root).filter(|dir| !root.starts_with(dir))
    }

    /// The same directory, whatever it is. `None` for a name.
    pub fn fixed_dir(&self, root: &Path) -> Option<PathBuf> {
        if self.is_name {
            return None;
        }
        let mut dir = match &self.base {
            Base::Root => root.to_owned(),
            Base::Dir(dir) => dir.to_path_buf(),
        };
        // Only a component that is one text and is followed by a separator is a plain directory.
        let mut pieces = self.pieces.iter().skip_while(|p| matches!(p, Piece::Separator));
        while let (Some(Piece::Text(name)), Some(Piece::Separator)) = (pieces.next(), pieces.next())
        {
            dir.push(name);
        }
        Some(dir)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
