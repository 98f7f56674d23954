//! From facts to the components of a path.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use jiff::Zoned;
use jiff::fmt::strtime;

use super::{Alternative, Field, Format, Piece, Template, TemplateError};
use crate::facts::{self, Fact, Facts, Kind};
use crate::metadata::{Key, Value as Known};
use crate::name;

/// A value for one alternative: the parts between separators, none of them empty.
enum Value {
    Parts(Vec<Vec<u8>>),
    /// The file has none; why.
    Missing(String),
}

/// The components of the destination, each at most [`name::NAME_MAX`] bytes and never `.` or `..`.
/// Without the file's own name when the template keeps that.
pub(super) fn components(
    template: &Template,
    facts: &Facts,
) -> Result<Vec<OsString>, TemplateError> {
    let mut out = Components::default();
    let mut before = &Piece::Separator;
    for piece in template.pieces.iter() {
        match piece {
            Piece::Text(text) => {
                out.add(text.as_bytes());
                // A dot is the author's only where nothing could have stood in front of it.
                out.may_hide |= matches!(before, Piece::Separator);
            }
            Piece::Separator => out.end(),
            Piece::Value(alternatives) => value(template, facts, alternatives, &mut out)?,
        }
        before = piece;
    }
    if template.keeps_extension
        && let Some(ext) = name::extension(facts.file_name())
    {
        out.add(b".");
        out.add(ext.as_bytes());
    }
    out.end();
    Ok(out.done)
}

#[derive(Default)]
struct Components {
    done: Vec<OsString>,
    open: Vec<u8>,
    /// What the open one begins with is the author's, who may want something hidden; no value may.
    may_hide: bool,
}

impl Components {
    fn add(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        let mut component = std::mem::take(&mut self.open);
        let may_hide = std::mem::take(&mut self.may_hide);
        match component.first_mut() {
            None => return,
            Some(first) if *first == b'.' && !may_hide => *first = b'_',
            Some(_) => {}
        }
        let fitted = name::fit(&OsString::from_vec(component), name::NAME_MAX);
        let safe = if matches!(fitted.as_bytes(), b"." | b"..") { "_".into() } else { fitted };
        self.done.push(safe);
    }
}

fn value(
    template: &Template,
    facts: &Facts,
    alternatives: &[Alternative],
    out: &mut Components,
) -> Result<(), TemplateError> {
    let mut first_missing = None;
    for alternative in alternatives {
        match of_alternative(template, facts, alternative)? {
            Value::Parts(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        out.end();
                    }
                    // What a person hid stays hidden; what a file says of itself hides nothing.
                    out.may_hide |= out.open.is_empty() && names_what_is_there(alternative);
                    out.add(part);
                }
                return Ok(());
            }
            Value::Missing(why) => {
                first_missing.get_or_insert((word(alternative), why));
            }
        }
    }
    let only_ext = matches!(alternatives, [Alternative::Field(Field::Ext)]);
    if only_ext && out.open.len() > 1 && out.open.ends_with(b".") {
        out.open.pop();
        return Ok(());
    }
    let (placeholder, why) = first_missing.unwrap_or(("?", String::new()));
    Err(TemplateError::Missing { placeholder: placeholder.to_owned(), why })
}

/// Whether it is the name of something on the disk, or the author's own text.
fn names_what_is_there(alternative: &Alternative) -> bool {
    use Field::{Name, Parent, Root, Stem};
    matches!(alternative, Alternative::Field(Name | Stem | Parent | Root) | Alternative::Literal(_))
}

fn word(alternative: &Alternative) -> &str {
    match alternative {
        Alternative::Field(field) => field.word(),
        Alternative::Moment(key, _) | Alternative::Meta(key, _) => key.word(),
        Alternative::Capture(name, _) => name,
        Alternative::Time(..) | Alternative::Literal(_) | Alternative::Nothing => "?",
    }
}

fn of_alternative(
    template: &Template,
    facts: &Facts,
    alternative: &Alternative,
) -> Result<Value, TemplateError> {
    match alternative {
        Alternative::Literal(parts) => {
            Ok(Value::Parts(parts.iter().map(|p| p.clone().into_bytes()).collect()))
        }
        Alternative::Nothing => Ok(Value::Parts(Vec::new())),
        Alternative::Time(of, _) if facts.imagined => {
            let word = super::TIMES.iter().find(|(_, t)| t == of).map_or("?", |(word, _)| word);
            Err(TemplateError::Missing { placeholder: word.into(), why: facts::NO_FILE.into() })
        }
        Alternative::Time(of, formats) => {
            let zoned = of.of(&facts.stat).timestamp().to_zoned(template.tz.clone());
            formatted(formats, &zoned)
        }
        Alternative::Moment(key, formats) => match metadata(facts, *key)? {
            Some(Known::Moment(moment)) => {
                let on_clock = moment.on_clock(&template.tz).to_zoned(template.tz.clone());
                let zoned = on_clock.map_err(|why| TemplateError::Unusable(why.to_string()))?;
                formatted(formats, &zoned)
            }
            _ => Ok(Value::Missing("the file does not say".into())),
        },
        Alternative::Meta(key, format) => Ok(match metadata(facts, *key)? {
            Some(Known::Number(n)) => {
                let digits = format.as_ref().map_or(0, |f| f.digits);
                within(format.as_ref(), &format!("{n:0digits$}"))
            }
            Some(value) => within(format.as_ref(), &value.to_string()),
            None => Value::Missing("the file does not say".into()),
        }),
        Alternative::Capture(name, format) => Ok(match facts.captures.get(name) {
            Some(text) if !text.trim().is_empty() => within(format.as_ref(), text),
            _ => Value::Missing("the expression captured nothing".into()),
        }),
        Alternative::Field(field) => of_field(facts, *field),
    }
}

