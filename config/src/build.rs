//! From rules of the configuration to [`RuleSet`]s.

use std::path::Path;

use jiff::tz::TimeZone;
use tidy_core::category::Category;
use tidy_core::requirement::{Mounted, Requirement};
use tidy_core::rules::{Action, Rule, RuleSet};
use tidy_core::template::Template;

use crate::model::{ActionConfig, Config, Destination, RuleConfig};
use crate::need::{MountedConfig, NeedConfig};
use crate::read::DEFAULT;

/// Rules and defaults with their templates.
pub(crate) struct Built {
    rules: Vec<Rule>,
    default: Vec<(Category, Template)>,
}

/// What of a rule depends on the machine. `None` when it could not be made; the reason is reported.
pub(crate) trait Places {
    fn template(&mut self, of: &Destination) -> Option<Template>;
    /// Where a disk has to be mounted for a destination.
    fn mounted(&mut self, of: &MountedConfig, to: Option<&Template>) -> Option<Mounted>;
}

/// Compiles every rule and default. `None` when one of them could not be made.
pub(crate) fn build(config: &Config, places: &mut impl Places) -> Option<Built> {
    // Every one is tried, so that every error is found.
    let rules: Vec<_> = config.rules.iter().map(|r| rule(r, places)).collect();
    let default: Vec<_> =
        config.default.iter().map(|(c, d)| Some((c.clone(), places.template(d)?))).collect();
    Some(Built {
        rules: rules.into_iter().collect::<Option<_>>()?,
        default: default.into_iter().collect::<Option<_>>()?,
    })
}

fn rule(config: &RuleConfig, places: &mut impl Places) -> Option<Rule> {
    let mut template = |to| places.template(to);
    let action = match &config.action {
        ActionConfig::Move(to) => Action::Move(template(to)?),
        ActionConfig::Copy(to) => Action::Copy(template(to)?),
        ActionConfig::Reflink(to) => Action::Reflink(template(to)?),
        ActionConfig::HardLink(to) => Action::HardLink(template(to)?),
        ActionConfig::Symlink(to) => Action::Symlink(template(to)?),
        ActionConfig::Rename(to) => Action::Rename(to.clone()),
        ActionConfig::Trash => Action::Trash,
        ActionConfig::Leave => Action::Leave,
        ActionConfig::Stay => Action::Stay,
    };
    let requirement = match &config.need {
        Some(need) => Some(requirement(need, action.template(), places)?),
        None => None,
    };
    Some(Rule {
        name: config.name.as_str().into(),
        when: config.when.clone(),
        action,
        conflict: config.conflict,
        companions: config.companions.clone(),
        requirement,
        tags: config.tags.clone(),
        run: config.run.clone(),
        notice: config.notice.clone(),
        go_on: config.go_on,
    })
}

fn requirement(
    need: &NeedConfig,
    to: Option<&Template>,
    places: &mut impl Places,
) -> Option<Requirement> {
    let mounted = match &need.mounted {
        Some(mounted) => Some(places.mounted(mounted, to)?),
        None => None,
    };
    Some(Requirement { free: need.free, mounted })
}

/// The rules without looking at the disk: `~` and `/` stand for themselves.
pub(crate) fn unresolved(config: &Config, tz: &TimeZone) -> Option<Built> {
    build(config, &mut Unresolved(tz))
}

struct Unresolved<'t>(&'t TimeZone);

impl Places for Unresolved<'_> {
    fn template(&mut self, of: &Destination) -> Option<Template> {
        of.unresolved(self.0).ok()
    }

    fn mounted(&mut self, of: &MountedConfig, _: Option<&Template>) -> Option<Mounted> {
        Some(match of {
            MountedConfig::Apart => Mounted::Apart(Path::new("~").into()),
            MountedConfig::At { folder, .. } => Mounted::At(folder.value.as_path().into()),
        })
    }
}

impl Built {
    /// The rules that apply at a root; `only` may name [`DEFAULT`] for the defaults.
    pub(crate) fn for_root(&self, config: &Config, only: Option<&[String]>) -> RuleSet {
        let applies = |name: &str| only.is_none_or(|list| list.iter().any(|n| n == name));
        let mut print = Fingerprint::new();
        for rule in config.rules.iter().filter(|r| applies(&r.name)) {
            for (key, value) in &rule.canonical {
                print.add(key);
                print.add(value);
            }
            print.add("");
        }
        let default = if applies(DEFAULT) { self.default.clone() } else { Vec::new() };
        for (category, template) in &default {
            print.add(category.as_str());
            print.add(template.text());
        }
        for category in &config.categories {
            print.add(category.category.as_str());
            let words = category.mime.iter().chain(&category.ext).chain(&category.name);
            words.for_each(|word| print.add(word));
        }
        let rules = self.rules.iter().filter(|r| applies(&r.name)).cloned().collect();
        RuleSet { rules, default, fingerprint: print.0 }
    }
}

/// FNV-1a, 64 bits (RFC 9923), over words. It is stored, so it must never change between builds;
/// nobody gains anything by a collision.
struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// One word; its end is marked, so that moving a boundary changes the result.
    fn add(&mut self, word: &str) {
        for byte in word.bytes().chain([0xFF]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
