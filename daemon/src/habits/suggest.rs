//! What follows from what a person did: rules that would have done it, and rules that were wrong.
//!
//! Evidence is read here, when somebody asks: the moves that are kept, the journal (what rules did, what was put back), the
//! catalog (what lies beside and was not moved), and the moved files themselves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::facts::Fact;
use tidy_core::name;
use tidy_core::operation::{OpId, OpState, Operation};
use tidy_core::plan::Place;
use tidy_core::policy::RootPolicy;
use tidy_core::suggest::{Example, SEVERAL, guess};

use super::toml::{self, Deed, Tried};
use super::{Habits, Move};
use crate::catalog::Entry;
use crate::filing::{Filing, Setup};
use crate::inspect;
use crate::journal::LogFilter;

/// Operations of the journal that are looked through.
const OPERATIONS: usize = 2_000;

/// Files of one group that are opened and tried.
const FILES: usize = 50;

/// Folders that are looked through for files that were not moved, and files of each.
const FOLDERS: usize = 16;
const BESIDE: usize = 500;

/// What a suggestion is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Files that a person moved into this folder.
    Moved(PathBuf),
    /// What this rule did was put back or moved on, so often of so many times.
    Wrong { rule: String, of: usize },
}

/// One file that speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub from: PathBuf,
    /// `None`: it was put back.
    pub to: Option<PathBuf>,
    pub time: UnixNanos,
}

/// A rule that a person may want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub subject: Subject,
    /// For the configuration, before all other rules; `None`: no condition tells these files from others.
    pub toml: Option<String>,
    /// The newest first.
    pub cases: Vec<Case>,
}

/// A file that was moved by hand, as it came.
#[derive(Debug, Clone)]
struct Moved {
    root: Arc<RootPolicy>,
    /// Where it lay when a rule could have taken it.
    from: PathBuf,
    to: PathBuf,
    time: UnixNanos,
    what: Move,
    filed: Option<Operation>,
}

/// Everything that is known when somebody asks.
struct Evidence<'a> {
    filing: &'a Filing,
    setup: &'a Setup,
    moved: Vec<Moved>,
    /// What rules did lately, newest first, and whether it was put back.
    done: Vec<(Operation, Option<UnixNanos>)>,
}

impl Habits {
    /// All that can be said now, what was done most often first.
    pub fn suggest(&self, filing: &Filing, setup: &Setup) -> Vec<Suggestion> {
        let evidence = Evidence::gather(filing, setup, self.moves());
        let mut out = evidence.rules();
        out.extend(evidence.wrong_rules());
        out.sort_by_key(|s| std::cmp::Reverse(s.cases.len()));
        out
    }
}

