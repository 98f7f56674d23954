//! tidy-manual: manual pages.
//!
//! In: a command line as clap knows it, or any text in sections. Out: pages in the man(7) language, each with its examples, exit
//! status, environment and files. May not know: what a verb does. It writes nothing to disk.
//!
//! Pages carry no date: the same sources make the same pages on every day.

mod help;
mod synopsis;
mod tables;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

pub use clap_mangen::roff;

/// A page: the name of its file, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `tidyctl-log.1`
    pub file: String,
    pub text: String,
}

/// The pages of a program and of all its subcommands that are not hidden.
///
/// `section` is that of the manual: 1 for what people call, 8 for what administers a system. `see_also` has the names of
/// related pages: `tidyd(8)`.
pub fn pages(program: Command, section: &str, see_also: &[&str]) -> Vec<Page> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    collect(&program, section, see_also, &mut pages);
    pages
}

fn collect(command: &Command, section: &str, see_also: &[&str], pages: &mut Vec<Page>) {
    pages.push(page(command, section, see_also));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let mut see_also: Vec<&str> = see_also.to_vec();
        let above = format!("{}({section})", name(command));
        see_also.insert(0, &above);
        collect(sub, section, &see_also, pages);
    }
}

/// `tidyctl-config-check`
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, section: &str, see_also: &[&str]) -> Page {
    let man = Man::new(command.clone()).section(section).manual("tidyd");
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let mut add = |part: Part<'_>| {
        let _ = part(&man, &mut text);
    };
    add(&Man::render_title);
    add(&Man::render_name_section);
    let mut called = Roff::new();
    synopsis::write(&mut called, command);
    add(&|_, out| called.to_writer(out));
    add(&Man::render_description_section);
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        add(&Man::render_options_section);
    }
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        add(&|man, out| {
            let mut verbs = Vec::new();
            man.render_subcommands_section(&mut verbs)?;
            out.write_all(in_capitals(&String::from_utf8_lossy(&verbs)).as_bytes())
        });
    }
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    let help = help::Help::of(&help.map(ToString::to_string).unwrap_or_default());
    let mut rest = Roff::new();
    help.notes(&mut rest);
    help.examples(&mut rest);
    closing(&mut rest, help.exit_status(), see_also);
    Page {
        file: man.get_filename(),
        text: once(&(String::from_utf8_lossy(&text) + rest.render().as_str())),
    }
}

/// Headings of a command line are words; those of a manual page are capitals.
fn in_capitals(section: &str) -> String {
    let line = |line: &str| match line.strip_prefix(".SH ") {
        Some(heading) => format!(".SH {}", heading.to_uppercase()),
        None => line.to_owned(),
    };
    section.split_inclusive('\n').map(line).collect()
}

/// A page that no command line makes: `body` writes what stands between its description and its closing sections.
pub fn document(
    name: &str,
    section: &str,
    about: &str,
    see_also: &[&str],
    body: impl FnOnce(&mut Roff),
) -> Page {
    let mut page = Roff::new();
    let source = concat!("tidyd ", env!("CARGO_PKG_VERSION"));
    page.control("TH", [name, section, "", source, "tidyd"]);
    heading(&mut page, "NAME");
    page.text([roman(format!("{name} - {about}"))]);
    body(&mut page);
    closing(&mut page, &[], see_also);
    Page { file: format!("{name}.{section}"), text: page.render() }
}

/// What stands at the end of every page.
fn closing(page: &mut Roff, exit_status: &[String], see_also: &[&str]) {
    heading(page, "EXIT STATUS");
    for line in exit_status {
        page.text([roman(line.as_str())]);
    }
    list(page, tables::EXIT_STATUS);
    heading(page, "ENVIRONMENT");
    list(page, tables::ENVIRONMENT);
    heading(page, "FILES");
    list(page, tables::FILES);
    if !see_also.is_empty() {
        heading(page, "SEE ALSO");
        let mut names: Vec<Inline> = Vec::new();
        for page_name in see_also {
            if !names.is_empty() {
                names.push(roman(", "));
            }
            let (name, section) = page_name.split_once('(').unwrap_or((page_name, ""));
            names.push(bold(name));
            names.push(roman(format!("({section}")));
        }
        page.text(names);
    }
}

/// A section.
pub fn heading(page: &mut Roff, text: &str) {
    page.control("SH", [text]);
}

/// Lines as they are, indented.
pub fn verbatim(page: &mut Roff, lines: &str) {
    page.control("PP", []);
    page.control("RS", ["4"]);
    page.control("nf", []);
    for line in lines.lines() {
        // An empty line would be one for the formatter as well; this one has nothing in it.
        page.text([roman(if line.is_empty() { "\u{a0}" } else { line })]);
    }
    page.control("fi", []);
    page.control("RE", []);
}

fn list(page: &mut Roff, rows: &[(&str, &str)]) {
    for (term, meaning) in rows {
        page.control("TP", []);
        page.text([bold(*term)]);
        page.text([roman(*meaning)]);
    }
}

/// Writes one section of a page.
type Part<'a> = &'a dyn Fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>;

/// The definition of the apostrophe stands before each part, and is needed once.
fn once(text: &str) -> String {
    let mut lines = text.split_inclusive('\n');
    let preamble: String = lines.by_ref().take(PREAMBLE_LINES).collect();
    let rest = lines.collect::<String>().replace(&preamble, "");
    preamble + &rest
}

/// `.ie …` and `.el …`
const PREAMBLE_LINES: usize = 2;

#[cfg(test)]
mod tests;
