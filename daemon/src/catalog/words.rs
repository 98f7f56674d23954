//! Names of categories and rules as small numbers, so that a page of 64 entries does not repeat them.

use std::collections::HashMap;
use std::sync::Arc;

use tidy_core::category::Category;
use tidy_core::rules::RuleName;

use super::codec::WordId;

/// Every name that a page may refer to. Numbers start at 1, follow each other and are never reused;
/// there are as many as a person has ever written categories and rules.
#[derive(Debug, Default)]
pub(super) struct Words {
    by_id: Vec<Option<Word>>,
    by_text: HashMap<Arc<str>, WordId>,
}

#[derive(Debug)]
struct Word {
    text: Arc<str>,
    category: Category,
}

impl Words {
    /// The number of a name, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<WordId> {
        self.by_text.get(text).copied()
    }

    /// The number the next new name gets.
    pub(super) fn next_id(&self) -> Option<WordId> {
        WordId::try_from(self.by_id.len()).ok()?.checked_add(1)
    }

    /// Takes a name in under its number. `false`: the number is none that we would give.
    pub(super) fn insert(&mut self, id: WordId, text: &str) -> bool {
        let Some(index) = (id as usize).checked_sub(1) else { return false };
        if index > self.by_id.len().saturating_add(1 << 20) {
            return false;
        }
        if index >= self.by_id.len() {
            self.by_id.resize_with(index + 1, || None);
        }
        let text: Arc<str> = text.into();
        self.by_id[index] = Some(Word { text: text.clone(), category: Category::new(&text) });
        self.by_text.insert(text, id);
        true
    }

    /// The category behind a number.
    pub(super) fn category(&self, id: WordId) -> Option<&Category> {
        self.get(id).map(|w| &w.category)
    }

    /// The numbers of every name that, as a category, is this one or a part of it.
    pub(super) fn categories_that_are(&self, wanted: &Category) -> Vec<WordId> {
        let numbered = (1..).zip(&self.by_id);
        numbered
            .filter(|(_, word)| word.as_ref().is_some_and(|w| w.category.is(wanted)))
            .map(|(id, _)| id)
            .collect()
    }

    /// The rule behind a number.
    pub(super) fn rule(&self, id: WordId) -> Option<&RuleName> {
        self.get(id).map(|w| &w.text)
    }

    /// Whether the number is none, or has a name.
    pub(super) fn knows(&self, id: WordId) -> bool {
        id == 0 || self.get(id).is_some()
    }

    fn get(&self, id: WordId) -> Option<&Word> {
        self.by_id.get((id as usize).checked_sub(1)?)?.as_ref()
    }
}
