//! The few lines that go to whoever started the program, beside the log: `--check`, `--once`, and why it will not start.

use std::io::{self, Write};

/// One line on stderr, beside the answer on stdout.
pub fn say(line: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// One line on stderr, beside the results on stdout.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `error: …`, and what to do about it, on stderr.
pub fn complain(message: &str, hint: Option<&str>) {
    let _ = write_complaint(&mut io::stderr().lock(), message, hint);
}

fn write_complaint(to: &mut dyn Write, message: &str, hint: Option<&str>) -> io::Result<()> {
    writeln!(to, "error: {message}")?;
    match hint {
        Some(hint) => writeln!(to, "hint: {hint}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_says_what_and_what_to_do() {
        let written = |hint| {
            let mut out = Vec::new();
            write_complaint(&mut out, "no such folder", hint).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(None), "error: no such folder\n");
        assert_eq!(written(Some("make it")), "error: no such folder\nhint: make it\n");
    }
}
