//! Following a job to its end.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use tidy_protocol::{Client, Event, ExitCode, JobInfo, JobState, Request, Response};

use crate::error::Failure;
use crate::output;
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
    follow(s, &mut client, job).map(Asked::Job)
}

/// Follows a job to its end.
pub(super) fn follow(
    s: &mut Session,
    client: &mut Client,
    job: Box<JobInfo>,
) -> Result<Box<JobInfo>, Failure> {
    if job.state != JobState::Running {
        return Ok(job);
    }
    s.out.flush()?;
    let bar = bar(s, &job);
    let left = Leaving::listen(job.id, &bar, s.out.quiet)?;
    let mut stream = client.stream(&Request::JobFollow { id: job.id })?;
    for event in stream.by_ref() {
        if let Event::Job(now) = event.map_err(|e| lost(&job, e.into()))?
            && now.id == job.id
        {
            advance(&bar, &now);
        }
    }
    left.over();
    bar.finish_and_clear();
    match stream.answer() {
        Some(Response::Job(ended)) => Ok(ended),
        _ => Err(Failure::Unexpected),
    }
}

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 128 + SIGINT;

/// Somebody may not want to wait. The job does not need them: Ctrl-C says so, and how to come back, and ends tidyctl.
struct Leaving(Arc<AtomicBool>);

impl Leaving {
    fn listen(job: u64, bar: &ProgressBar, quiet: bool) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT])?;
        let running = Arc::new(AtomicBool::new(true));
        let (still, bar) = (running.clone(), bar.clone());
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                bar.finish_and_clear();
                if still.load(Ordering::Relaxed) && !quiet {
                    output::note(&format!(
                        "job {job} goes on: `tidyctl jobs --follow {job}` comes back to it, `tidyctl cancel {job}` stops it"
                    ));
                }
                std::process::exit(INTERRUPTED);
            }
        });
        Ok(Self(running))
    }

    /// The job has ended: Ctrl-C only ends tidyctl now.
    fn over(&self) {
        self.0.store(false, Ordering::Relaxed);
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
    bar.set_message("Ctrl-C leaves it running");
    bar.enable_steady_tick(Duration::from_millis(200));
    advance(&bar, job);
    bar
}

/// While the files are still being counted, there is no bar to fill.
const UNCOUNTED: &str = "{spinner} {prefix}, {human_pos} done, {elapsed}  {msg:.dim}";
const COUNTED: &str =
    "{spinner} {prefix} [{bar:20}] {human_pos} of {human_len}, {per_sec}, {eta} left  {msg:.dim}";

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
