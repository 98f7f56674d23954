//! From facts and rules to a decision with its reasons.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::UnixNanos;
use crate::category::Category;
use crate::companions::Companions;
use crate::facts::{Attributes, Captures, Fact, Facts, Kind, Source};
use crate::parts::{self, Told};
use crate::requirement::Requirement;
use crate::tags::{self, Tags};
use crate::template::Template;

use super::condition::Findings;
use super::considered::{About, Considered};
use super::{Action, Need, RuleName, RuleSet, Truth};
use crate::policy::Conflict;

/// One test that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// As the configuration has it.
    pub test: String,
    pub truth: Truth,
    /// The value found in the file.
    pub seen: String,
}

/// One rule that was looked at, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    pub rule: RuleName,
    pub matched: Truth,
    pub checked: Vec<Checked>,
}

/// Why a file stays where it is. Stored with the file; the number is part of the catalog's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LeaveReason {
    /// No rule matched and its category has no default destination.
    NoRule = 1,
    /// A rule with `leave = true` matched.
    Rule = 2,
    /// The name says that it is unfinished or belongs to a program.
    Unfinished = 3,
    /// The configuration's `ignore` names it.
    Ignored = 4,
    /// A symlink, FIFO, socket or device.
    NotRegular = 5,
    /// It has other names (hard links); moving one would surprise the owner of the others.
    HardLinked = 6,
    /// It lies in a project, package or other directory that is one thing.
    InUnit = 7,
    /// It lies where rules file things.
    InDestination = 8,
    /// It is where its rule would put it.
    InPlace = 9,
    /// It was rolled back; filing it again would undo that.
    RolledBack = 10,
    /// The destination name is taken and the policy keeps what is there.
    Conflict = 11,
    /// A fact that a rule asked for could not be read.
    Unreadable = 12,
    /// Something went wrong while filing it; the journal has the error.
    Failed = 13,
    /// The destination cannot be used (outside the roots through a symlink or `..`, not a directory).
    BadDestination = 14,
    /// Only an area whose files count as known copies, not a root.
    NotARoot = 15,
    /// A hidden file.
    Hidden = 16,
    /// Somebody still has it open for writing, or it keeps changing.
    StillWritten = 17,
    /// It was moved again and again within a minute: rules that send it to each other, or a program
    /// that keeps touching it.
    Restless = 18,
    /// It belongs to another file, which stays.
    Companion = 19,
    /// The same bytes are at its destination, and copies are only reported.
    Identical = 20,
    /// It was to get tags, and its file system has none.
    NoTags = 21,
    /// A person has put it there.
    PlacedByHand = 22,
    /// Its destination lacks what its rule needs there: a disk that is mounted, free space.
    DestinationNotReady = 23,
}

impl LeaveReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::NoRule,
        Self::Rule,
        Self::Unfinished,
        Self::Ignored,
        Self::NotRegular,
        Self::HardLinked,
        Self::InUnit,
        Self::InDestination,
        Self::InPlace,
        Self::RolledBack,
        Self::Conflict,
        Self::Unreadable,
        Self::Failed,
        Self::BadDestination,
        Self::NotARoot,
        Self::Hidden,
        Self::StillWritten,
        Self::Restless,
        Self::Companion,
        Self::Identical,
        Self::NoTags,
        Self::PlacedByHand,
        Self::DestinationNotReady,
    ];

    /// From its stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| *r as u8 == code)
    }

    /// One sentence for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoRule => "no rule matches it, and its category has no default folder",
            Self::Rule => "a rule says to leave it",
            Self::Unfinished => "its name says that it is unfinished or belongs to a program",
            Self::Ignored => "the configuration says to ignore it",
            Self::NotRegular => "it is not a regular file",
            Self::HardLinked => "it has other names (hard links)",
            Self::InUnit => "it is part of a project or another folder that belongs together",
            Self::InDestination => "it is in a folder that rules file things into",
            Self::InPlace => "it already is where its rule would put it",
            Self::RolledBack => {
                "it was put back by a rollback; it is filed again when it changes or when asked"
            }
            Self::Conflict => "another file has the name at the destination",
            Self::Unreadable => "something a rule asks about could not be read",
            Self::Failed => "filing it failed",
            Self::BadDestination => "its destination cannot be used",
            Self::NotARoot => "its folder is only looked at for copies, not organized",
            Self::Hidden => "it is hidden",
            Self::StillWritten => "it is still being written",
            Self::Restless => {
                "it was moved too often in a minute; it is filed again only when asked"
            }
            Self::Companion => "it belongs to another file, and stays with it",
            Self::Identical => "a file with the same bytes is at its destination already",
            Self::NoTags => "it cannot have tags",
            Self::PlacedByHand => {
                "it was put there by hand; it is filed when it changes or when asked"
            }
            Self::DestinationNotReady => "its destination lacks what its rule needs there",
        }
    }

    /// The word used in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::Rule => "rule",
            Self::Unfinished => "unfinished",
            Self::Ignored => "ignored",
            Self::NotRegular => "not-regular",
            Self::HardLinked => "hard-linked",
            Self::InUnit => "in-unit",
            Self::InDestination => "in-destination",
            Self::InPlace => "in-place",
            Self::RolledBack => "rolled-back",
            Self::Conflict => "conflict",
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
            Self::BadDestination => "bad-destination",
            Self::NotARoot => "not-a-root",
            Self::Hidden => "hidden",
            Self::StillWritten => "still-written",
            Self::Restless => "restless",
            Self::Companion => "companion",
            Self::Identical => "identical",
            Self::NoTags => "no-tags",
            Self::PlacedByHand => "placed-by-hand",
            Self::DestinationNotReady => "destination-not-ready",
        }
    }
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What one rule does with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub rule: RuleName,
    pub action: Action,
    /// What it is marked with.
    pub tags: Option<Tags>,
    /// Overrides the root's policy.
    pub conflict: Option<Conflict>,
    /// What the rule's expressions captured, for its template.
    pub captures: Captures,
    /// Which files travel along; `None`: as the root says.
    pub companions: Option<Companions>,
    /// What must hold of the destination.
    pub requirement: Option<Requirement>,
}

