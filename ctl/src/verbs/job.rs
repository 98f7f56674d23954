//! Following a job to its end.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidy_protocol::{Event, ExitCode, JobInfo, JobState, Request, Response};

use crate::error::Failure;
use crate::render::path::{one_line, printable};
use crate::run::Session;

/// Asks for a job and follows it. An answer that is no job (a dry run) is handed back as it is.
pub(super) enum Asked {
    Job(Box<JobInfo>),
    Answer(Response),
}

/// Asks for work and waits for its end, with a progress bar on a terminal. Ending tidyctl meanwhile does not end the job.
pub(super) fn ask(s: &mut Session, request: &Request) -> Result<Asked, Failure> {
    let mut client = s.connect()?;
    let job = match client.call(request)? {
        Response::Job(job) => job,
        other => return Ok(Asked::Answer(other)),
    };
    if job.state != JobState::Running {
        return Ok(Asked::Job(job));
    }
    s.out.flush()?;
    let bar = bar(s, &job);
    let mut stream = client.stream(&Request::JobFollow { id: job.id })?;
    for event in stream.by_ref() {
        if let Event::Job(now) = event.map_err(|e| lost(&job, e.into()))?
            && now.id == job.id
        {
            advance(&bar, &now);
        }
    }
    bar.finish_and_clear();
    match stream.answer() {
        Some(Response::Job(ended)) => Ok(Asked::Job(ended)),
        _ => Err(Failure::Unexpected),
    }
}

/// The connection ended before the job did.
fn lost(job: &JobInfo, failure: Failure) -> Failure {
    let id = job.id;
    Failure::new(
        failure.exit_code(),
        format!("job {id} was not followed to its end: {failure}"),
        "`tidyctl jobs` says how it stands, `tidyctl log` what it did",
    )
}

fn bar(s: &Session, job: &JobInfo) -> ProgressBar {
    if s.out.json || s.out.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    bar.set_style(style(UNCOUNTED));
    bar.set_prefix(one_line(&job.kind));
    bar.set_message("Ctrl-C leaves it running: see `tidyctl jobs`");
    bar.enable_steady_tick(Duration::from_millis(200));
    advance(&bar, job);
    bar
}

/// While the files are still being counted, there is no bar to fill.
const UNCOUNTED: &str = "{spinner} {prefix}, {human_pos} files, {elapsed}  {msg:.dim}";
const COUNTED: &str =
    "{spinner} {prefix} [{bar:30}] {human_pos}/{human_len} files, {elapsed}  {msg:.dim}";

/// The templates are constants; an error in one would leave the plain style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn advance(bar: &ProgressBar, job: &JobInfo) {
    if job.total > 0 && bar.length() == Some(0) {
        bar.set_style(style(COUNTED));
    }
    bar.set_length(if job.total == 0 { 0 } else { job.total.max(job.done) });
    bar.set_position(job.done);
}

/// What a job's end means, before its outcome: a failed one is an error.
pub(super) fn check(job: &JobInfo) -> Result<(), Failure> {
    if job.state != JobState::Failed {
        return Ok(());
    }
    let why = job.error.as_deref().map_or_else(|| "no reason was given".into(), printable);
    let hint = match job.batch {
        Some(batch) => format!("what it did before stands in: tidyctl show batch:{batch}"),
        None => "`tidyctl health` says what is wrong".to_owned(),
    };
    Err(Failure::new(ExitCode::Failed, format!("{} failed: {why}", one_line(&job.kind)), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in [UNCOUNTED, COUNTED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
