use clap::{Arg, Command};

use super::*;

fn program() -> Command {
    let log = Command::new("log")
        .about("What was done")
        .after_help("Examples:\n  prog log --since '1h'\n\nExit code: 3 when it is late.");
    let hidden = Command::new("inner").hide(true);
    Command::new("prog")
        .version("1.2.3")
        .about("Does it")
        .long_about("Does it.\n\n.It starts with a dot.")
        .arg(Arg::new("state").long("state").env("TIDYD_STATE").help("Where"))
        .subcommands([log, hidden])
        .after_help("Examples:\n  prog log\n\nLong answers are paged.\nExit codes: 0 ok.")
}

/// A section of a page, without its heading.
fn section<'a>(page: &'a Page, heading: &str) -> &'a str {
    let (_, rest) = page.text.split_once(&format!("\n.SH {heading}\n")).expect(heading);
    rest.split_once("\n.SH").map_or(rest, |(section, _)| section)
}

#[test]
fn there_is_a_page_for_each_command_that_is_not_hidden() {
    let pages = pages(program(), "8", &["other(1)"]);
    let files: Vec<_> = pages.iter().map(|page| page.file.as_str()).collect();
    assert_eq!(files, ["prog.8", "prog-log.8"]);
    assert_eq!(section(&pages[0], "\"SEE ALSO\"").trim(), r"\fBother\fR(1)");
    assert_eq!(section(&pages[1], "\"SEE ALSO\"").trim(), r"\fBprog\fR(8), \fBother\fR(1)");
}

#[test]
fn a_page_has_the_sections_that_people_look_for() {
    let pages = pages(program(), "1", &[]);
    for page in &pages {
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "FILES", "EXAMPLES"] {
            assert!(!section(page, heading).trim().is_empty(), "{heading} in {}", page.text);
        }
        // The definition of the apostrophe stands at the beginning and nowhere else.
        assert_eq!(page.text.matches(".ds Aq").count(), 2, "{}", page.text);
        assert!(page.text.starts_with(".ie "), "{}", page.text);
    }
    assert!(section(&pages[0], "NOTES").contains("paged"));
    assert!(section(&pages[0], "DESCRIPTION").contains(r"\&.It"));
    assert!(section(&pages[1], "EXAMPLES").contains(r"\-\-since \*(Aq1h\*(Aq"));
    let exit = section(&pages[1], "\"EXIT STATUS\"");
    assert!(exit.starts_with("Exit code: 3 when it is late.") && exit.contains("78"), "{exit}");
}

#[test]
fn the_synopsis_says_which_options_have_values() {
    let program = Command::new("prog")
        .subcommand_help_heading("Without the service")
        .arg(Arg::new("state").long("state").value_name("DIR"))
        .arg(Arg::new("watch").long("watch").value_name("DIR").action(clap::ArgAction::Append))
        .arg(Arg::new("quiet").long("quiet").short('q').action(clap::ArgAction::SetTrue))
        .arg(Arg::new("json").long("json").global(true).action(clap::ArgAction::SetTrue))
        .subcommand(Command::new("file").about("One").arg(Arg::new("FILE").required(true)))
        .subcommand(Command::new("files").about("Any").arg(Arg::new("FILE").num_args(0..)));
    let pages = pages(program, "8", &[]);
    let plain = |page: &Page| {
        let text = section(page, "SYNOPSIS").replace(r"\fB", "").replace(r"\fI", "");
        text.replace(r"\fR", "").replace(r"\-", "-").trim().to_owned()
    };
    let own = "prog [--state DIR] [--watch DIR]… [-q|--quiet] [OPTION]…";
    assert_eq!(plain(&pages[0]), format!("{own}\n.br\nprog COMMAND [ARGUMENT]…"));
    assert_eq!(plain(&pages[1]), "prog file [OPTION]… FILE");
    assert_eq!(plain(&pages[2]), "prog files [OPTION]… [FILE]…");
    assert!(section(&pages[0], "\"WITHOUT THE SERVICE\"").contains("prog\\-file(8)"));
}

#[test]
fn a_page_of_its_own_has_them_too() {
    let page = document("tidyd.toml", "5", "configuration", &["tidyd(8)"], |page| {
        heading(page, "DESCRIPTION");
        verbatim(page, "a = 1\n\n.b = 2\n");
    });
    assert_eq!(page.file, "tidyd.toml.5");
    assert!(section(&page, "DESCRIPTION").contains("a = 1\n\u{a0}\n\\&.b = 2\n.fi"));
    assert!(section(&page, "FILES").contains("config.toml"));
}
