//! The text behind a command's help, taken apart: examples, exit codes, and the rest.

use clap_mangen::roff::{Roff, roman};

use crate::{heading, verbatim};

/// `Examples:` with the indented lines below it; paragraphs that begin with `Exit code`; all others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Help {
    examples: String,
    exit_status: Vec<String>,
    notes: Vec<String>,
}

impl Help {
    pub(crate) fn of(text: &str) -> Self {
        let mut help = Self::default();
        let mut examples = false;
        for line in text.lines() {
            if line.trim() == "Examples:" {
                examples = true;
            } else if examples && (line.starts_with("  ") || line.is_empty()) {
                help.examples.push_str(line.strip_prefix("  ").unwrap_or_default());
                help.examples.push('\n');
            } else if line.starts_with("Exit code") {
                help.exit_status.push(line.to_owned());
            } else if !line.is_empty() {
                examples = false;
                help.notes.push(line.to_owned());
            }
        }
        help.examples.truncate(help.examples.trim_end().len());
        // The codes in one line are those of the table.
        help.exit_status.retain(|line| !line.starts_with("Exit codes:"));
        help
    }

    pub(crate) fn exit_status(&self) -> &[String] {
        &self.exit_status
    }

    pub(crate) fn notes(&self, page: &mut Roff) {
        if self.notes.is_empty() {
            return;
        }
        heading(page, "NOTES");
        for line in &self.notes {
            page.text([roman(line.as_str())]);
        }
    }

    pub(crate) fn examples(&self, page: &mut Roff) {
        if self.examples.is_empty() {
            return;
        }
        heading(page, "EXAMPLES");
        verbatim(page, &self.examples);
    }
}

#[test]
fn a_help_text_is_taken_apart() {
    let help = Help::of(
        "Examples:\n  a | b    # c\n\n  d\n\nMore of it.\nExit codes: 0 ok.\nExit code: 3",
    );
    assert_eq!(help.examples, "a | b    # c\n\nd");
    assert_eq!(help.notes, ["More of it."]);
    assert_eq!(help.exit_status, ["Exit code: 3"]);
}
