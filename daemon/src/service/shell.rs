//! The loop around the coordinator: events in, effects out.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::operation::Trigger;
use tidy_core::settle::{Mono, Probe};
use tidy_protocol::ExitCode as Code;
use tokio::sync::{mpsc, oneshot};

use super::ask::Ask;
use super::care::Schedule;
use super::handler::Service;
use super::hints::Hints;
use super::listen::Listening;
use super::publish;
use super::renew::{self, Renew};
use super::restart::AtStart;
use super::retain::Retain;
use super::scanner::{Job, Scanner};
use super::stops::Stops;
use super::thrift::Thrift;
use super::time::{mono, sleep_some, sleep_to, wait_until};
use super::{Begun, Fatal, begin, configure, mounts, open, power, reach, retain, unasked};
use crate::act::hook;
use crate::catalog::{Catalog, CatalogError};
use crate::cli::Options;
use crate::coordinator::{
    Answer, Command, Coordinator, Effect, Event, Now, Problem, Ticket, WalkStep,
};
use crate::filing::{Candidate, Mode, Progress, Watcher};
use crate::survey::{Survey, Wanted};
use crate::telemetry::clock::{Clock, SystemClock};
use crate::telemetry::errors::ErrorLog;
use crate::telemetry::notify::{Notifier, OPENING, WALKING};
use crate::telemetry::signals::{ServiceSignal, ServiceSignals};
use crate::{kindness, scan, watch};

/// Answers of threads waiting for the loop. Each effect has at most one answer, and the coordinator
/// bounds the effects under way, so this is never full for long.
const EVENTS: usize = 256;

/// Commands of clients waiting for the loop; past this their connections wait.
const COMMANDS: usize = 256;

/// Between two lines for the service manager: it is not to be kept busy by a busy tidyd.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a stop waits for the batches under way. What is cut off then is finished, or taken back,
/// by recovery at the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(4);

/// Between two lines about the same problem at the same place, when there is no other in between.
const REPORT_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Between two looks for roots that are not there.
const LOOK_FOR_MISSING: Duration = Duration::from_secs(30);