/// What the file says of itself; an error when it could not be read.
fn metadata(facts: &Facts, key: Key) -> Result<Option<&Known>, TemplateError> {
    let missing =
        |why: &str| TemplateError::Missing { placeholder: key.word().into(), why: why.into() };
    match &facts.metadata {
        Fact::Unread => Err(missing("nobody has looked yet")),
        Fact::Unreadable(why) => Err(missing(why)),
        Fact::Absent => Ok(None),
        Fact::Known(metadata, _) => Ok(metadata.get(key).map(|(value, _)| value)),
    }
}

/// A value made safe, with the author's text around it, whose separators count.
fn within(format: Option<&Format>, text: &str) -> Value {
    let safe = name::safe_component(text);
    let whole = match format {
        Some(f) => format!("{}{safe}{}", f.before, f.after),
        None => safe,
    };
    Value::Parts(whole.split('/').map(|part| part.as_bytes().to_vec()).collect())
}

fn formatted(formats: &[String], zoned: &Zoned) -> Result<Value, TemplateError> {
    let mut parts = Vec::with_capacity(formats.len());
    for format in formats {
        // The format was tried at load; what is left is a time it cannot express.
        let text = strtime::format(format, zoned)
            .map_err(|why| TemplateError::Unusable(format!("{format}: {why}")))?;
        let text = keep_author_spaces(format, &text);
        parts.push(text.into_bytes());
    }
    Ok(Value::Parts(parts))
}

/// A formatted time as (part of) a component. White space and dots at its ends are the author's.
fn keep_author_spaces(format: &str, text: &str) -> String {
    let safe = name::safe_component(text);
    let trimmed_end = &format[format.trim_end_matches(['.', ' ']).len()..];
    let trimmed_start = &format[..format.len() - format.trim_start_matches(' ').len()];
    if trimmed_start.len() == format.len() {
        return safe;
    }
    format!("{trimmed_start}{safe}{trimmed_end}")
}

fn of_field(facts: &Facts, field: Field) -> Result<Value, TemplateError> {
    let file_name = facts.file_name();
    let existing = |bytes: &[u8]| {
        if bytes.is_empty() {
            Value::Missing("it has no name".into())
        } else {
            Value::Parts(vec![name::plain_bytes(bytes).into_owned()])
        }
    };
    let dir_name =
        |dir: Option<&Path>| existing(dir.and_then(Path::file_name).unwrap_or_default().as_bytes());
    Ok(match field {
        Field::Name => existing(file_name.as_bytes()),
        Field::Stem => existing(name::stem(file_name).as_bytes()),
        Field::Ext => match name::extension(file_name) {
            Some(ext) => existing(ext.as_bytes()),
            None => Value::Missing("its name has no extension".into()),
        },
        Field::Parent => dir_name(facts.path.parent()),
        Field::Root => dir_name(Some(&facts.root)),
        Field::Size if facts.imagined => {
            return Err(TemplateError::Missing {
                placeholder: field.word().into(),
                why: facts::NO_FILE.into(),
            });
        }
        Field::Size => safe(&facts.stat.id.size.to_string()),
        Field::Category => kind(facts, field, |k| Some(k.category.to_string()))?,
        Field::MediaType => kind(facts, field, |k| Some(k.media_type.to_string()))?,
        Field::TrueExt => kind(facts, field, |k| k.true_ext.as_deref().map(str::to_owned))?,
        Field::FromHost => known(&facts.origin, field, |origin| {
            [&origin.url, &origin.referrer]
                .into_iter()
                .find_map(|url| name::host(url.as_deref()?))
                .map(|host| host.to_lowercase())
                .map(|host| host.strip_prefix("www.").map(str::to_owned).unwrap_or(host))
        })?,
    })
}

fn kind(
    facts: &Facts,
    field: Field,
    get: impl FnOnce(&Kind) -> Option<String>,
) -> Result<Value, TemplateError> {
    known(&facts.kind, field, get)
}

/// What is absent has fallbacks; what could not be read is an error, because a fallback would file
/// the file as something it may not be.
fn known<T>(
    fact: &Fact<T>,
    field: Field,
    get: impl FnOnce(&T) -> Option<String>,
) -> Result<Value, TemplateError> {
    let missing =
        |why: &str| TemplateError::Missing { placeholder: field.word().into(), why: why.into() };
    match fact {
        Fact::Unread => Err(missing("nobody has looked yet")),
        Fact::Unreadable(why) => Err(missing(why)),
        Fact::Absent => Ok(Value::Missing("it is not known".into())),
        Fact::Known(value, _) => Ok(match get(value) {
            Some(text) if !text.trim().is_empty() => safe(&text),
            _ => Value::Missing("it is not known".into()),
        }),
    }
}

fn safe(text: &str) -> Value {
    Value::Parts(vec![name::safe_component(text).into_bytes()])
}
