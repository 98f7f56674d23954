//! strace as the hand that kills, or fails, one system call.

use std::collections::BTreeMap;
use std::path::Path;

/// A look at some of the calls of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// All of them.
    All,
    /// Those on the journal's files: another thread makes as many of the same calls, and strace counts by thread.
    Journal,
    /// Those on the store's file, for the same reason.
    Store,
    /// All, where the file systems cannot rename without replacing: links are made instead.
    Linking,
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Journal => "journal",
            Self::Store => "store",
            Self::Linking => "linking",
        }
    }

    /// The only paths that are looked at, below the state directory; none: all.
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Journal => &["journal/0000000000000001.log", "journal"],
            Self::Store => &["store/db"],
            Self::All | Self::Linking => &[],
        }
    }

    /// The arguments of strace that write the `calls` that are seen to `trace`, with what is to happen.
    pub(crate) fn arguments(
        self,
        state: &Path,
        trace: &Path,
        calls: &str,
        what: Option<Injection<'_>>,
    ) -> Vec<String> {
        let text = |p: &Path| p.to_str().expect("paths of ours are text").to_owned();
        let mut arguments: Vec<String> = ["-f", "-qq", "-o"].map(str::to_owned).into();
        arguments.push(text(trace));
        arguments.push(format!("--trace={calls}"));
        if self == Self::Linking {
            // What most file systems answer to a flag they do not know.
            arguments.push("--inject=renameat2:error=EINVAL".to_owned());
        }
        if let Some((call, happens, n)) = what {
            let (happens, on) = happens.strip_suffix('+').map_or((happens, ""), |h| (h, "+"));
            arguments.push(format!("--inject={call}:{happens}:when={n}{on}"));
        }
        for path in self.paths() {
            arguments.extend(["-P".to_owned(), text(&state.join(path))]);
        }
        arguments
    }
}

/// A call, what strace makes happen there, and at which of them, from 1.
pub(crate) type Injection<'a> = (&'a str, &'a str, usize);

/// How often each call was made by the thread that made it most often: strace counts by thread.
pub(crate) fn counts(trace: &str) -> BTreeMap<String, usize> {
    let mut by_thread: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (thread, call) in calls(trace) {
        *by_thread.entry((thread, call)).or_default() += 1;
    }
    let mut most = BTreeMap::new();
    for ((_, call), n) in by_thread {
        let m = most.entry(call.to_owned()).or_insert(0);
        *m = n.max(*m);
    }
    most
}

/// Lines are `THREAD CALL(…`; of a call that was interrupted, the second line is not one.
fn calls(trace: &str) -> impl Iterator<Item = (&str, &str)> {
    trace.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(' ')?;
        let (call, _) = rest.trim_start().split_once('(')?;
        call.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some((thread, call))
    })
}

/// Whether what was to happen to `call` has happened.
pub(crate) fn happened(trace: &str, call: &str) -> bool {
    trace.contains("+++ killed by SIGKILL +++") || injected(trace).is_some_and(|l| l.contains(call))
}

/// The first line of a call that failed because it was made to.
pub(crate) fn injected(trace: &str) -> Option<&str> {
    trace.lines().find(|l| l.contains("(INJECTED)"))
}
