//! A log that names no file (`log = { redact = true }`).
//!
//! Every path becomes `<digest.ext>`: the same path the same digest, so that lines can still be related, also across restarts;
//! the key that it is made with stays in the state directory, so that nobody else can try names. What stands behind a path in
//! a sentence is left out, since where the name of a file ends can not be told there, but for the system's own words for an
//! error. Words that could be a name, because no sentence of ours has such, become digests as well.
//!
//! The recent errors ([`super::super::errors`]) are told in the same way. The journal and the index have all names: those never
//! leave the state directory by themselves.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Its file in the state directory.
const KEY_FILE: &str = "log-key";

/// Digits of a digest: enough that two of a person's paths do not share one.
const DIGITS: usize = 10;

/// The longest extension that is shown.
const EXTENSION: usize = 5;

/// Fields whose values are words of ours, or of the configuration.
const PLAIN: [&str; 8] =
    ["rule", "kind", "version", "method", "at", "thread", "log.target", "log.file"];

/// Fields whose values may be anything that a command or a file says.
const HIDDEN: [&str; 2] = ["said", "command"];

/// What a path may be followed by in a sentence.
const ENDS: [&str; 9] = [": ", "; ", " (", ", ", " is ", " was ", " cannot ", " could ", " has "];

/// Hides paths in text.
#[derive(Debug, Clone)]
pub struct Redactor {
    key: [u8; 32],
}

impl Redactor {
    /// With the key of a state directory, which is made if there is none.
    ///
    /// # Errors
    /// It can neither be read nor made.
    pub fn open(state: &Path) -> io::Result<Self> {
        let path = state.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) if bytes.len() == 32 => {
                let mut key = [0; 32];
                key.copy_from_slice(&bytes);
                return Ok(Self { key });
            }
            // Damaged: lines before and after cannot be related, that is all.
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&key)?;
        file.sync_all()?;
        Ok(Self { key })
    }

    /// The value of a field, as it may be told.
    pub(in crate::telemetry) fn field(&self, name: &str, value: &str) -> String {
        let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        let is_path = bare.starts_with('/') || bare.starts_with("~/");
        match name {
            _ if PLAIN.contains(&name) => value.to_owned(),
            _ if HIDDEN.contains(&name) => "<hidden>".to_owned(),
            // Nothing else stands in such a field, but where an error begins with a path.
            "path" | "dir" | "socket" | "file" | "root" if is_path => self.token(bare),
            _ => self.text(value),
        }
    }

    /// A sentence, as it may be told.
    pub(in crate::telemetry) fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        loop {
            let Some(start) = path_start(rest) else {
                self.words(rest, &mut out);
                return out;
            };
            self.words(&rest[..start], &mut out);
            let (from, to) = match rest[start..].split_once(" -> ") {
                Some((from, to)) => (from, Some(to)),
                None => (&rest[start..], None),
            };
            let end = ENDS.iter().filter_map(|end| from.find(end)).min();
            let closing =
                rest[..start].chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'));
            let quoted = closing.and_then(|quote| from.find(quote));
            let end = quoted.or(end).unwrap_or(from.len());
            out.push_str(&self.token(&from[..end]));
            match to {
                Some(to) => {
                    out.push_str(" -> ");
                    if path_start(to) != Some(0) {
                        // A name that has an arrow in it.
                        out.push_str(&self.token(to));
                        return out;
                    }
                    rest = to;
                }
                None => {
                    match system_error(&from[end..]) {
                        Some(error) => drop(write!(out, ": {error}")),
                        None if end < from.len() => out.push_str(" ..."),
                        None => {}
                    }
                    return out;
                }
            }
        }
    }

    /// Words that no file name hides in stay.
    fn words(&self, text: &str, out: &mut String) {
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_matches(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
            let hides_nothing = is_plain(word) || is_token(piece.trim());
            if hides_nothing && !piece.contains('/') {
                out.push_str(piece);
            } else {
                out.push_str(&self.token(piece.trim_end()));
                out.extend(piece.chars().rev().take_while(|c| c.is_whitespace()));
            }
        }
    }

    /// `<3f9a1c22e0.pdf>`
    fn token(&self, name: &str) -> String {
        let digest = blake3::keyed_hash(&self.key, name.as_bytes()).to_hex();
        let extension = name.rsplit_once('.').map(|(_, ext)| ext).filter(|ext| {
            (1..=EXTENSION).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        match extension {
            Some(extension) => format!("<{}.{extension}>", &digest[..DIGITS]),
            None => format!("<{}>", &digest[..DIGITS]),
        }
    }
}

/// Where a path begins: at a `/` with nothing in front that could be a part of it, or with `~/`.
fn path_start(text: &str) -> Option<usize> {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '/' && before == '~' {
            return Some(at - 1);
        }
        if c == '/' && !before.is_alphanumeric() {
            return Some(at);
        }
        before = c;
    }
    None
}

