//! What a shell offers behind a word: beside verbs and options also what the running daemon knows (operations, batches,
//! rules, folders, jobs). Without a daemon nothing is offered, and nothing is said.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::builder::StyledStr;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate as Candidate;
use tidy_protocol::{Client, LogQuery, OperationInfo, Patience, Request, Response, WirePath};

use crate::cli::Cli;
use crate::render::count;
use crate::render::operation::is_directory;
use crate::render::path::{one_line, shown};
use crate::run::usual_socket;

/// Set by the completion scripts: the shell that asks.
pub(crate) const VARIABLE: &str = "TIDYCTL_COMPLETE";

/// Nobody waits longer for a suggestion.
const PATIENCE: Duration = Duration::from_millis(500);

/// Operations and batches that are offered.
const NEWEST: u32 = 50;

/// A shell asks what could come next: answered, and ended.
pub(crate) fn answer() {
    let env = CompleteEnv::with_factory(Cli::command).var(VARIABLE);
    let here = std::env::current_dir().ok();
    match env.try_complete(line(std::env::args_os()), here.as_deref()) {
        Ok(false) => {}
        Ok(true) => std::process::exit(0),
        Err(error) => error.exit(),
    }
}

/// The words of a line as a program would get them: shells pass them on as they were typed.
fn line(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut typed = false;
    let mut all = Vec::new();
    for word in words {
        all.push(if typed { unquoted(&word) } else { word.clone() });
        typed |= word == "--";
    }
    all
}

/// A word without the quotes and backslashes of a shell; a quote may still be open.
fn unquoted(word: &OsStr) -> OsString {
    let (mut plain, mut quote) = (Vec::with_capacity(word.len()), None);
    let mut bytes = word.as_bytes().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if byte == open => quote = None,
            // Within double quotes it stands for itself before most.
            (None, b'\\') => plain.extend(bytes.next()),
            (Some(b'"'), b'\\') => {
                plain.extend(bytes.next_if(|next| b"\\\"$`".contains(next)).or(Some(byte)));
            }
            _ => plain.push(byte),
        }
    }
    OsString::from_vec(plain)
}

fn ask(request: &Request) -> Option<Response> {
    let socket = given(line(std::env::args_os())).or_else(|| usual_socket().ok())?;
    let patience = Patience { hello: PATIENCE, answer: PATIENCE };
    Client::connect_with(&socket, env!("CARGO_PKG_VERSION"), patience).ok()?.call(request).ok()
}

/// What `--socket` says in the line that is being completed.
fn given(line: Vec<OsString>) -> Option<PathBuf> {
    let mut words = line.into_iter().skip_while(|word| word != "--");
    while let Some(word) = words.next() {
        if word == "--socket" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word.as_bytes().strip_prefix(b"--socket=") {
            return Some(PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    None
}

fn candidate(value: impl Into<OsString>, help: String) -> Candidate {
    let help = Some(help).filter(|h| !h.is_empty()).map(|h| StyledStr::from(one_line(&h)));
    Candidate::new(value).help(help)
}

/// `12`, `batch:3`: what can be shown, put back or redone.
pub(crate) fn targets() -> Vec<Candidate> {
    let (mut all, mut batches) = (Vec::new(), Vec::new());
    let query = LogQuery { limit: Some(NEWEST), ..LogQuery::default() };
    if let Some(Response::Log(page)) = ask(&Request::Log(query)) {
        let files = page.items.iter().filter(|o| !is_directory(&o.kind));
        all.extend(files.map(|o| candidate(o.id.to_string(), described(o))));
    }
    let request = Request::Batches { cursor: None, limit: Some(NEWEST) };
    if let Some(Response::Batches(page)) = ask(&request) {
        batches = page.items;
    }
    let of =
        |b: &tidy_protocol::BatchInfo| format!("{}, {}", count(b.done, "file"), b.rules.join(", "));
    all.extend(batches.iter().map(|b| candidate(format!("batch:{}", b.id), of(b))));
    let numbered = all.into_iter().enumerate();
    numbered.map(|(n, c)| c.display_order(Some(n))).collect()
}

/// `3`: batches as `--batch` takes them.
pub(crate) fn batches() -> Vec<Candidate> {
    match ask(&Request::Batches { cursor: None, limit: Some(NEWEST) }) {
        Some(Response::Batches(page)) => {
            let of = page.items.iter().enumerate();
            of.map(|(n, b)| {
                let help = format!("{}, {}", count(b.done, "file"), b.rules.join(", "));
                candidate(b.id.to_string(), help).display_order(Some(n))
            })
            .collect()
        }
        _ => Vec::new(),
    }
}

fn described(o: &OperationInfo) -> String {
    let name = |p: &WirePath| p.0.file_name().map(shown).unwrap_or_default();
    let file = o.src.as_ref().or(o.dst.as_ref()).map(name).unwrap_or_default();
    format!("{} {file} ({})", o.kind, o.rule)
}

/// Names of rules that have done something, or could.
pub(crate) fn rules() -> Vec<Candidate> {
    match ask(&Request::Rules) {
        Some(Response::Rules(rules)) => {
            rules.into_iter().map(|r| candidate(r.rule, count(r.hits, "file"))).collect()
        }
        _ => Vec::new(),
    }
}

/// The watched folders.
pub(crate) fn roots() -> Vec<Candidate> {
    match ask(&Request::Status) {
        Some(Response::Status(status)) => {
            status.roots.into_iter().map(|r| candidate(r.path.0, r.state)).collect()
        }
        _ => Vec::new(),
    }
}

/// Jobs that can be cancelled.
pub(crate) fn jobs() -> Vec<Candidate> {
    match ask(&Request::Jobs) {
        Some(Response::Jobs(jobs)) => {
            let running = jobs.into_iter().filter(|j| j.ended_ns.is_none());
            running.map(|j| candidate(j.id.to_string(), j.kind)).collect()
        }
        _ => Vec::new(),
    }
}

/// Categories of known files.
pub(crate) fn categories() -> Vec<Candidate> {
    match ask(&Request::Categories) {
        Some(Response::Categories(all)) => {
            all.into_iter().map(|c| candidate(c.category, count(c.files, "file"))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn words_are_taken_as_a_shell_would_pass_them() {
        for (typed, plain) in [
            ("plain", "plain"),
            (r"default\ im", "default im"),
            (r"'default im", "default im"),
            (r#""a \"b\" \c"#, r#"a "b" \c"#),
            (r#"'it'\''s'"#, "it's"),
            (r"--path=~/a\ b", "--path=~/a b"),
            ("back\\", "back"),
            ("", ""),
        ] {
            assert_eq!(unquoted(typed.as_ref()), plain, "{typed}");
        }
        let all = line(words(&["a\\ b", "--", "c\\ d", "--", "e\\ f"]).into_iter());
        assert_eq!(all, words(&["a\\ b", "--", "c d", "--", "e f"]));
    }

    #[test]
    fn the_socket_of_the_line_is_asked() {
        let of = |line: &[&str]| given(words(line));
        assert_eq!(of(&["tidyctl", "--", "tidyctl", "--socket", "/a", "st"]), Some("/a".into()));
        assert_eq!(of(&["tidyctl", "--", "tidyctl", "--socket=/a b", "st"]), Some("/a b".into()));
        assert_eq!(of(&["tidyctl", "--", "tidyctl", "status"]), None);
        assert_eq!(of(&["tidyctl", "--socket", "/a"]), None);
    }
}
