//! The same message again and again: the first few are written, then how many more there were.
//!
//! Messages are the same when they come from the same place in the program and read the same; their fields may differ (a
//! thousand folders that cannot be read are one message). Only what is told at INFO and above is folded: whoever asks for
//! more wants to see all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use tracing::Level;
use tracing::callsite::Identifier;

/// How long a stretch is in which they are counted, from the first on.
const STRETCH: Duration = Duration::from_secs(10);

/// Written of each in a stretch.
const WRITTEN: u64 = 50;

/// Messages that are counted at a time. More than these at once are all written.
const COUNTED: usize = 1_024;

/// What makes messages the same: the place in the program, and a hash of the text.
pub(super) type Key = (Option<Identifier>, u64);

/// How often each came in its stretch.
#[derive(Debug)]
struct Seen {
    until: Instant,
    times: u64,
    level: Level,
    text: String,
}

/// So many more like it, of which nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) more: u64,
}

/// What was written of late.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Key, Seen>);

impl Repeats {
    /// Whether a message is to be written. Those whose stretch is over are to be told first ([`Self::ended`]).
    pub(super) fn admits(&mut self, level: Level, key: Key, text: &str, now: Instant) -> bool {
        if level > Level::INFO {
            return true;
        }
        let room = self.0.len() < COUNTED;
        match self.0.entry(key) {
            Entry::Occupied(mut seen) => {
                seen.get_mut().times += 1;
                seen.get().times <= WRITTEN
            }
            Entry::Vacant(place) => {
                if room {
                    let text = text.to_owned();
                    place.insert(Seen { until: now + STRETCH, times: 1, level, text });
                }
                true
            }
        }
    }

    /// What was folded in stretches that are over by now.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<Folded> {
        self.take(|seen| seen.until <= now)
    }

    /// What has been folded so far.
    pub(super) fn all(&mut self) -> Vec<Folded> {
        self.take(|_| true)
    }

    fn take(&mut self, is_over: impl Fn(&Seen) -> bool) -> Vec<Folded> {
        let over = self.0.extract_if(|_, seen| is_over(seen)).map(|(_, seen)| seen);
        let folded = over.filter(|seen| seen.times > WRITTEN).map(|seen| Folded {
            level: seen.level,
            text: seen.text,
            more: seen.times - WRITTEN,
        });
        folded.collect()
    }

    /// When there is something to tell, if nothing more comes.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.values().filter(|seen| seen.times > WRITTEN).map(|seen| seen.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: u64) -> Key {
        (None, text)
    }

    #[test]
    fn the_first_are_written_and_the_others_counted() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let mut written = 0;
        for n in 0..312 + WRITTEN {
            let now = start + Duration::from_millis(n);
            written += u64::from(repeats.admits(Level::WARN, key(1), "cannot", now));
            assert!(repeats.admits(Level::DEBUG, key(2), "detail", now), "asked for");
        }
        assert_eq!(written, WRITTEN);
        assert!(repeats.admits(Level::WARN, key(3), "another", start), "others are not held back");
        assert_eq!(repeats.next_end(), Some(start + STRETCH));
        assert!(repeats.ended(start + STRETCH / 2).is_empty());
        let want = Folded { level: Level::WARN, text: "cannot".into(), more: 312 };
        assert_eq!(repeats.ended(start + STRETCH), [want]);
        assert_eq!(repeats.next_end(), None);
        // A new stretch.
        assert!(repeats.admits(Level::WARN, key(1), "cannot", start + STRETCH));
        assert!(repeats.all().is_empty(), "nothing was folded in it");
    }

    #[test]
    fn very_many_different_messages_do_not_grow_it() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for n in 0..10_000 {
            assert!(repeats.admits(Level::INFO, key(n), "filed", now));
        }
        assert_eq!(repeats.0.len(), COUNTED);
        assert!(repeats.ended(now + STRETCH).is_empty());
        assert!(repeats.0.is_empty());
    }
}
