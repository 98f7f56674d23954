//! tidy-packaging: what a package has beside the programs.
//!
//! The manual pages that `tidyctl man` does not write: of `tidyd`, from its command line, and of its configuration, from
//! `docs/configuration.md`. The scripts of this directory put all of it together (`README.md`).

mod markdown;

use clap::CommandFactory as _;
use tidy_manual::roff::{bold, roman};
use tidy_manual::{Page, document, heading, verbatim};

const CONFIGURATION: &str = include_str!("../../docs/configuration.md");

const EXAMPLE: &str = include_str!("../../config/examples/tidy-downloads.toml");

/// The pages.
pub fn pages() -> Vec<Page> {
    let related = ["tidyctl(1)", "tidyd.toml(5)"];
    let mut pages = tidy_manual::pages(tidyd::cli::Options::command(), "8", &related);
    pages.push(configuration());
    pages
}

fn configuration() -> Page {
    let related = ["tidyd(8)", "tidyctl(1)"];
    document("tidyd.toml", "5", "what tidyd watches, and what it does", &related, |page| {
        heading(page, "SYNOPSIS");
        page.text([bold("$XDG_CONFIG_HOME/tidyd/config.toml")]);
        page.control("br", []);
        page.text([bold("~/.config/tidyd/config.toml")]);
        heading(page, "DESCRIPTION");
        markdown::write(page, CONFIGURATION);
        heading(page, "EXAMPLES");
        page.text([roman("A whole configuration:")]);
        verbatim(page, EXAMPLE);
    })
}
