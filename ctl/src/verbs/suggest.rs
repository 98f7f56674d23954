//! `suggest`: rules that would do what a person did by hand. Nothing is changed.

use owo_colors::OwoColorize;
use tidy_protocol::{ExitCode, Request, Suggestion};

use super::expect_answer;
use crate::render::path::one_line;
use crate::render::{Look, count};
use crate::run::{Ended, Session};

/// Files that are named for each, when nobody asked for all of them.
const NAMED: usize = 5;

/// Asks and shows them.
pub(crate) fn suggest(s: &mut Session) -> Ended {
    let suggestions = expect_answer!(s.ask(&Request::Suggest)?, Suggestions);
    if suggestions.is_empty() && !s.out.json {
        s.out.line(
            "nothing to suggest: no files were moved by hand to the same folder at least 3 times, and no rule's work was \
             undone so often",
        )?;
        return Ok(ExitCode::Ok);
    }
    s.out.show(&suggestions, |look, all| {
        let texts: Vec<String> = all.iter().map(|one| text(look, one)).collect();
        texts.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

fn text(look: &Look, s: &Suggestion) -> String {
    let when = format!("since {}, last {}", look.moment(s.since_ns), look.moment(s.last_ns));
    let mut out = format!("{} ({when})\n", one_line(&s.text).bold());
    for file in s.files.iter().take(NAMED) {
        let to =
            file.to.as_ref().map_or("put back".into(), |to| format!("-> {}", look.path(&to.0)));
        out.push_str(&format!("  {}\n    {to}\n", look.path(&file.from.0)));
    }
    let more = s.times.saturating_sub(NAMED.min(s.files.len()) as u64);
    if more > 0 {
        out.push_str(&format!("  and {}\n", count(more, "more file")));
    }
    match &s.toml {
        Some(toml) => {
            let lines: Vec<String> = toml.lines().map(one_line).collect();
            let lines = lines.join("\n");
            let again = if s.restart {
                "tidyd has no access to that folder yet: with this rule it needs a restart, not a reload.\n"
            } else {
                ""
            };
            out.push_str(&format!(
                "\nThis rule, before the others, would have done it (`tidyctl config path` says where):\n\n{lines}\n{again}"
            ));
        }
        None => out.push_str(
            "\nNo condition tells these files from those it was right about: see its `when`.\n",
        ),
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tidy_protocol::{HandMoved, WirePath};

    use super::*;
    use crate::render::testing::{before, plain, terminal};

    fn path(name: &str) -> WirePath {
        Path::new("/home/a").join(name).as_path().into()
    }

    #[test]
    fn the_evidence_goes_before_the_rule() {
        let files = (1..=7).map(|i| HandMoved {
            from: path(&format!("Downloads/invoice {i}.pdf")),
            to: (i < 7).then(|| path(&format!("Bills/invoice {i}.pdf"))),
            time_ns: before(60),
        });
        let suggestion = Suggestion {
            kind: "rule".into(),
            text: "7 files were moved by hand into ~/Bills".into(),
            toml: Some("[[rule]]\nname = \"to Bills\"\nwhen = { name = \"*invoice*\" }\nmove = \"~/Bills/\"\n".into()),
            rule: None,
            to: Some(path("Bills")),
            restart: false,
            times: 7,
            of: None,
            since_ns: before(180),
            last_ns: before(60),
            files: files.collect(),
        };
        insta::assert_snapshot!(plain(&text(&terminal(), &suggestion)), @r#"
        7 files were moved by hand into ~/Bills (since 3 min ago, last 1 min ago)
          ~/Downloads/invoice 1.pdf
            -> ~/Bills/invoice 1.pdf
          ~/Downloads/invoice 2.pdf
            -> ~/Bills/invoice 2.pdf
          ~/Downloads/invoice 3.pdf
            -> ~/Bills/invoice 3.pdf
          ~/Downloads/invoice 4.pdf
            -> ~/Bills/invoice 4.pdf
          ~/Downloads/invoice 5.pdf
            -> ~/Bills/invoice 5.pdf
          and 2 more files

        This rule, before the others, would have done it (`tidyctl config path` says where):

        [[rule]]
        name = "to Bills"
        when = { name = "*invoice*" }
        move = "~/Bills/"
        "#);
        let wrong = Suggestion { toml: None, rule: Some("x".into()), of: Some(9), ..suggestion };
        assert!(plain(&text(&terminal(), &wrong)).contains("see its `when`"));
    }
}