impl<'a> Evidence<'a> {
    fn gather(filing: &'a Filing, setup: &'a Setup, moves: Vec<Move>) -> Self {
        let moved = followed(moves).into_iter().filter_map(|m| arrived(filing, setup, m)).collect();
        let filter = LogFilter { state: Some(OpState::Done), ..LogFilter::default() };
        let ops = filing.journal().log(&filter, None, OPERATIONS).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal could not be asked");
            Vec::new()
        });
        let by_rule = ops.into_iter().filter(|op| !op.step.undo && op.step.kind.relocates());
        let done = by_rule.map(|op| (put_back(filing, op.id), op)).map(|(back, op)| (op, back));
        Self { filing, setup, moved, done: done.collect() }
    }

    /// Rules for what was moved to one folder several times.
    fn rules(&self) -> Vec<Suggestion> {
        let mut groups: BTreeMap<(PathBuf, PathBuf), Vec<&Moved>> = BTreeMap::new();
        for m in &self.moved {
            let to = m.to.parent().unwrap_or(Path::new("/")).to_owned();
            groups.entry((m.root.path.to_path_buf(), to)).or_default().push(m);
        }
        let mut out = Vec::new();
        for ((root, to), mut group) in groups {
            group.sort_by_key(|m| std::cmp::Reverse(m.time));
            if group.len() < SEVERAL || to == root {
                continue;
            }
            let root = &group[0].root;
            let like: Vec<Tried> = group.iter().take(FILES).filter_map(|m| self.tried(m)).collect();
            let unlike = self.not_moved(root, &to, &group);
            let deed = spelled(root, &to).map(Deed::Move);
            let title = format!("to {}", to.file_name().unwrap_or_default().to_string_lossy());
            let toml = deed.and_then(|deed| self.written(&title, &deed, &like, &unlike));
            let case =
                |m: &&Moved| Case { from: m.from.clone(), to: Some(m.to.clone()), time: m.time };
            // Without a rule there is nothing to suggest.
            if toml.is_some() {
                let cases = group.iter().map(case).collect();
                out.push(Suggestion { subject: Subject::Moved(to), toml, cases });
            }
        }
        out
    }

    /// Rules that a person set right at least every other time.
    fn wrong_rules(&self) -> Vec<Suggestion> {
        let moved: HashMap<OpId, &Moved> =
            self.moved.iter().filter_map(|m| Some((m.filed.as_ref()?.id, m))).collect();
        let mut rules: BTreeMap<&str, Vec<(&Operation, Option<Case>)>> = BTreeMap::new();
        for (op, back) in &self.done {
            let from = op.step.src.as_ref().map(Place::path).unwrap_or_default();
            let case = match (moved.get(&op.id), back) {
                (Some(m), _) => Some(Case { from, to: Some(m.to.clone()), time: m.time }),
                (None, Some(time)) => Some(Case { from, to: None, time: *time }),
                (None, None) => None,
            };
            rules.entry(&*op.step.rule).or_default().push((op, case));
        }
        let mut out = Vec::new();
        for (rule, ops) in rules {
            let mut cases: Vec<Case> = ops.iter().filter_map(|(_, case)| case.clone()).collect();
            if cases.len() < SEVERAL || cases.len() * 2 < ops.len() {
                continue;
            }
            cases.sort_by_key(|c| std::cmp::Reverse(c.time));
            // What was moved on has a place of its own; what was put back should have been left.
            let split = |back: bool| {
                let of = ops.iter().filter(move |(_, case)| match case {
                    Some(case) => back && case.to.is_none(),
                    None => !back,
                });
                of.take(FILES).filter_map(|(op, _)| self.tried_op(op)).collect::<Vec<_>>()
            };
            let title = format!("not for {rule}");
            let toml = self.written(&title, &Deed::Leave, &split(true), &split(false));
            let subject = Subject::Wrong { rule: rule.to_owned(), of: ops.len() };
            out.push(Suggestion { subject, toml, cases });
        }
        out
    }

    /// The rule that does this with all of these and none of those.
    fn written(
        &self,
        title: &str,
        deed: &Deed,
        like: &[Tried],
        unlike: &[Tried],
    ) -> Option<String> {
        let examples = |of: &[Tried]| of.iter().map(|t| t.example.clone()).collect::<Vec<_>>();
        let clauses = guess(&examples(like), &examples(unlike))?;
        toml::rule(&self.free_name(title), &clauses, deed, like, unlike)
    }

    /// A name that no rule has.
    fn free_name(&self, title: &str) -> String {
        let title: String = title.chars().filter(|c| !c.is_control()).collect();
        let rules = || self.setup.roots.iter().flat_map(|r| &r.rules.rules);
        let taken = |name: &str| rules().any(|r| &*r.name == name);
        let numbered = (2..1_000).map(|n| format!("{title} {n}"));
        let mut names = std::iter::once(title.clone()).chain(numbered);
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    /// Files that such a rule could have taken, and that the person left or moved elsewhere.
    fn not_moved(&self, root: &Arc<RootPolicy>, to: &Path, group: &[&Moved]) -> Vec<Tried> {
        let last = group.iter().map(|m| m.time).max().unwrap_or(UnixNanos(0));
        let own: HashSet<OpId> = group.iter().filter_map(|m| Some(m.filed.as_ref()?.id)).collect();
        let mut dirs: Vec<&Path> = group.iter().filter_map(|m| m.from.parent()).collect();
        dirs.sort_unstable();
        dirs.dedup();
        let mut out = Vec::new();
        for dir in dirs.into_iter().take(FOLDERS).filter(|dir| *dir != to) {
            let page = self.filing.catalog().page(dir).ok().flatten().unwrap_or_default();
            // What came later had no time yet to be moved.
            let lay = |e: &&Entry| e.id.birth.unwrap_or(e.id.mtime) <= last;
            let asked = |e: &&Entry| root.ignore.reason(&below(root, &dir.join(&e.name))).is_none();
            let beside = page.iter().filter(lay).filter(asked).take(BESIDE);
            out.extend(beside.filter_map(|e| self.tried_entry(root, &dir.join(&e.name), e)));
        }
        let filed = self.done.iter().filter(|(op, back)| back.is_none() && !own.contains(&op.id));
        let here = filed.filter(|(op, _)| op.time <= last && is_in(root, op));
        out.extend(here.take(BESIDE).filter_map(|(op, _)| self.tried_op(op)));
        let elsewhere = self.moved.iter().filter(|m| m.to.parent() != Some(to));
        let elsewhere = elsewhere.filter(|m| *m.root.path == *root.path);
        out.extend(elsewhere.take(BESIDE).filter_map(|m| self.tried(m)));
        out
    }

    /// A moved file as it is now; where it has gone since, as it was known.
    fn tried(&self, m: &Moved) -> Option<Tried> {
        let mut tried = tried_path(&below(&m.root, &m.from))?;
        tried.example.category = m.what.category.clone();
        let place = Place::new(m.to.parent()?.into(), m.to.file_name()?.into())?;
        if let Ok(mut file) = inspect::open(&place, m.what.id) {
            let name = m.from.file_name()?;
            if let Fact::Known(kind, _) =
                inspect::kind(&mut file, name, m.what.id.size, &self.setup.kinds)
            {
                tried.example.category = Some(kind.category);
            }
            if let Fact::Known(origin, _) = inspect::origin(&file) {
                let url = [&origin.url, &origin.referrer].into_iter().flatten().next();
                tried.example.host = url.and_then(|u| name::host(u)).map(str::to_lowercase);
            }
        }
        Some(self.completed(tried))
    }

    fn tried_entry(&self, root: &RootPolicy, path: &Path, entry: &Entry) -> Option<Tried> {
        let mut tried = tried_path(&below(root, path))?;
        tried.example.category = entry.category.clone();
        Some(self.completed(tried))
    }

    fn tried_op(&self, op: &Operation) -> Option<Tried> {
        let path = op.step.src.as_ref()?.path();
        let root = self.setup.root_of(&path)?;
        let mut tried = tried_path(&below(root, &path))?;
        let at = op.step.dst.as_ref().map(Place::path);
        let entry = at.and_then(|at| self.filing.catalog().entry(&at).ok().flatten());
        tried.example.category = entry.and_then(|e| e.category);
        Some(self.completed(tried))
    }

    /// With the category that the name tells, where nobody looked.
    fn completed(&self, mut tried: Tried) -> Tried {
        let example = &mut tried.example;
        if example.category.is_none()
            && let Fact::Known(kind, _) =
                inspect::from_name(example.name.as_ref(), None, &self.setup.kinds)
        {
            example.category = Some(kind.category);
        }
        example.category = toml::built_in(example.category.take());
        tried
    }
}