/// What is to be done with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Carry these out in order; each starts from where the one before left the file.
    Act(Vec<Act>),
    /// Leave it; `rule` when a rule said so.
    Leave(LeaveReason, Option<RuleName>),
}

/// The verdict with everything needed to explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub trace: Vec<RuleTrace>,
    /// When a look at the clock alone may change the verdict (an age rule flips).
    pub revisit_at: Option<UnixNanos>,
}

impl Decision {
    /// A decision that needed no rule.
    pub fn leave(reason: LeaveReason) -> Self {
        Self { verdict: Verdict::Leave(reason, None), trace: Vec::new(), revisit_at: None }
    }

    /// The reason for what one rule does, in one line, as the journal keeps it.
    pub fn why(&self, rule: &RuleName) -> String {
        let matched = |t: &&RuleTrace| t.matched == Truth::True && t.rule == *rule;
        let Some(rule) = self.trace.iter().find(matched) else {
            return match &self.verdict {
                Verdict::Leave(reason, _) => reason.text().to_owned(),
                Verdict::Act(_) => "asked for".to_owned(),
            };
        };
        let seen: Vec<String> = rule
            .checked
            .iter()
            .filter(|c| c.truth == Truth::True)
            .map(|c| format!("{} ({})", c.test, c.seen))
            .collect();
        if seen.is_empty() { "matches every file".to_owned() } else { seen.join(", ") }
    }
}

impl Decision {
    /// What is to be kept of it with an operation by one of its rules, for a file as it is before that.
    pub fn considered(&self, rule: &RuleName, facts: &Facts) -> Option<Arc<Considered>> {
        let about = About { name: facts.file_name(), size: facts.stat.id.size };
        Considered::of(self, rule, about).map(Arc::new)
    }
}

/// The decision, or what must be read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Decided(Decision),
    /// Fill in this fact (known, absent or unreadable) and ask again.
    Needs(Need),
}

/// The name under which `[default]` destinations appear in the journal.
pub(super) fn default_rule_name(category: &Category) -> RuleName {
    format!("default {category}").into()
}

