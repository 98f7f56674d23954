//! What is asked, looked at before anything is done with it: paths lead where they say, and texts and lists are no longer than
//! anybody means them. Frames hold a million bytes; without this they could hold a pattern of as many, or one folder as often.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use tidy_core::name;
use tidy_protocol::{Error, Request, Selector, WirePath};

use super::queries::bad;

/// Longest text, in bytes: names of files have 255, of rules far fewer; a cursor holds a path.
const TEXT: usize = 16 << 10;

/// Longest pattern, in bytes.
const PATTERN: usize = 4 << 10;

/// Patterns of one request.
const PATTERNS: usize = 256;

/// # Errors
/// What is wrong with the request, whatever it is about.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    paths(request).into_iter().try_for_each(|path| plain(path.as_path()))?;
    texts(request).into_iter().flatten().try_for_each(|text| short(text, TEXT))?;
    match request {
        Request::Files(query) => query.name.iter().try_for_each(|name| short(name, PATTERN)),
        Request::Resolve { which, .. } => {
            let patterns = || which.prefer.iter().chain(&which.protect);
            if patterns().count() > PATTERNS {
                let message = format!("there are more than {PATTERNS} patterns");
                return Err(bad(message, "`**` in a pattern stands for any folders"));
            }
            patterns().try_for_each(|pattern| short(pattern, PATTERN))
        }
        _ => Ok(()),
    }
}

fn paths(request: &Request) -> Vec<&WirePath> {
    match request {
        Request::Pause { root } | Request::Resume { root } => root.iter().collect(),
        Request::Rescan { paths } | Request::Organize { paths, .. } => paths.iter().collect(),
        Request::Rollback { selector, .. } | Request::Redo { selector, .. } => match selector {
            Selector::Path(path) => vec![path],
            _ => Vec::new(),
        },
        Request::Log(query) => query.path.iter().collect(),
        Request::Files(query) => query.under.iter().collect(),
        Request::File { path } => vec![path],
        Request::Explain { path, as_path } => [path].into_iter().chain(as_path).collect(),
        Request::Resolve { which, .. } => which.folder.iter().chain(&which.under).collect(),
        _ => Vec::new(),
    }
}

fn texts(request: &Request) -> Vec<Option<&String>> {
    match request {
        Request::Rollback { selector, .. } | Request::Redo { selector, .. } => match selector {
            Selector::Rule(rule) => vec![Some(rule)],
            _ => Vec::new(),
        },
        Request::Log(q) => {
            vec![q.state.as_ref(), q.rule.as_ref(), q.kind.as_ref(), q.cursor.as_ref()]
        }
        Request::Files(q) => vec![
            q.fuzzy.as_ref(),
            q.category.as_ref(),
            q.digest.as_ref(),
            q.outcome.as_ref(),
            q.condition.as_ref(),
            q.sort.as_ref(),
            q.cursor.as_ref(),
        ],
        Request::Batches { cursor, .. }
        | Request::Duplicates { cursor, .. }
        | Request::Show { cursor, .. } => vec![cursor.as_ref()],
        Request::Resolve { which, .. } => {
            vec![Some(&which.action), which.keep.as_ref(), which.digest.as_ref()]
        }
        _ => Vec::new(),
    }
}

/// A path is told by its beginning where it leads: what has `..` in it would only seem to be in a watched folder.
fn plain(path: &Path) -> Result<(), Error> {
    let wrong = |what: &str| {
        let shown = name::shown(path.as_os_str());
        Err(bad(format!("{shown}: {what}"), "give the whole path, without `..`"))
    };
    if !path.is_absolute() {
        return wrong("the path is not absolute");
    }
    if path.components().any(|c| c == Component::ParentDir) {
        return wrong("the path has `..` in it");
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return wrong("no path has a byte 0 in it");
    }
    if path.as_os_str().len() > TEXT {
        return wrong("no path is as long as that");
    }
    Ok(())
}

fn short(text: &str, most: usize) -> Result<(), Error> {
    if text.len() <= most {
        return Ok(());
    }
    let message = format!("a text of {} bytes is too long", text.len());
    Err(bad(message, &format!("it can have {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &[u8]) -> Result<(), Error> {
        let path = Path::new(std::ffi::OsStr::from_bytes(path)).into();
        check(&Request::File { path })
    }

    #[test]
    fn paths_lead_where_they_begin() {
        for good in [&b"/"[..], b"/a//b/./c", b"/caf\xe9/..."] {
            assert_eq!(file(good), Ok(()), "{good:?}");
        }
        for bad in [&b""[..], b"a", b"../a", b"/a/../b", b"/a/..", b"/a\0b", &[b'/'; 70_000]] {
            assert!(file(bad).is_err(), "{bad:?}");
        }
        // Whichever of several it is.
        let path = |path: &str| WirePath(path.into());
        let paths = vec![path("/a"), path("/a/../b")];
        assert!(check(&Request::Organize { paths, dry_run: true }).is_err());
        let explain = Request::Explain { path: path("/a"), as_path: Some(path("b")) };
        assert!(check(&explain).is_err());
        let selector = Selector::Path(path("/a/.."));
        assert!(check(&Request::Redo { selector, dry_run: true }).is_err());
    }

    #[test]
    fn what_nobody_means_is_not_worked_on() {
        let long = || "x".repeat(TEXT + 1);
        let which = |protect| tidy_protocol::ResolveQuery { protect, ..Default::default() };
        for request in [
            Request::Files(tidy_protocol::FileQuery { name: Some(long()), ..Default::default() }),
            Request::Files(tidy_protocol::FileQuery { cursor: Some(long()), ..Default::default() }),
            Request::Log(tidy_protocol::LogQuery { rule: Some(long()), ..Default::default() }),
            Request::Rollback { selector: Selector::Rule(long()), dry_run: true },
            Request::Resolve { which: which(vec!["**".into(); PATTERNS + 1]), dry_run: true },
            Request::Resolve { which: which(vec![long()]), dry_run: true },
        ] {
            let error = check(&request).expect_err("too much");
            assert!(error.hint.is_some() && error.message.len() < 200, "{error:?}");
        }
        let many = which(vec!["**/keep/**".into(); PATTERNS]);
        assert_eq!(check(&Request::Resolve { which: many, dry_run: true }), Ok(()));
    }
}
