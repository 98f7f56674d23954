//! For the tests of single tables.

use crate::model::Config;

/// A configuration that has these lines beside what every one needs, or what is wrong with it.
pub(crate) fn config(lines: &str) -> Result<Config, String> {
    let text = format!("watch = [\"~/Downloads\"]\n{lines}\n");
    Config::parse(&text, "test").map_err(|e| e.to_string())
}
