//! What the control socket's requests do.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use tidy_core::breaker::Trip;
use tidy_core::operation::{BatchId, OpId, Trigger};
use tidy_core::plan::Place;
use tidy_core::rules::LeaveReason;
use tidy_core::{UnixNanos, name};
use tidy_protocol::{
    Error, ErrorCode, Event, ExitCode as Code, Metrics, Outcome, Request, Response, Status,
    WaitInfo, WirePath,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::ask::Ask;
use super::commands::Commands;
use super::error::{failed, internal, no_job, stopping};
use super::jobs::{Asker, Job, Jobs};
use super::metrics::Tallies;
use super::notify::Notify;
use super::report::{self, Period};
use super::{Fatal, asked, care, collect, convert, explanation, publish, queries, reach, search};
use crate::confine::Confinement;
use crate::control::Turn;
use crate::coordinator::{About, Answer, Command};
use crate::filing::{Filing, Mode, Progress, Report, Setup, Watcher};
use crate::habits::Habits;
use crate::journal::{Direction, JournalError};
use crate::survey::{Survey, Wanted};
use crate::telemetry::clock::Clock;
use crate::telemetry::errors::ErrorLog;
use crate::watch::{SystemBackend, Tree};

/// Nobody waits for files to be filed while the journal could not be written for so long.
const TROUBLE_SECONDS: u32 = 5;

/// Events a subscriber may be behind before it is told that it lagged.
const EVENTS: usize = 1_024;

/// The warning that goes by itself, once the journal can be written again.
const NO_SPACE: &str = "no space is left for the journal: free some space where the state directory is; nothing is \
                        filed until then";

/// Warnings kept for `status`.
const WARNINGS: usize = 20;

/// The service as the control socket sees it. Shared; every method may be called from any thread.
pub(super) struct Service {
    setup: RwLock<Arc<Setup>>,
    pub(super) filing: Filing,
    habits: Habits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Duration,
    pub(super) state_dir: PathBuf,
    asks: mpsc::Sender<Ask>,
    events: broadcast::Sender<Event>,
    pub(super) jobs: Jobs,
    /// Held by the one rollback or redo that is under way: two of them at once would both take the same files back.
    pub(super) undoing: Arc<tokio::sync::Mutex<()>>,
    pub(super) watched: Arc<AtomicUsize>,
    pub(super) confinement: Confinement,
    /// A folder was made again, which only another process can reach.
    astray: AtomicBool,
    commands: Commands,
    notify: Notify,
    pub(super) warnings: Mutex<Vec<String>>,
    errors: ErrorLog,
    tallies: Tallies,
}

impl Service {
    #[expect(clippy::too_many_arguments, reason = "everything it answers from, given once")]
    pub(super) fn new(
        setup: Arc<Setup>,
        filing: Filing,
        habits: Habits,
        clock: Arc<dyn Clock>,
        state_dir: PathBuf,
        asks: mpsc::Sender<Ask>,
        watched: Arc<AtomicUsize>,
        confinement: Confinement,
    ) -> Self {
        Self {
            setup: RwLock::new(setup),
            commands: Commands::new(filing.journal()),
            notify: Notify::new(),
            filing,
            habits,
            started: clock.mono(),
            clock,
            state_dir,
            asks,
            events: broadcast::channel(EVENTS).0,
            jobs: Jobs::default(),
            undoing: Arc::default(),
            watched,
            confinement,
            astray: AtomicBool::new(false),
            warnings: Mutex::default(),
            errors: ErrorLog::default(),
            tallies: Tallies::default(),
        }
    }

    /// With what was found before it began, for `status`.
    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.warnings = Mutex::new(notes);
        self
    }

    /// With what is kept of errors, for `errors`.
    pub(super) fn with_errors(mut self, errors: ErrorLog) -> Self {
        self.errors = errors;
        self
    }

    pub(super) fn filing(&self) -> &Filing {
        &self.filing
    }

    pub(super) fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// Whether a folder was found to be out of reach, that another process could reach.
    pub(super) fn is_astray(&self) -> bool {
        self.astray.load(Ordering::Relaxed)
    }

    /// To be asked where something has failed: are the folders still those that may be reached? Blocks on the disk.
    pub(super) fn look_at_reach(&self) {
        let lost = reach::lost(&self.setup(), &self.confinement);
        self.astray.store(lost.iter().any(|l| l.there), Ordering::Relaxed);
    }

    /// What went wrong.
    pub(super) fn errors(&self) -> &ErrorLog {
        &self.errors
    }

    /// What is counted, and where.
    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// The configuration in force.
    pub(super) fn setup(&self) -> Arc<Setup> {
        self.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace_setup(&self, setup: Arc<Setup>) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = setup;
        self.publish(Event::Reloaded);
    }

    /// What is told from now on.
    pub(super) fn heard(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Tells subscribers, if there are any.
    pub(super) fn publish(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells subscribers what a run does.
    pub(super) fn publish_progress(&self, progress: &Progress<'_>) {
        if self.events.receiver_count() == 0 {
            return;
        }
        let event = match progress {
            Progress::Operation(op) => publish::operation(op),
            Progress::Left(left) => Some(Event::Left(convert::left(left))),
            Progress::Total(_) | Progress::Planned(_) | Progress::Done(_) => None,
        };
        if let Some(event) = event {
            self.publish(event);
        }
    }

    /// Tells whoever follows a job, and subscribers, what it does.
    pub(super) fn job_progress(&self, job: &Job, progress: &Progress<'_>) {
        match progress {
            Progress::Total(n) => job.total(*n),
            Progress::Done(n) => job.done(*n),
            Progress::Operation(op) => job.batch(op.batch),
            Progress::Planned(_) | Progress::Left(_) => {}
        }
        self.publish_progress(progress);
    }

    /// Logs what a batch did.
    pub(super) fn batch_done(&self, report: &Report) {
        self.commands.enqueue(report.due.iter().cloned());
        self.notify.batch(&self.setup(), report);
        if self.filing.journal().trouble().is_none() {
            let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.retain(|w| w != NO_SPACE);
        }
        if report.ended.open {
            self.settle_open();
        }
        if report.left.iter().any(|left| left.reason == LeaveReason::Failed) {
            self.look_at_reach();
        }
        let applied = convert::applied(report);
        for op in &report.ended.first {
            let shown = |p: &Option<Place>| {
                p.as_ref().map(|p| name::shown(p.path().as_os_str())).unwrap_or_default()
            };
            let (from, to) = (shown(&op.step.src), shown(&op.step.dst));
            let to =
                op.step.tags.as_ref().map_or(to, |t| tidy_core::tags::shown(t.after.as_deref()));
            let (kind, rule) = (op.step.kind.as_str(), &*op.step.rule);
            tracing::info!(op = op.id.0, rule, "{kind} {from} -> {to}");
        }
        if applied.filed > 0 || applied.failed_count > 0 {
            tracing::info!(
                batch = applied.batch,
                filed = applied.filed,
                left = applied.left,
                failed = applied.failed_count,
                "filed"
            );
        }
        for left in &applied.failed {
            let path = left.path.as_path().display();
            tracing::error!(%path, rule = left.rule, "{}", left.detail.as_deref().unwrap_or("failed"));
        }
    }

    /// Notes that the journal could not be written, and settles what that left open.
    pub(super) fn note_failure(&self, error: &JournalError) {
        self.warn(if error.is_no_space() { NO_SPACE.into() } else { error.to_string() });
        self.settle_open();
    }

    /// Settles operations that an error left open.
    fn settle_open(&self) {
        match self.filing.journal().recover() {
            Ok(report) => report.still_open.iter().for_each(|(op, why)| {
                self.warn(format!("operation {} is still open: {why}", op.id));
            }),
            Err(error) => self.warn(error.to_string()),
        }
    }

    /// Tells that a root was stopped.
    pub(super) fn tripped(&self, root: &Path, trip: &Trip) {
        publish::say_stopped(root, trip);
        let text = publish::stopped(root, trip);
        self.publish(Event::Warning { path: Some(root.into()), text });
        self.publish(Event::Paused { roots: vec![root.into()] });
    }

    /// Tells a warning and keeps it for `status`, the newest [`WARNINGS`] of them. One that is kept is not told again.
    pub(super) fn warn(&self, text: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.contains(&text) {
            return;
        }
        tracing::error!("{text}");
        self.publish(Event::Warning { path: None, text: text.clone() });
        warnings.push(text);
        let surplus = warnings.len().saturating_sub(WARNINGS);
        warnings.drain(..surplus);
    }

    /// It does not hold any more.
    pub(super) fn withdraw(&self, text: &str) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.retain(|warning| warning != text);
    }

    pub(super) fn now(&self) -> UnixNanos {
        self.clock.wall()
    }

    pub(super) async fn command(&self, command: Command) -> Result<Answer, Error> {
        let (tell, answer) = oneshot::channel();
        self.asks.send(Ask::Command(command, tell)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    async fn roots_command(&self, command: Command) -> Result<Vec<WirePath>, Error> {
        match self.command(command).await? {
            Answer::Roots(roots) => Ok(roots.into_iter().map(WirePath).collect()),
            Answer::UnknownRoot(path) => Err(Error::new(
                ErrorCode::NotFound,
                format!("{} is not a watched folder", name::shown(path.as_os_str())),
                "`tidyctl status` lists them",
            )),
            _ => Err(internal("the coordinator answered something else")),
        }
    }

    async fn wait(&self, timeout_ms: u64) -> Result<Response, Error> {
        let timeout = Duration::from_millis(timeout_ms.min(24 * 3_600_000));
        let mut waiting = pin!(self.command(Command::Wait { timeout }));
        let answer = tokio::select! {
            answer = &mut waiting => answer?,
            () = self.lasting_trouble() => {
                self.command(Command::EndWaits).await?;
                waiting.await?
            }
        };
        let Answer::Drained(drained) = answer else {
            return Err(internal("the coordinator answered something else"));
        };
        let Status { pending, roots, .. } = self.status().await?;
        let stopped: Vec<WirePath> =
            roots.into_iter().filter(|r| r.stopped.is_some()).map(|r| r.path).collect();
        // What is stopped is not filed, however long one waits.
        let drained = drained && stopped.is_empty();
        let trouble = self.filing.journal().trouble().map(|trouble| trouble.to_string());
        Ok(Response::Wait(WaitInfo { drained, pending, stopped, trouble }))
    }

    /// Ends when the journal could not be written for a while, and nothing says that it soon can: what failed once may go well the
    /// next time.
    async fn lasting_trouble(&self) {
        let mut seen = 0;
        while seen < TROUBLE_SECONDS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            seen = if self.filing.journal().trouble().is_some() { seen + 1 } else { 0 };
        }
    }

    async fn reload(&self) -> Result<Response, Error> {
        let (tell, answer) = oneshot::channel();
        self.asks.send(Ask::Reload(tell)).await.map_err(|_| stopping())?;
        match answer.await.map_err(|_| stopping())? {
            Ok(()) => Ok(Response::Done),
            Err(Fatal { message, hint, code }) => {
                let code = match code {
                    Code::Refused => ErrorCode::Failed,
                    _ => ErrorCode::BadConfig,
                };
                let mut error = Error::new(code, message, "");
                error.hint = hint.or(Some("the old configuration stays in force".into()));
                Err(error)
            }
        }
    }

    /// Runs blocking work as a job; answers as soon as it has begun.
    pub(super) async fn start_job(
        self: &Arc<Self>,
        kind: &str,
        work: impl FnOnce(&Self, &Job) -> Result<(Outcome, bool), JournalError> + Send + 'static,
    ) -> Result<Response, Error> {
        self.asks.send(Ask::JobStarted).await.map_err(|_| stopping())?;
        let job = self.jobs.start(kind, self.now());
        let (me, running) = (self.clone(), job.clone());
        tokio::task::spawn_blocking(move || {
            // Whatever happens in there, the job ends and is not waited for any more.
            let work = std::panic::AssertUnwindSafe(|| work(&me, &running));
            let result = match std::panic::catch_unwind(work) {
                Ok(result) => result.map_err(|e| {
                    me.note_failure(&e);
                    e.to_string()
                }),
                Err(_) => Err("a defect of tidyd ended it; see the log".to_owned()),
            };
            running.end(me.now(), result);
            me.publish(Event::Job(Box::new(running.info())));
            let _ = me.asks.blocking_send(Ask::JobEnded);
        });
        Ok(Response::Job(Box::new(job.info())))
    }

    async fn organize(
        self: &Arc<Self>,
        paths: Vec<WirePath>,
        dry_run: bool,
    ) -> Result<Response, Error> {
        let setup = self.setup();
        let paths = below_roots(&setup, paths)?;
        if dry_run {
            let (me, asker) = (self.clone(), Asker::default());
            let gone = asker.gone();
            return blocking(move || {
                let watcher = Watcher { progress: &|_| {}, stop: &gone };
                let report = me.organize_now(&paths, true, watcher).map_err(|e| failed(&e))?;
                Ok(Response::Plan(convert::plan(&report)))
            })
            .await;
        }
        self.start_job("organize", move |me, job| {
            let progress = |p: Progress<'_>| me.job_progress(job, &p);
            let watcher = Watcher { progress: &progress, stop: &job.stop };
            let report = me.organize_now(&paths, false, watcher)?;
            me.batch_done(&report);
            Ok((Outcome::Organize(convert::applied(&report)), report.stopped))
        })
        .await
    }

    fn organize_now(
        &self,
        paths: &[PathBuf],
        dry_run: bool,
        watcher: Watcher<'_>,
    ) -> Result<Report, JournalError> {
        let setup = self.setup();
        let none: Option<Tree<SystemBackend>> = None;
        let catalog = self.filing.catalog().clone();
        let mut survey = Survey::new(setup.clone(), catalog, none, Wanted::All)
            .with_unpacked(self.filing.unpacked());
        let found = collect::collect_each(&mut survey, paths, &*self.clock, watcher.stop);
        let (settled, _restless) = collect::settle(found, &*self.clock);
        let mode = Mode { trigger: Trigger::Organize, dry_run, asked: true };
        self.filing.run(&setup, settled, mode, self.now(), watcher)
    }

    async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Filing, &Setup) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (filing, setup) = (self.filing.clone(), self.setup());
        blocking(move || ask(&filing, &setup)).await
    }

    async fn explain(
        self: &Arc<Self>,
        path: PathBuf,
        as_path: Option<PathBuf>,
    ) -> Result<Response, Error> {
        let now = self.now();
        let about = self.about(path.clone()).await?;
        let ask = move |f: &Filing, setup: &Setup| {
            queries::explain(f, setup, &path, as_path.as_deref(), now)
        };
        let (explained, history) = self.query(ask).await?;
        let main = match &explained.main {
            Some(main) => Some(self.about(main.path.clone()).await?),
            None => None,
        };
        let explanation = explanation::of(&explained, &about, main.as_deref(), history);
        Ok(Response::Explain(Box::new(explanation)))
    }

    /// How far a file has come.
    async fn about(&self, path: PathBuf) -> Result<Box<About>, Error> {
        match self.command(Command::About(path)).await? {
            Answer::About(about) => Ok(about),
            _ => Err(internal("the coordinator answered something else")),
        }
    }

    pub(super) async fn answer(self: &Arc<Self>, request: Request) -> Result<Response, Error> {
        asked::check(&request)?;
        match request {
            Request::Status => Ok(Response::Status(Box::new(self.status().await?))),
            Request::Health => Ok(Response::Health(self.health().await?)),
            Request::Metrics => Ok(Response::Metrics(Metrics { text: self.metrics().await? })),
            Request::Errors => {
                let all = self.errors.recent_errors();
                Ok(Response::Errors(all.iter().rev().map(convert::problem).collect()))
            }
            Request::Pause { root } => {
                let roots = self.roots_command(Command::Pause(root.map(|r| r.0))).await?;
                self.publish(Event::Paused { roots: roots.clone() });
                Ok(Response::Roots(roots))
            }
            Request::Resume { root } => {
                let roots = self.roots_command(Command::Resume(root.map(|r| r.0))).await?;
                self.publish(Event::Resumed { roots: roots.clone() });
                Ok(Response::Roots(roots))
            }
            Request::Rescan { paths } => {
                let paths = paths.into_iter().map(|p| p.0).collect();
                Ok(Response::Roots(self.roots_command(Command::Rescan(paths)).await?))
            }
            Request::Reload => self.reload().await,
            Request::Shutdown => {
                self.asks.send(Ask::Shutdown).await.map_err(|_| stopping())?;
                Ok(Response::Done)
            }
            Request::Wait { timeout_ms } => self.wait(timeout_ms).await,
            Request::Organize { paths, dry_run } => self.organize(paths, dry_run).await,
            Request::Jobs => Ok(Response::Jobs(self.jobs.list())),
            Request::Job { id } | Request::JobFollow { id } => {
                let job = self.jobs.get(id).ok_or_else(|| no_job(id))?;
                Ok(Response::Job(Box::new(job.info())))
            }
            Request::Cancel { id } => {
                let job = self.jobs.get(id).ok_or_else(|| no_job(id))?;
                job.stop.store(true, Ordering::Relaxed);
                Ok(Response::Done)
            }
            Request::Rollback { selector, dry_run } => {
                self.undo(selector, Direction::Back, dry_run).await
            }
            Request::Redo { selector, dry_run } => {
                self.undo(selector, Direction::Again, dry_run).await
            }
            Request::Log(query) => self.query(move |f, _| queries::log(f, query)).await,
            Request::Batches { cursor, limit } => {
                self.query(move |f, _| queries::batches(f, cursor.as_deref(), limit)).await
            }
            Request::Show { operation, batch, cursor, limit } => {
                let (op, batch) = (operation.map(OpId), batch.map(BatchId));
                let page = move |f: &Filing, _: &Setup| {
                    queries::show(f, op, batch, cursor.as_deref(), limit)
                };
                self.query(page).await
            }
            Request::Files(query) => {
                let now = self.now();
                self.query(move |f, setup| search::files(f, setup, query, now)).await
            }
            Request::File { path } => self.query(move |f, _| queries::file(f, &path.0)).await,
            Request::Explain { path, as_path } => self.explain(path.0, as_path.map(|p| p.0)).await,
            Request::Duplicates { cursor, limit } => {
                self.query(move |f, _| queries::duplicates(f, cursor.as_deref(), limit)).await
            }
            Request::Resolve { which, dry_run } => self.resolve(which, dry_run).await,
            Request::Categories => self.query(|f, _| queries::categories(f)).await,
            Request::Report { since_ns, until_ns } => {
                let now = self.now();
                let period = Period {
                    since: since_ns.map(UnixNanos),
                    until: until_ns.map_or(now, UnixNanos),
                    tz: TimeZone::system(),
                };
                self.query(move |f, setup| report::report(f, setup, period, now)).await
            }
            Request::Suggest => {
                let (habits, confinement) = (self.habits.clone(), self.confinement.clone());
                let ask = move |f: &Filing, setup: &Setup| {
                    let all = habits.suggest(f, setup);
                    let wire = |s| convert::suggestion(s, &confinement);
                    Ok(Response::Suggestions(all.iter().map(wire).collect()))
                };
                self.query(ask).await
            }
            Request::StoreVerify => {
                self.query(|filing, _| Ok(Response::Health(care::checks(filing)))).await
            }
            Request::Rules => self.query(|f, setup| Ok(queries::rules(f, setup))).await,
            // The control room answers it itself.
            Request::Subscribe => Ok(Response::Ended),
        }
    }
}

/// Absolute paths below roots; none: all roots.
fn below_roots(setup: &Setup, paths: Vec<WirePath>) -> Result<Vec<PathBuf>, Error> {
    if paths.is_empty() {
        return Ok(setup.roots.iter().map(|r| r.path.to_path_buf()).collect());
    }
    let inside = |p: &Path| setup.roots.iter().any(|r| p.starts_with(&r.path));
    match paths.iter().find(|p| !inside(p.as_path())) {
        Some(stranger) => Err(Error::new(
            ErrorCode::BadRequest,
            format!("{} is not in a watched folder", name::shown(stranger.as_path().as_os_str())),
            "add its folder to `watch` in the configuration first",
        )),
        None => Ok(paths.into_iter().map(|p| p.0).collect()),
    }
}

/// Work that blocks on the disk, off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let turn = Turn::current();
    let work = move || {
        // Until it is over, whoever waits for it.
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(internal("a defect of tidyd; see the log")))
}