/// Moves of one file joined into one, and those that ended where they began left out.
fn followed(moves: Vec<Move>) -> Vec<Move> {
    let mut out: Vec<Option<Move>> = Vec::with_capacity(moves.len());
    let mut at: HashMap<PathBuf, usize> = HashMap::new();
    for m in moves {
        let before = at
            .remove(&m.from)
            .filter(|i| out[*i].as_ref().is_some_and(|was| was.id.same_object(&m.id)));
        let joined = match before.and_then(|i| out[i].take()) {
            Some(was) => Move {
                from: was.from,
                filed: was.filed,
                category: was.category.or(m.category),
                ..m
            },
            None => m,
        };
        if joined.from.parent() != joined.to.parent() {
            at.insert(joined.to.clone(), out.len());
            out.push(Some(joined));
        }
    }
    out.into_iter().flatten().collect()
}

/// Where the file lay when rules could have taken it; `None` where they never could.
fn arrived(filing: &Filing, setup: &Setup, m: Move) -> Option<Moved> {
    // The journal knows who put it there, though the catalog may have met it first as a stranger.
    let filed = match m.filed {
        Some(op) => filing.journal().operation(op).ok().flatten(),
        None => filing.journal().last_touching(&m.from).ok().flatten().filter(|op| brought(op, &m)),
    };
    let from = match &filed {
        Some(op) => op.step.src.as_ref()?.path(),
        None => m.from.clone(),
    };
    let root = setup.root_of(&from)?.clone();
    if setup.in_destination(&root, &from) || !is_still_there(&m) {
        return None;
    }
    Some(Moved { root, from, to: m.to.clone(), time: m.time, what: m, filed })
}

