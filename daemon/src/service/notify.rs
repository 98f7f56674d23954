//! What has been filed, told on the desktop: one notification a batch, and not more than one in ten seconds.
//!
//! It is sent by a program of the desktop's (`notify-send`, else systemd's `busctl`), which the helper for commands starts:
//! tidyd itself may start nothing once it is confined, and a bus that does not answer holds up nobody.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tidy_core::rules::{LeaveReason, Notice, RuleName, Told};
use tidy_core::{count, name};

use crate::act::hook;
use crate::filing::{OfRule, Report, Setup};

/// Batches that wait to be told; what comes when so many wait is not told.
const WAITING: usize = 64;

/// What comes within this is told together.
const BETWEEN: Duration = Duration::from_secs(10);

/// Lines of one notification; desktops show few.
const LINES: usize = 5;

/// How long a program may take to hand it to the desktop.
const LIMIT: Duration = Duration::from_secs(5);

/// The way to the desktop's notifications. Clones share it.
#[derive(Clone)]
pub(super) struct Notify(SyncSender<News>);

/// What is to be told.
#[derive(Debug, Default)]
struct News {
    rules: BTreeMap<RuleName, (Notice, OfRule)>,
    failed: usize,
}

impl News {
    /// Of one batch, as far as the configuration asks for it; only of what nobody waits for anyway.
    fn of(setup: &Setup, report: &Report) -> Self {
        let mut news = Self::default();
        for (rule, of) in &report.ended.unasked {
            if let Some(notice) = setup.notice(rule) {
                news.rules.insert(rule.clone(), (notice, of.clone()));
            }
        }
        if setup.notifies_of_failures() && report.ended.any_unasked() {
            news.failed = report.left.iter().filter(|l| l.reason == LeaveReason::Failed).count();
        }
        news
    }

    fn and(&mut self, other: Self) {
        self.failed += other.failed;
        for (rule, of) in other.rules {
            match self.rules.get_mut(&rule) {
                None => drop(self.rules.insert(rule, of)),
                Some((_, known)) => known.and(&of.1),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.failed == 0
    }

    /// Heading and text.
    fn text(&self) -> (String, String) {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let files: usize = self.rules.values().map(|(_, of)| of.count).sum();
        let mut heading = match files {
            0 => String::new(),
            n => format!("{} filed", count(n as u64, "file")),
        };
        if self.failed > 0 {
            let comma = if heading.is_empty() { "" } else { ", " };
            heading.push_str(&format!("{comma}{} could not be", self.failed));
        }
        let mut lines: Vec<String> = Vec::new();
        for (rule, (notice, of)) in self.rules.iter().take(LINES) {
            let folder = of.folder.as_ref().map(|f| short(f, home.as_deref()));
            let told = Told { rule, count: of.count, name: &of.name, folder: folder.as_deref() };
            lines.push(notice.line(&told));
        }
        if self.rules.len() > LINES {
            lines.push(format!("and {}", count((self.rules.len() - LINES) as u64, "more rule")));
        }
        if self.failed > 0 {
            lines.push("tidyctl errors says why".to_owned());
        }
        (heading, escaped(&lines.join("\n")))
    }
}

/// A folder as people write it.
fn short(folder: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| folder.strip_prefix(home).ok()) {
        Some(below) => name::shown(Path::new("~").join(below).as_os_str()),
        None => name::shown(folder.as_os_str()),
    }
}

/// The text of a notification may have markup (Desktop Notifications Specification 1.2), which a file's name must not.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Notify {
    /// The thread that tells, until every handle is gone.
    pub(super) fn new() -> Self {
        let (give, take) = sync_channel(WAITING);
        let told = std::thread::Builder::new().name("notify".into()).spawn(move || serve(&take));
        if let Err(error) = told {
            tracing::error!(%error, "nothing can be told on the desktop");
        }
        Self(give)
    }

    /// Tells of a batch; never waits.
    pub(super) fn batch(&self, setup: &Setup, report: &Report) {
        let news = News::of(setup, report);
        if !news.is_empty() && self.0.try_send(news).is_err() {
            tracing::debug!("too many batches wait to be told on the desktop");
        }
    }
}

fn serve(take: &Receiver<News>) {
    let mut desktop = Desktop::default();
    while let Ok(news) = take.recv() {
        desktop.tell(&news);
        // What comes meanwhile is told together.
        let (until, mut more) = (Instant::now() + BETWEEN, News::default());
        loop {
            match take.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(news) => more.and(news),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        if !more.is_empty() {
            desktop.tell(&more);
        }
    }
}

/// What the log has been told of the desktop.
#[derive(Default)]
struct Desktop {
    complained: bool,
}

impl Desktop {
    fn tell(&mut self, news: &News) {
        let (heading, text) = news.text();
        let mut why = Vec::new();
        for argv in [notify_send(&heading, &text), busctl(&heading, &text)] {
            match hook::tell(argv, LIMIT) {
                Ok(()) => return,
                Err(error) => why.push(error),
            }
        }
        if !self.complained {
            tracing::warn!(
                "nothing can be told on the desktop: notify-send: {}; busctl: {}",
                why.first().map_or("", String::as_str),
                why.last().map_or("", String::as_str)
            );
            self.complained = true;
        }
    }
}

/// `notify-send(1)`, of libnotify.
fn notify_send(heading: &str, text: &str) -> Vec<OsString> {
    ["notify-send", "--app-name=tidyd", "--icon=folder", "--", heading, text]
        .map(OsString::from)
        .into()
}

/// `busctl(1)`, of systemd: the method `Notify` of the Desktop Notifications Specification 1.2.
fn busctl(heading: &str, text: &str) -> Vec<OsString> {
    const NAME: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";
    // Application, what it replaces, icon, heading, text, actions, hints, time-out (-1: as the desktop likes).
    let arguments = ["susssasa{sv}i", "tidyd", "0", "folder", heading, text, "0", "0", "-1"];
    let call = ["busctl", "--user", "--", "call", NAME, PATH, NAME, "Notify"];
    call.into_iter().chain(arguments).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize, folder: Option<&str>) -> (Notice, OfRule) {
        let (folder, name) = (folder.map(PathBuf::from), "a<b>.pdf".to_owned());
        (Notice::default(), OfRule { count, name, folder })
    }

    #[test]
    fn what_comes_close_together_is_told_together() {
        let mut news = News::default();
        news.rules.insert("bills".into(), of(1, Some("/x/Bills")));
        assert_eq!(
            news.text(),
            ("1 file filed".into(), "bills: a&lt;b&gt;.pdf to /x/Bills".into())
        );
        let mut more = News { failed: 2, ..News::default() };
        more.rules.insert("bills".into(), of(2, Some("/x/Other")));
        for n in 0..LINES {
            more.rules.insert(format!("rule {n}").into(), of(1, None));
        }
        news.and(more);
        let (heading, text) = news.text();
        assert_eq!(heading, "8 files filed, 2 could not be");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "bills: 3 files");
        assert_eq!(lines[LINES..], ["and 1 more rule", "tidyctl errors says why"]);
    }
}
