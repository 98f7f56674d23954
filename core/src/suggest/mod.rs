//! What a person does with files by hand, as a rule that would have done it.
//!
//! In: files that were treated alike, and files that were not. Out: the most general condition that holds for all of the
//! first and for none of the second, or nothing. May not know: where the files are, what is done with them, TOML.
//!
//! Two things keep a guess from taking more than a person meant. A file of which something is not known counts as one the
//! condition holds for. And to be general has to be earned: as long as hardly any other file is known, what the files have in
//! their *names* goes before what they merely are, since three PDFs that happen to be invoices say nothing about PDFs.

mod words;

use std::cmp::Reverse;

use crate::category::Category;

pub use words::words;

/// How often something must have been done before anything is said about it.
pub const SEVERAL: usize = 3;

/// Other files that must be known before a condition may do without the name.
const EARNED: usize = 3;

/// Different extensions that are named one by one.
const EXTENSIONS: usize = 4;

/// Words of the name that are tried one by one.
const WORDS: usize = 8;

/// One file, as far as conditions are about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub name: String,
    /// Lower case, without a dot; empty: none.
    pub extension: String,
    /// `None`: not known.
    pub category: Option<Category>,
    /// The host it was downloaded from; `None`: none, or not known.
    pub host: Option<String>,
}

impl Example {
    /// What a name alone tells.
    pub fn of_name(name: &str) -> Self {
        let extension = crate::name::extension(name.as_ref()).unwrap_or_default();
        Self { name: name.to_owned(), extension, category: None, host: None }
    }
}

/// One thing that all the files have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// This category, or a part of it.
    Kind(Category),
    /// One of these extensions, sorted.
    Extension(Vec<String>),
    /// This host.
    Origin(String),
    /// These words stand in the name in this order; lower case.
    Name(Vec<String>),
}

impl Clause {
    /// Whether it holds for the file; where that is not known, it counts as holding.
    pub fn holds(&self, file: &Example) -> bool {
        match self {
            Self::Kind(category) => file.category.as_ref().is_none_or(|c| c.is(category)),
            Self::Extension(list) => list.contains(&file.extension),
            Self::Origin(host) => file.host.as_ref().is_none_or(|h| h == host),
            Self::Name(list) => words::stand_in(list, &file.name),
        }
    }

    /// The same, where what is not known counts as not holding.
    fn surely_holds(&self, file: &Example) -> bool {
        match self {
            Self::Kind(_) => file.category.is_some() && self.holds(file),
            Self::Origin(_) => file.host.is_some() && self.holds(file),
            Self::Extension(_) | Self::Name(_) => self.holds(file),
        }
    }
}

/// The condition for `like` and against `unlike`: every clause has to hold. `None` where there is none, or too few files.
///
/// Does not depend on the order of either.
pub fn guess(like: &[Example], unlike: &[Example]) -> Option<Vec<Clause>> {
    if like.len() < SEVERAL {
        return None;
    }
    let kind = common_category(like).map(Clause::Kind);
    let extension = common_extensions(like).map(Clause::Extension);
    let origin = like[0].host.clone().map(Clause::Origin);
    let mut names: Vec<Clause> = common_words(like);
    // The longest word says most.
    names.sort_by_key(|clause| match clause {
        Clause::Name(list) => (Reverse(list.iter().map(|w| w.len()).sum::<usize>()), list.clone()),
        _ => (Reverse(0), Vec::new()),
    });
    let all_words =
        names.iter().find(|c| matches!(c, Clause::Name(list) if list.len() > 1)).cloned();
    names.retain(|c| matches!(c, Clause::Name(list) if list.len() == 1));
    let general = [kind, extension, origin].into_iter().flatten();
    let general: Vec<Clause> = general.filter(|c| like.iter().all(|f| c.surely_holds(f))).collect();
    let singles: Vec<Clause> = if unlike.len() >= EARNED {
        general.iter().chain(&names).cloned().collect()
    } else {
        // From what says most to what says least.
        names.iter().cloned().chain(general.iter().rev().cloned()).collect()
    };
    let mut tried: Vec<Vec<Clause>> = singles.iter().map(|c| vec![c.clone()]).collect();
    for (i, a) in general.iter().enumerate() {
        tried.extend(general[i + 1..].iter().map(|b| vec![a.clone(), b.clone()]));
        tried.extend(names.iter().map(|b| vec![a.clone(), b.clone()]));
    }
    if let Some(all_words) = all_words {
        tried.push(vec![all_words.clone()]);
        tried.extend(general.iter().map(|a| vec![a.clone(), all_words.clone()]));
        tried.push(general.iter().cloned().chain([all_words]).collect());
    }
    let fits = |clauses: &Vec<Clause>| {
        !clauses.is_empty()
            && like.iter().all(|f| clauses.iter().all(|c| c.surely_holds(f)))
            && !unlike.iter().any(|f| clauses.iter().all(|c| c.holds(f)))
    };
    tried.into_iter().find(fits)
}

/// The nearest category that all of them belong to.
fn common_category(like: &[Example]) -> Option<Category> {
    let first = like[0].category.clone()?;
    let mut at = Some(first);
    while let Some(category) = at {
        let all = like.iter().all(|f| f.category.as_ref().is_some_and(|c| c.is(&category)));
        if all && category != Category::unknown() {
            return Some(category);
        }
        at = category.parent();
    }
    None
}

fn common_extensions(like: &[Example]) -> Option<Vec<String>> {
    let mut list: Vec<String> = like.iter().map(|f| f.extension.clone()).collect();
    list.sort();
    list.dedup();
    let few = list.len() <= EXTENSIONS && list.len() * 2 <= like.len() + 1;
    (few && !list.iter().any(String::is_empty)).then_some(list)
}

/// Every word that all names have, and all of these together where they stand in one order everywhere.
fn common_words(like: &[Example]) -> Vec<Clause> {
    // The order of the examples must not matter: the smallest name lends its words.
    let Some(first) = like.iter().map(|f| &f.name).min() else { return Vec::new() };
    let mut common: Vec<String> = Vec::new();
    for word in words(first) {
        let alone = [word.clone()];
        if !common.contains(&word) && like.iter().all(|f| words::stand_in(&alone, &f.name)) {
            common.push(word);
        }
        if common.len() == WORDS {
            break;
        }
    }
    let mut out: Vec<Clause> = common.iter().map(|w| Clause::Name(vec![w.clone()])).collect();
    if common.len() > 1 && like.iter().all(|f| words::stand_in(&common, &f.name)) {
        out.push(Clause::Name(common));
    }
    out
}

#[cfg(test)]
mod tests;
