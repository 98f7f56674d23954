//! `errors`: what went wrong, with and without the daemon.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use owo_colors::OwoColorize;
use tidy_config::{ERRORS_FILE, Environment};
use tidy_protocol::{ClientError, ExitCode, ProblemInfo, Request};

use super::expect_answer;
use crate::cli::ErrorsArgs;
use crate::error::Failure;
use crate::render::path::one_line;
use crate::render::{Look, time};
use crate::run::{Ended, Session};

/// No file that tidyd writes is larger.
const MAX: u64 = 8 << 20;

/// The last problems.
pub(crate) fn errors(s: &mut Session, args: &ErrorsArgs) -> Ended {
    let mut problems = match s.ask(&Request::Errors) {
        Ok(answer) => expect_answer!(answer, Errors),
        Err(Failure::Client(ClientError::NotRunning(_) | ClientError::Stale(_))) => {
            let state = Environment::from_process()?.state_dir();
            s.out.remark("tidyd is not running; this is what it left")?;
            kept(&state)
        }
        Err(failure) => return Err(failure),
    };
    problems.truncate(usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX));
    if problems.is_empty() && !s.out.json {
        s.out.remark("nothing went wrong")?;
        return Ok(ExitCode::Ok);
    }
    s.out.show(&problems, |look, problems| problems.iter().map(|p| text(look, p)).collect())?;
    Ok(ExitCode::Ok)
}

/// What is in the state directory, newest first. What cannot be read is left out.
pub(super) fn kept(state: &Path) -> Vec<ProblemInfo> {
    let Ok(file) = File::open(state.join(ERRORS_FILE)) else { return Vec::new() };
    let lines = BufReader::new(file.take(MAX)).lines().map_while(Result::ok);
    let mut all: Vec<ProblemInfo> =
        lines.filter_map(|line| serde_json::from_str(&line).ok()).collect();
    all.reverse();
    all
}

/// A line with the time and what happened, and one with what it was about.
fn text(look: &Look, p: &ProblemInfo) -> String {
    let at = time::absolute(p.time_ns, &look.tz);
    let at = if look.terminal { format!("{at} ({})", look.moment(p.time_ns)) } else { at };
    let mut out = format!("{at}  {}\n", one_line(&p.message).bold());
    let context = p.context.iter().map(|c| format!("{}={}", one_line(&c.name), one_line(&c.value)));
    let about: Vec<String> = context.chain([format!("in {}", one_line(&p.source))]).collect();
    out.push_str(&format!("    {}\n", about.join("  ").dimmed()));
    out
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes its own scratch file")]
mod tests {
    use super::*;
    use crate::render::testing::{before, plain, terminal};

    /// A line as version 1 of tidyd writes it.
    #[test]
    fn what_the_service_left_is_read_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let line = |n: u64| {
            format!(
                "{{\"time_ns\":{n},\"source\":\"tidyd::act\",\"message\":\"cannot\",\
                 \"context\":[{{\"name\":\"op\",\"value\":\"7\"}}]}}\n"
            )
        };
        let text = format!("{}damage\n{}{{\"time", line(1), line(2));
        std::fs::write(dir.path().join("errors"), text).unwrap();
        let times: Vec<i64> = kept(dir.path()).iter().map(|p| p.time_ns).collect();
        assert_eq!(times, [2, 1]);
        assert_eq!(kept(dir.path())[0].context[0].value, "7");
        assert!(kept(&dir.path().join("none")).is_empty());
    }

    #[test]
    fn a_problem_is_two_lines_whatever_is_in_it() {
        let context = vec![tidy_protocol::ProblemContext {
            name: "path".into(),
            value: "/a\nb\x1b[2J".into(),
        }];
        let problem = ProblemInfo {
            time_ns: before(180),
            source: "tidyd::filing".into(),
            message: "no space\nleft".into(),
            context,
        };
        insta::assert_snapshot!(plain(&text(&terminal(), &problem)), @r"
        2026-11-21T11:57:00+00:00 (3 min ago)  no space\nleft
            path=/a\nb\x1b[2J  in tidyd::filing
        ");
    }
}