/// Whether the operation put the file where it was taken from.
fn brought(op: &Operation, m: &Move) -> bool {
    let here = op.step.dst.as_ref().is_some_and(|dst| dst.path() == m.from);
    here && !op.step.undo && op.landed.is_some_and(|id| id.same_object(&m.id))
}

/// Whether the file is where it was moved to: what a person took away again says nothing.
fn is_still_there(m: &Move) -> bool {
    let place = m.to.parent().zip(m.to.file_name());
    let place = place.and_then(|(dir, name)| Place::new(dir.into(), name.into()));
    place.is_some_and(|place| {
        let Ok((dir, name)) = crate::beneath::open_parent(&place) else { return false };
        crate::beneath::stat_at(dir.as_fd(), name).is_ok_and(|s| s.id.same_object(&m.id))
    })
}

/// When the operation was undone, unless that was taken back.
fn put_back(filing: &Filing, op: OpId) -> Option<UnixNanos> {
    let journal = filing.journal();
    let undo = journal.inverted_by(op).ok().flatten()?;
    let redone = journal.inverted_by(undo).ok().flatten().is_some();
    if redone {
        return None;
    }
    journal.operation(undo).ok().flatten().map(|o| o.time)
}

fn is_in(root: &RootPolicy, op: &Operation) -> bool {
    op.step.src.as_ref().is_some_and(|src| src.path().starts_with(&root.path))
}

fn below(root: &RootPolicy, path: &Path) -> PathBuf {
    path.strip_prefix(&root.path).unwrap_or(path).to_owned()
}

/// `None` for a path that a configuration cannot have.
fn tried_path(rel: &Path) -> Option<Tried> {
    let path = rel.to_str().filter(|p| !p.is_empty() && !p.chars().any(char::is_control))?;
    let name = rel.file_name()?.to_str()?;
    Some(Tried { path: path.to_owned(), example: Example::of_name(name) })
}

/// The folder as a destination of a rule for this root: relative, below `~/` or absolute, with `/` at its end.
fn spelled(root: &RootPolicy, dir: &Path) -> Option<String> {
    let text = |path: &Path| {
        let text = path.to_str().filter(|t| !t.chars().any(char::is_control))?;
        Some(format!("{text}/"))
    };
    if let Ok(rel) = dir.strip_prefix(&root.path) {
        return text(rel);
    }
    let home = root.given.strip_prefix("~").ok().and_then(|rest| {
        let up = rest.components().count();
        root.path.ends_with(rest).then(|| root.path.ancestors().nth(up)).flatten()
    });
    match home.and_then(|home| dir.strip_prefix(home).ok()) {
        Some(rel) => text(rel).map(|rel| format!("~/{rel}")),
        None => text(dir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidy_core::facts::Identity;

    fn moved(ino: u64, from: &str, to: &str) -> Move {
        let birth = Some(UnixNanos(ino as i64));
        let id = Identity { ino, size: 1, mtime: UnixNanos(1), birth };
        let time = UnixNanos(1);
        Move {
            time,
            from: from.into(),
            to: to.into(),
            id,
            category: None,
            filed: None,
            undecided: false,
        }
    }

    #[test]
    fn a_file_is_followed_to_where_it_is() {
        let ways = |moves: &[Move]| -> Vec<_> {
            let way = |m: Move| (m.from.display().to_string(), m.to.display().to_string());
            followed(moves.to_vec()).into_iter().map(way).collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let on = [moved(1, "/a/x", "/b/x"), moved(1, "/b/x", "/c/x")];
        assert_eq!(ways(&on), [pair("/a/x", "/c/x")]);
        let back = [moved(1, "/a/x", "/b/x"), moved(1, "/b/x", "/a/x")];
        assert_eq!(ways(&back), []);
        // Another file of that name.
        let two = [moved(1, "/a/x", "/b/x"), moved(2, "/b/x", "/c/x")];
        assert_eq!(ways(&two), [pair("/a/x", "/b/x"), pair("/b/x", "/c/x")]);
    }
}