/// Runs the service until it is told to stop.
pub(super) fn run(options: &Options) -> Result<Code, Fatal> {
    let (begun, log) = begin(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("tidyd")
        .build()
        .map_err(|e| Fatal::new(Code::Failed, format!("cannot start: {e}"), "try again"))?;
    let errors = log.errors();
    let code = runtime
        .block_on(Shell::start(options, begun, &errors))
        .inspect_err(|fatal| errors.note("tidyd", &fatal.to_string()))
        .map_err(|fatal| Fatal { message: log.told(&fatal.message), ..fatal })?;
    // A thread in the middle of a long copy is not waited for: its journal entry is open.
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(code)
}

struct Shell {
    options: Options,
    clock: Arc<dyn Clock>,
    coordinator: Coordinator,
    service: Arc<Service>,
    scanner: Scanner,
    cookies: Arc<watch::Cookies>,
    hints: Arc<Hints>,
    notifier: Notifier,
    stops: Stops,
    events: mpsc::Sender<Event>,
    /// Stops the batches under way.
    stop: Arc<AtomicBool>,
    tickets: HashMap<Ticket, oneshot::Sender<Answer>>,
    next_ticket: u64,
    wake_at: Option<Mono>,
    /// Roots that were not there when the configuration was read last.
    missing: usize,
    ready: bool,
    /// When the service manager was last asked for more time to start.
    extended: Duration,
    /// When the service manager was last told how things are.
    announced: Duration,
    status_said: bool,
    status: String,
    /// The last problem that was told, and when.
    reported: Option<(Problem, Duration)>,
    /// When the watchdog was fed last.
    fed: Duration,
    thrift: Thrift,
    stopped: bool,
    retain: Retain,
    renew: Renew,
    backups: Schedule,
    at_start: AtStart,
}

impl Shell {
    async fn start(options: &Options, begun: Begun, errors: &ErrorLog) -> Result<Code, Fatal> {
        let Begun { configured, state, confinement, readers, mut notes, handed } = begun;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let notifier = Notifier::from_environment();
        let mut signals = ServiceSignals::install()
            .map_err(|e| Fatal::new(Code::Failed, format!("cannot listen to signals: {e}"), ""))?;
        notifier.status("opening the journal");
        // A recovery after a crash may have much to look at.
        notifier.extend_start(OPENING);
        let house = open::open(state, configured.journal, false)?;
        let setup = configured.setup.clone();
        kindness::limit(configured.limits.read);
        notes.extend(house.notes.iter().cloned());
        for problem in configured.problems.iter().map(configure::described) {
            tracing::warn!("{problem}");
            notes.push(problem);
        }
        let habits = house.habits.clone();
        let filing = house.filing(readers);
        let filing = filing.with_placed(Arc::new(move |path, id| habits.placed(path, id)));
        let retain = Retain::at_start(configured.journal, filing.journal(), &*clock);
        let stops = Stops::new(house.state.path());
        let stopped = stops.still_stopped(&setup, clock.wall(), &mut notes);

        let hints = Arc::new(Hints::default());
        hints.set_areas(setup.areas());
        let heard = hints.clone();
        let lost = hints.clone();
        house.catalog.on_damaged(move |dir| lost.note(watch::Hint::Dirty { dir, name: None }));
        let cookies = watch::Cookies::new(open::cookies_dir(&house.state)?);
        let backend = watch::SystemBackend::new(cookies.clone(), Arc::new(move |h| heard.note(h)))
            .map_err(|e| {
                let hint = "raise fs.inotify.max_user_instances and max_user_watches (sysctl)";
                Fatal::new(Code::Failed, format!("cannot watch folders: {e}"), hint)
            })?;
        let tree = watch::Tree::new(backend);

        let (events, mut answers) = mpsc::channel(EVENTS);
        let (asks, mut inbox) = mpsc::channel(COMMANDS);
        let watched = Arc::new(AtomicUsize::new(0));
        let survey = Survey::new(setup.clone(), house.catalog.clone(), Some(tree), Wanted::New)
            .with_habits(house.habits.clone())
            .with_unpacked(Some(house.unpacked.clone()));
        let (scanner, mut died) =
            Scanner::start(survey, clock.clone(), watched.clone(), events.clone())
                .map_err(|e| Fatal::new(Code::Failed, format!("cannot start a thread: {e}"), ""))?;

        let state_dir = house.state.path().to_owned();
        let renew = Renew::new(house.store.db().clone(), state_dir.clone());
        let service = Service::new(
            setup.clone(),
            filing,
            house.habits.clone(),
            clock.clone(),
            state_dir,
            asks,
            watched,
            confinement,
        );
        let service = Arc::new(service.with_notes(notes).with_errors(errors.clone()));
        let listening = Listening::start(&configured, &service, handed).await?;

        let now = Now { wall: clock.wall(), mono: mono(&*clock) };
        let (coordinator, first) = Coordinator::new(setup, stopped, now);
        let coordinator = coordinator.with_tally(service.tallies().coordinator.clone());
        let at_start = AtStart::new(&configured);
        let mut shell = Self {
            options: options.clone(),
            clock,
            coordinator,
            service,
            scanner,
            cookies,
            hints: hints.clone(),
            notifier,
            stops,
            events,
            stop: Arc::new(AtomicBool::new(false)),
            tickets: HashMap::new(),
            next_ticket: 1,
            wake_at: None,
            missing: configured.problems.len(),
            ready: false,
            extended: Duration::ZERO,
            announced: Duration::ZERO,
            status_said: false,
            status: String::new(),
            reported: None,
            fed: Duration::ZERO,
            thrift: Thrift::default(),
            stopped: false,
            retain,
            renew,
            backups: Schedule::new(configured.backup, house.state.path().to_owned(), now.wall),
            at_start,
        };
        shell.perform(first);
        let revisit = earliest_revisit(shell.service.filing().catalog());
        shell.handle(Event::Revisit(revisit));

        mounts::watch(shell.events.clone());
        let watchdog = shell.notifier.watchdog_interval();
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut code = Code::Ok;
        while !shell.stopped {
            let wake = shell.wake_at;
            let clock = shell.clock.clone();
            tokio::select! {
                Some(event) = answers.recv() => shell.handle(event),
                _ = &mut died => {
                    // Nothing can be found any more: better a restart than a house that stands still.
                    let message = "a defect ended the scanner; see the log";
                    return Err(Fatal::new(Code::Failed, message, "please report this"));
                }
                () = hints.ready() => {
                    let heard = hints.take();
                    shell.handle(Event::Hints(heard));
                }
                Some(ask) = inbox.recv() => {
                    if shell.ask(ask) {
                        deadline.get_or_insert(tokio::time::Instant::now() + STOP_PATIENCE);
                    }
                }
                () = wait_until(wake, &*clock) => {
                    shell.wake_at = None;
                    shell.handle(Event::Timer);
                }
                Some(signal) = signals.next() => match signal {
                    ServiceSignal::Reload => shell.reload(None),
                    ServiceSignal::Terminate => {
                        shell.begin_stop();
                        deadline.get_or_insert(tokio::time::Instant::now() + STOP_PATIENCE);
                    }
                },
                () = sleep_some(watchdog) => {}
                () = sleep_some((shell.missing > 0).then_some(LOOK_FOR_MISSING)) => shell.look_for_missing(),
                () = sleep_some(Renew::interval(shell.service.filing().journal())) => {}
                () = sleep_to(deadline) => {
                    tracing::warn!("stopping in the middle of an operation; the next start finishes it");
                    break;
                }
            }
            shell.feed_watchdog(watchdog);
            if deadline.is_none() && shell.is_to_be_renewed() {
                shell.begin_stop();
                deadline = Some(tokio::time::Instant::now() + STOP_PATIENCE);
                code = Code::Failed;
            }
        }
        listening.close().await;
        if let Err(error) = shell.service.filing().flush() {
            tracing::warn!(%error, "the catalog was not written completely; it is checked at the next start");
        }
        tracing::info!("stopped");
        drop(house);
        Ok(code)
    }

    fn now(&self) -> Now {
        Now { wall: self.clock.wall(), mono: mono(&*self.clock) }
    }

    fn handle(&mut self, event: Event) {
        self.thrift.see(&event);
        let effects = self.coordinator.handle(event, self.now());
        self.perform(effects);
        self.announce();
        self.shorten_the_journal();
        let (now, pending) = (self.clock.wall(), self.coordinator.pending());
        self.thrift.give_back(self.ready, pending);
        if self.ready {
            self.backups.begin_if_due(&self.service, now, pending);
        }
    }

    /// Tells the service manager when everything is being watched, and how things are.
    fn announce(&mut self) {
        if !self.ready && self.coordinator.is_ready() {
            self.ready = true;
            self.notifier.ready();
        }
        let now = self.clock.mono();
        if !self.ready && now.saturating_sub(self.extended) >= WALKING / 4 {
            self.extended = now;
            self.notifier.extend_start(WALKING);
        }
        let due = now.saturating_sub(self.announced) >= STATUS_INTERVAL || !self.status_said;
        let pending = self.coordinator.pending();
        // Nothing comes after the last event that could tell it later.
        if !self.notifier.is_active() || !(due || pending.is_at_rest()) {
            return;
        }
        let line = publish::status_line(&self.coordinator.roots(), pending);
        if !self.status_said || line != self.status {
            (self.announced, self.status_said) = (now, true);
            self.notifier.status(&line);
            self.status = line;
        }
    }

    /// Once a day, when there is nothing else to do. The loop goes round at least once an hour.
    fn shorten_the_journal(&mut self) {
        if self.ready && self.retain.is_due(self.clock.mono(), self.coordinator.pending()) {
            let (service, config) = (self.service.clone(), self.retain.config());
            tokio::task::spawn_blocking(move || {
                retain::shorten(service.filing().journal(), config);
            });
        }
    }

    /// Whether a service manager is to start another process that can do what this one cannot any more.
    fn is_to_be_renewed(&mut self) -> bool {
        let (service, now) = (&self.service, self.clock.mono());
        let up = now.saturating_sub(service.started);
        self.notifier.is_active()
            && (self.renew.is_due(service.filing().journal(), now)
                || renew::is_to_reach(service.is_astray(), up))
    }

    /// Tells the service manager that the loop goes round, as often as it wants to know.
    fn feed_watchdog(&mut self, interval: Option<Duration>) {
        let now = self.clock.mono();
        if interval.is_some_and(|i| now.saturating_sub(self.fed) >= i / 2) {
            self.fed = now;
            self.notifier.watchdog();
        }
    }

    /// Returns whether the service is to stop.
    fn ask(&mut self, ask: Ask) -> bool {
        match ask {
            Ask::Command(command, answer) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.tickets.insert(ticket, answer);
                self.handle(Event::Command(ticket, command));
            }
            Ask::Reload(answer) => self.reload(Some(answer)),
            Ask::JobStarted => self.handle(Event::JobStarted),
            Ask::JobEnded => self.handle(Event::JobEnded),
            Ask::Shutdown => {
                self.begin_stop();
                return true;
            }
        }
        false
    }

    fn begin_stop(&mut self) {
        self.notifier.stopping();
        self.stop.store(true, Ordering::Relaxed);
        self.service.jobs().stop_all();
        self.handle(Event::Command(Ticket(0), Command::Stop));
    }

    /// A configuration that is not good changes nothing: the old one keeps running, and says so.
    fn reload(&mut self, answer: Option<oneshot::Sender<Result<(), Fatal>>>) {
        self.notifier.reloading();
        let result = configure::load(&self.options).and_then(|configured| {
            reach::check(&configured, self.service.confinement())?;
            self.apply(configured);
            tracing::info!("the configuration has been read again");
            Ok(())
        });
        if let Err(fatal) = &result {
            tracing::error!(hint = fatal.hint, "{}; the old configuration stays", fatal.message);
        }
        self.notifier.ready();
        if let Some(answer) = answer {
            // The client may have gone; the reload has happened all the same.
            let _ = answer.send(result);
        }
    }

    fn apply(&mut self, configured: configure::Configured) {
        self.at_start.reloaded(&configured, &self.service);
        let setup = configured.setup;
        self.retain.replace(configured.journal);
        self.backups.replace(configured.backup, self.clock.wall());
        kindness::limit(configured.limits.read);
        for problem in &configured.problems {
            tracing::warn!("{}", configure::described(problem));
        }
        if !hook::is_started() {
            let lacks =
                |what| format!("{what}, and tidyd was started without: restart it, or none is");
            let commands = setup.runs_commands().then(|| lacks("a rule runs commands now"));
            let notices = setup.notifies().then(|| lacks("notifications are wanted now"));
            commands.into_iter().chain(notices).for_each(|text| self.service.warn(text));
        }
        self.missing = configured.problems.len();
        self.service.replace_setup(setup.clone());
        self.hints.set_areas(setup.areas());
        self.scanner.send(Job::Reload(setup.clone()));
        self.handle(Event::Reloaded(setup));
    }

    /// Takes up roots that were not there and are now.
    fn look_for_missing(&mut self) {
        if let Ok(configured) = configure::load(&self.options)
            && configured.problems.len() < self.missing
        {
            self.missing = configured.problems.len();
            match reach::check(&configured, self.service.confinement()) {
                Ok(()) => self.apply(configured),
                Err(fatal) => self.service.warn(fatal.to_string()),
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Scan(dirs) => self.scanner.send(Job::Scan(dirs)),
                Effect::Walk(step) => self.walk(step),
                Effect::Unwatch(dir) => self.scanner.send(Job::Unwatch(dir)),
                Effect::Probe(places) => {
                    let failed = places.iter().map(|p| (p.path(), Probe::Failed)).collect();
                    self.in_background(Event::Probed(failed), move || {
                        let prober = scan::Prober::default();
                        Event::Probed(places.iter().map(|p| (p.path(), prober.probe(p))).collect())
                    });
                }
                Effect::File { batch, candidates } => self.file(batch, candidates),
                Effect::Weigh { weighing, candidates } => self.weigh(weighing, candidates),
                Effect::Remember(trips) => {
                    // In the loop, so that it is on the disk before anybody hears of it.
                    if let Err(error) = self.stops.save(&trips) {
                        self.service.warn(format!(
                            "which folders are stopped could not be written down: {error}; a restart \
                             will not know"
                        ));
                    }
                }
                Effect::Tripped { root, trip } => {
                    self.service.tripped(&root, &trip);
                    // The service manager hears of this at once.
                    self.status_said = false;
                }
                Effect::CollectDue(now) => {
                    let catalog = self.service.filing().catalog().clone();
                    self.in_background(Event::Due(Vec::new()), move || {
                        Event::Due(dirs(catalog.due(now)))
                    });
                }
                Effect::CollectWaiting => {
                    let catalog = self.service.filing().catalog().clone();
                    self.in_background(Event::Due(Vec::new()), move || {
                        Event::Due(dirs(catalog.waiting()))
                    });
                }
                Effect::AskCookie(ask) => {
                    let cookies = self.cookies.clone();
                    let none = Event::CookieAsked { ask, cookie: None };
                    self.in_background(none, move || {
                        let cookie = cookies.ask().inspect_err(|error| {
                            tracing::warn!(%error, "no barrier can be made; everything is scanned");
                        });
                        Event::CookieAsked { ask, cookie: cookie.ok() }
                    });
                }
                Effect::LookAtPower => {
                    // Whoever cannot be asked does not hold anything up.
                    self.in_background(Event::Power { on_battery: false }, || Event::Power {
                        on_battery: power::on_battery(Path::new(power::SUPPLIES)),
                    });
                }
                Effect::Distrust => self.scanner.send(Job::Distrust),
                Effect::Sweep => self.scanner.send(Job::Sweep),
                Effect::WakeAt(at) => self.wake_at = at,
                Effect::Answer(ticket, answer) => {
                    if let Some(waiting) = self.tickets.remove(&ticket) {
                        // The client may have gone.
                        let _ = waiting.send(answer);
                    }
                }
                Effect::Report(problem) => self.report(problem),
                Effect::Stopped => self.stopped = true,
            }
        }
    }

    /// Tells what a person should know; the same thing again and again only now and then.
    fn report(&mut self, problem: Problem) {
        let now = self.clock.mono();
        let told = self.reported.as_ref().filter(|(last, _)| *last == problem);
        if told.is_some_and(|(_, at)| now.saturating_sub(*at) < REPORT_AGAIN) {
            return;
        }
        tracing::warn!(path = %problem.path.display(), "{}", problem.text);
        let service = self.service.clone();
        tokio::task::spawn_blocking(move || service.look_at_reach());
        self.service.publish(publish::warning(&problem));
        self.reported = Some((problem, now));
    }

    fn walk(&self, step: WalkStep) {
        if let WalkStep::Start(dir) = &step {
            tracing::debug!(dir = %dir.display(), "walking");
        }
        self.scanner.send(Job::Walk(step));
    }

    /// Runs blocking work on a thread and feeds its answer back. Work that panics answers `otherwise`:
    /// the loop must not wait for ever, and the panic stands in the log and among the recent errors.
    fn in_background(&self, otherwise: Event, work: impl FnOnce() -> Event + Send + 'static) {
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let event = catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise);
            // It only fails when the loop has ended.
            let _ = events.blocking_send(event);
        });
    }

    /// A dry run, to know which of these files would be acted on.
    fn weigh(&self, weighing: u64, candidates: Vec<Candidate>) {
        let (service, stop) = (self.service.clone(), self.stop.clone());
        let now = self.clock.wall();
        // If it cannot be known, it may be all of them.
        let all = candidates.iter().map(Candidate::path).collect();
        let otherwise = Event::Weighed { weighing, touched: all };
        unasked::begin(&self.events, otherwise, move || {
            let mode = Mode { trigger: Trigger::Watch, dry_run: true, asked: false };
            let watcher = Watcher { progress: &|_| {}, stop: &stop };
            let all = candidates.iter().map(Candidate::path).collect();
            let run = service.filing().run(&service.setup(), candidates, mode, now, watcher);
            let touched = run.map_or_else(
                |error| {
                    service.note_failure(&error);
                    all
                },
                |mut report| report.touched(),
            );
            Event::Weighed { weighing, touched }
        });
    }

    fn file(&self, batch: u64, candidates: Vec<Candidate>) {
        let (service, stop) = (self.service.clone(), self.stop.clone());
        let now = self.clock.wall();
        let revisits = self.events.clone();
        let files: Vec<PathBuf> = candidates.iter().map(|c| c.path()).collect();
        let nothing = Event::BatchFailed { batch, files: files.clone() };
        unasked::begin(&self.events, nothing, move || {
            let publisher = service.clone();
            let progress = move |p: Progress<'_>| publisher.publish_progress(&p);
            let mode = Mode { trigger: Trigger::Watch, dry_run: false, asked: false };
            let watcher = Watcher { progress: &progress, stop: &stop };
            let setup = service.setup();
            let event = match service.filing().run(&setup, candidates, mode, now, watcher) {
                Ok(mut report) => {
                    service.batch_done(&report);
                    let touched = report.touched();
                    Event::BatchDone { batch, touched, again: report.again }
                }
                Err(error) => {
                    service.note_failure(&error);
                    Event::BatchFailed { batch, files }
                }
            };
            let _ = revisits
                .blocking_send(Event::Revisit(earliest_revisit(service.filing().catalog())));
            event
        });
    }
}

fn earliest_revisit(catalog: &Catalog) -> Option<UnixNanos> {
    catalog.earliest_revisit().map(|r| r.map(|(at, _)| at)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the catalog could not be read");
        None
    })
}

fn dirs(told: Result<Vec<PathBuf>, CatalogError>) -> Vec<PathBuf> {
    told.unwrap_or_else(|error| {
        tracing::warn!(%error, "the catalog could not be read");
        Vec::new()
    })
}