/// Decides about one file.
///
/// Calling it again with the fact it asked for always gets further: each need is asked for at most
/// once, as long as the caller replaces [`Fact::Unread`].
pub fn decide(set: &RuleSet, facts: &Facts, now: UnixNanos) -> Outcome {
    let mut facts = std::borrow::Cow::Borrowed(facts);
    let mut trace = Vec::with_capacity(set.rules.len());
    let mut acts: Vec<Act> = Vec::new();
    let mut revisit_at: Option<UnixNanos> = None;
    let mut unknown = false;
    let mut stays = false;

    let is_unit = facts.unit.is_some();
    for rule in set.rules.iter().filter(|r| !is_unit || r.when.asks_for_units()) {
        let mut found = Findings::default();
        let matched = rule.when.evaluate(&facts, now, &mut found);
        if let Truth::Needs(need) = matched {
            return Outcome::Needs(need);
        }
        if let Some(at) = found.flips_at {
            revisit_at = Some(revisit_at.map_or(at, |r| r.min(at)));
        }
        trace.push(RuleTrace { rule: rule.name.clone(), matched, checked: found.checked });
        unknown |= matched == Truth::Unknown;
        if matched != Truth::True {
            continue;
        }
        match &rule.action {
            Action::Leave if acts.is_empty() => {
                let verdict = Verdict::Leave(LeaveReason::Rule, Some(rule.name.clone()));
                return Outcome::Decided(Decision { verdict, trace, revisit_at });
            }
            Action::Leave => {
                stays = true;
                break;
            }
            action => {
                let tags = rule.tags.iter().flat_map(Tags::needs);
                if let Some(need) = action_needs(action, &facts).or(first_unread(tags, &facts)) {
                    return Outcome::Needs(need);
                }
                let captures = rule.when.captures(&facts);
                acts.push(Act {
                    rule: rule.name.clone(),
                    action: action.clone(),
                    tags: rule.tags.clone(),
                    conflict: rule.conflict,
                    captures: captures.clone(),
                    companions: rule.companions.clone(),
                    requirement: rule.requirement.clone(),
                });
                if !rule.go_on || matches!(action, Action::Trash) {
                    return Outcome::Decided(Decision {
                        verdict: Verdict::Act(acts),
                        trace,
                        revisit_at,
                    });
                }
                facts.to_mut().captures = captures;
                if let Some(tags) = &rule.tags {
                    add_tags(tags, facts.to_mut());
                }
                if let Some(path) = virtual_path(action, &facts) {
                    facts.to_mut().path = path;
                }
            }
        }
    }

    // A rule that only gave it another name, or copied it, has not said where it belongs.
    let is_placed = stays || acts.iter().any(|act| matches!(act.action, Action::Move(_)));
    if !is_placed && !is_unit && !set.default.is_empty() {
        match &facts.kind {
            Fact::Unread => return Outcome::Needs(Need::Kind),
            Fact::Known(kind, source) => {
                let category = match part_for(set, &facts, kind) {
                    Ok(part) => part.unwrap_or_else(|| kind.category.clone()),
                    Err(need) => return Outcome::Needs(need),
                };
                if let Some((category, template)) = default_for(set, &category) {
                    let name = default_rule_name(category);
                    let action = Action::Move(template.clone());
                    if let Some(need) = action_needs(&action, &facts) {
                        return Outcome::Needs(need);
                    }
                    trace.push(RuleTrace {
                        rule: name.clone(),
                        matched: Truth::True,
                        checked: vec![Checked {
                            test: format!("kind = {category}"),
                            truth: Truth::True,
                            seen: format!("{}, by {}", kind.media_type, source.as_str()),
                        }],
                    });
                    acts.push(Act {
                        rule: name,
                        action,
                        tags: None,
                        conflict: None,
                        captures: Captures::new(),
                        companions: None,
                        requirement: None,
                    });
                }
            }
            Fact::Unreadable(_) => unknown = true,
            Fact::Absent => {}
        }
    }

    let verdict = if !acts.is_empty() {
        Verdict::Act(acts)
    } else if unknown {
        Verdict::Leave(LeaveReason::Unreadable, None)
    } else {
        Verdict::Leave(LeaveReason::NoRule, None)
    };
    Outcome::Decided(Decision { verdict, trace, revisit_at })
}

/// The part of its category that the file is, as far as `[default]` has a line for such parts. One
/// whose metadata cannot be read goes with the whole, which it belongs to in any case.
fn part_for(set: &RuleSet, facts: &Facts, kind: &Kind) -> Result<Option<Category>, Need> {
    let named = |part: &Category| set.default.iter().any(|(name, _)| name == part);
    let parts = parts::PARTS.iter().map(|(part, _)| Category::new(part));
    for part in parts.filter(named) {
        match parts::told(&part, kind, facts.file_name(), &facts.metadata) {
            Some(Told::Yes) => return Ok(Some(part)),
            Some(Told::Ask) => return Err(Need::Metadata),
            _ => {}
        }
    }
    Ok(None)
}

/// The destination of the category itself, or of the nearest one it is a part of.
fn default_for<'a>(set: &'a RuleSet, category: &Category) -> Option<&'a (Category, Template)> {
    let mut at = Some(category.clone());
    while let Some(c) = at {
        if let Some(hit) = set.default.iter().find(|(name, _)| *name == c) {
            return Some(hit);
        }
        at = c.parent();
    }
    None
}

/// A template may name facts that no condition asked for.
fn action_needs(action: &Action, facts: &Facts) -> Option<Need> {
    first_unread(action.template()?.needs(), facts)
}

fn first_unread(needs: impl IntoIterator<Item = Need>, facts: &Facts) -> Option<Need> {
    needs.into_iter().find(|need| match need {
        Need::Kind => facts.kind.is_unread(),
        Need::Origin => facts.origin.is_unread(),
        Need::Attributes => facts.attributes.is_unread(),
        Need::Metadata => facts.metadata.is_unread(),
        Need::Text => facts.text.is_unread(),
        Need::Duplicate => facts.duplicate_of.is_unread(),
    })
}

/// Later rules see the tags, if they ask for any.
fn add_tags(tags: &Tags, facts: &mut Facts) {
    let more = tags.of(facts);
    let all = match &facts.attributes {
        Fact::Known(all, _) => all.clone(),
        Fact::Absent => Attributes::new(),
        Fact::Unread | Fact::Unreadable(_) => return,
    };
    let before = all.get(tags::ATTRIBUTE).map(Vec::as_slice);
    let after = tags::added(before, &more).map(|value| (tags::ATTRIBUTE.to_owned(), value));
    facts.attributes = Fact::Known(all.into_iter().chain(after).collect(), Source::Xattr);
}

/// The path later rules see after `action`; unchanged for a copy or a link.
fn virtual_path(action: &Action, facts: &Facts) -> Option<PathBuf> {
    let template = action.template().filter(|_| action.relocates())?;
    // A template that fails to render here fails again in the planner, which reports it.
    let place = template.destination(facts, matches!(action, Action::Rename(_))).ok()?;
    Some(place.path())
}
