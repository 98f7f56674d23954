//! `doctor`: what is wrong, or will be, and how to mend it.
//!
//! [`seen`] looks (the daemon if it runs, the configuration, `/proc`, the file systems), [`judge`] makes findings of it
//! and touches nothing.

mod judge;
mod limits;
mod privacy;
mod seen;

use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::json;
use tidy_protocol::ExitCode;

use crate::render::path::one_line;
use crate::render::{Look, count};
use crate::run::{Ended, Session};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Ok,
    /// It works, and might not for long, or not as well as it could.
    Warning,
    /// Something has to be done.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    name: &'static str,
    level: Level,
    detail: String,
    /// What to do about it; none when nothing need be done.
    fix: Option<String>,
}

/// Looks at everything.
pub(crate) fn doctor(s: &mut Session) -> Ended {
    let seen = seen::Seen::look(s)?;
    let findings = judge::judge(&s.out.look, &seen);
    let bad = findings.iter().any(|f| f.level == Level::Bad);
    if s.out.json {
        s.out.json(&json!({ "ok": !bad, "findings": findings }))?;
    } else {
        let text = text(&s.out.look, &findings);
        s.out.long(&text)?;
    }
    Ok(if bad { ExitCode::Failed } else { ExitCode::Ok })
}

fn text(_: &Look, findings: &[Finding]) -> String {
    let mut out = String::new();
    for f in findings {
        let mark = match f.level {
            Level::Ok => "ok  ".green().to_string(),
            Level::Warning => "warn".yellow().to_string(),
            Level::Bad => "BAD ".red().bold().to_string(),
        };
        out.push_str(&format!("{mark}  {:<11}  {}\n", f.name, one_line(&f.detail)));
        if let Some(fix) = &f.fix {
            out.push_str(&format!("                   {} {}\n", "fix:".cyan(), one_line(fix)));
        }
    }
    let of = |level| findings.iter().filter(|f| f.level == level).count() as u64;
    out.push('\n');
    out.push_str(&match (of(Level::Bad), of(Level::Warning)) {
        (0, 0) => "all is well\n".to_owned(),
        (0, warnings) => format!("nothing is wrong; {}\n", count(warnings, "warning")),
        (bad, warnings) => {
            let are = if bad == 1 { "thing has" } else { "things have" };
            format!("{bad} {are} to be mended; {}\n", count(warnings, "warning"))
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{plain, terminal};

    #[test]
    fn what_has_to_be_done_stands_below_what_is_wrong() {
        let finding = |name, level, detail: &str, fix: Option<&str>| Finding {
            name,
            level,
            detail: detail.into(),
            fix: fix.map(Into::into),
        };
        let findings = [
            finding("daemon", Level::Ok, "0.1.0 is running", None),
            finding("space", Level::Bad, "no space\nleft", Some("free some")),
            finding("clock", Level::Warning, "it was set back", Some("set it")),
        ];
        insta::assert_snapshot!(plain(&text(&terminal(), &findings)), @r"
        ok    daemon       0.1.0 is running
        BAD   space        no space\nleft
                           fix: free some
        warn  clock        it was set back
                           fix: set it

        1 thing has to be mended; 1 warning
        ");
        assert!(text(&terminal(), &findings[..1]).ends_with("all is well\n"));
    }
}