/// A word, or a number, with nothing in it that names of files have.
fn is_plain(word: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '\'' | '`');
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | ':' | '%');
    word.chars().all(letters) || word.chars().all(number)
}

/// What has been hidden already, so that hiding it again leaves it as it is.
fn is_token(piece: &str) -> bool {
    let inner = piece.trim_end_matches([':', ',', ';', '.']);
    let Some(inner) = inner.strip_prefix('<').and_then(|p| p.strip_suffix('>')) else {
        return false;
    };
    let (digest, extension) = inner.split_once('.').unwrap_or((inner, ""));
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    digest.len() == DIGITS
        && digest.bytes().all(hex)
        && extension.len() <= EXTENSION
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The system's words for an error, when the text ends with their number: `… (os error 13)`.
fn system_error(text: &str) -> Option<String> {
    let (_, number) = text.strip_suffix(')')?.rsplit_once("(os error ")?;
    Some(io::Error::from_raw_os_error(number.parse().ok()?).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor { key: [7; 32] }
    }

    #[test]
    fn paths_become_digests_that_stay_the_same() {
        let r = redactor();
        let a = r.field("path", "/home/ada/Downloads/tax 2026: final, really (1).pdf");
        assert!(a.starts_with('<') && a.ends_with(".pdf>") && a.len() == DIGITS + 6, "{a}");
        let text = r.text("move /home/ada/a b.pdf -> /home/ada/Documents/a b.pdf");
        let (from, to) = (r.token("/home/ada/a b.pdf"), r.token("/home/ada/Documents/a b.pdf"));
        assert_eq!(text, format!("move {from} -> {to}"));
        assert_eq!(r.field("path", "/home/ada/a b.pdf"), from);
        assert_ne!(Redactor { key: [8; 32] }.token("/home/ada/a b.pdf"), from, "by the key");
    }

    #[test]
    fn no_part_of_a_name_is_left_wherever_it_stands() {
        let r = redactor();
        for text in [
            "cannot read /home/ada/Secret plan: final: Permission denied (os error 13)",
            "error at \"/home/ada/Secret plan\" twice",
            "/home/ada/Secret, plan is not a watched folder",
            "~/Secret plan.pdf",
            "it is kept as /s/Secret -> plan.corrupt",
            "No such file: Secret_plan.pdf",
            "could not open Secret/plan",
            "Gehéimnis plan2b x.Secret",
        ] {
            let told = r.text(text);
            for part in ["Secret", "final", "home", "ada", "héim", "plan2b", "plan.", "_plan"] {
                assert!(!told.contains(part), "{part} of {text:?} in {told:?}");
            }
        }
    }

    #[test]
    fn what_is_hidden_stays_as_it_is() {
        let r = redactor();
        for text in [
            "cannot open /home/ada/a b.pdf: Permission denied (os error 13)",
            "move /home/ada/a -> /home/ada/b.pdf",
            "/home/ada/Secret, plan is not a watched folder",
        ] {
            let once = r.text(text);
            assert_eq!(r.text(&once), once);
            assert_eq!(r.field("path", &once), once);
        }
        for name in ["<3f9a1c22eX>", "<3f9a1c22e0.secret>", "<3f9a1c22e0-plan>"] {
            assert_ne!(r.text(name), name, "no digest of ours");
        }
    }

    #[test]
    fn what_is_no_name_stays() {
        let r = redactor();
        for text in [
            "the journal was shortened by what is older than the configuration keeps",
            "12 operations (3 of them) weren't settled; 40% at 12:30:05",
        ] {
            assert_eq!(r.text(text), text);
        }
        let told = r.text("cannot open /a/b: Permission denied (os error 13)");
        assert_eq!(
            told,
            format!("cannot open {}: Permission denied (os error 13)", r.token("/a/b"))
        );
        assert_eq!(r.field("rule", "photos 2024.x"), "photos 2024.x");
        assert_eq!(r.field("said", "anything"), "<hidden>");
    }

    #[test]
    fn the_key_is_kept_and_ours_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let token = Redactor::open(dir.path()).unwrap().token("/a");
        assert_eq!(Redactor::open(dir.path()).unwrap().token("/a"), token);
        let key = dir.path().join(KEY_FILE);
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        File::create(&key).unwrap();
        assert_ne!(
            Redactor::open(dir.path()).unwrap().token("/a"),
            token,
            "a damaged one is replaced"
        );
    }
}
