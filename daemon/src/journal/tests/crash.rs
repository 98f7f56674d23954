//! Logs cut short and logs with damage: a prefix, or all but what was hit; never anything else.

use proptest::prelude::*;
use tidy_core::operation::{OpEvent, OpState};

use super::super::record::StateChange;
use super::super::replay::{self, Reader, Visit};
use super::*;

/// Every operation that a log tells of, ended or not.
#[derive(Default)]
struct Told(BTreeMap<OpId, Operation>);

impl Visit for Told {
    fn ended(&mut self, op: Operation) {
        assert!(self.0.insert(op.id, op).is_none(), "an operation ends once");
    }
    fn unmatched(&mut self, _: StateChange) {}
}

fn told(dir: &Path) -> BTreeMap<OpId, Operation> {
    let numbers = segment::list(dir).unwrap();
    let (mut reader, mut told) = (Reader::from_start(), Told::default());
    replay::read_all(dir, &numbers, Position::default(), &mut reader, &mut told).unwrap();
    told.0.extend(reader.open);
    told.0
}

/// What to do in one plan: how many files, which of them is refused and how, what else fails.
#[derive(Debug, Clone)]
struct Doing {
    count: u64,
    refuse: Option<(u64, OpEvent)>,
    verify: bool,
    sync_fails: bool,
}

fn doing() -> impl Strategy<Value = Doing> {
    let event = prop_oneof![Just(OpEvent::Aborted), Just(OpEvent::Failed)];
    let refuse = prop::option::of((0..4u64, event));
    (1..4u64, refuse, any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(count, refuse, verify, sync_fails)| Doing { count, refuse, verify, sync_fails })
}

/// Runs plans, each on files of its own, and leaves the log as it is then.
fn history(home: &Home, plans: &[Doing]) -> Vec<FakeHands> {
    let (journal, _) = home.open();
    let mut all_hands = Vec::new();
    for (n, doing) in plans.iter().enumerate() {
        let first = n as u64 * 10;
        let (mut hands, plan) = moves(first..first + doing.count);
        hands.refuse = doing.refuse.map(|(nth, e)| (first + nth, e)).into_iter().collect();
        hands.verify = doing.verify;
        hands.sync_fails = doing.sync_fails;
        // Those that stay open are part of the story.
        let _ = journal.run_with(&hands, None, &plan, &quiet);
        all_hands.push(hands);
    }
    all_hands
}

fn small_segments() -> Home {
    let mut home = Home::new();
    home.options.segment_bytes = 2 << 10;
    home
}

/// Copies a log without what is not a segment.
fn copy(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for number in segment::list(dir).unwrap() {
        std::fs::copy(segment::path(dir, number), segment::path(copy.path(), number)).unwrap();
    }
    copy
}

/// What `op` may look like in a log that ends earlier.
fn is_earlier(op: &Operation, last: &Operation) -> bool {
    op == last || (!op.state.is_terminal() && op.step == last.step && op.batch == last.batch)
}

/// Cuts the last segment to each of some ascending lengths: the log tells of a prefix of what it told.
fn cut_and_look(dir: &Path, lens: impl FnOnce(usize) -> Vec<usize>) {
    let whole = told(dir);
    let copy = copy(dir);
    let numbers = segment::list(copy.path()).unwrap();
    let last = segment::path(copy.path(), *numbers.last().unwrap());
    let bytes = std::fs::read(&last).unwrap();
    let mut known_before = 0;
    for len in lens(bytes.len()) {
        std::fs::write(&last, &bytes[..len]).unwrap();
        let replayed = replay::replay(copy.path()).unwrap();
        assert_eq!(&replayed.damage, &[], "a torn tail is no damage");
        let known = told(copy.path());
        assert!(known.keys().eq(whole.keys().take(known.len())), "none is missing");
        assert!(known.iter().all(|(id, op)| is_earlier(op, &whole[id])));
        assert!(known.len() >= known_before, "a longer log tells more");
        assert!(len < bytes.len() || known == whole);
        let open = known.values().filter(|op| !op.state.is_terminal());
        assert!(open.eq(replayed.open.values()), "also when read from a checkpoint");
        let newest = known.keys().last().map_or(0, |id| id.0);
        assert!(replayed.state.next_op > newest, "no number is used twice");
        known_before = known.len();
    }
}

#[test]
fn a_log_cut_at_each_byte_is_a_prefix() {
    let home = Home::new();
    let ok = Doing { count: 1, refuse: None, verify: true, sync_fails: false };
    let failed = Doing { refuse: Some((1, OpEvent::Failed)), count: 2, ..ok.clone() };
    let open = Doing { sync_fails: true, ..ok.clone() };
    history(&home, &[ok, failed, open]);
    cut_and_look(&home.path(), |len| (0..=len).collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_log_cut_anywhere_is_a_prefix(
        plans in prop::collection::vec(doing(), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let home = small_segments();
        history(&home, &plans);
        cut_and_look(&home.path(), |len| {
            let mut lens: Vec<_> = cuts.iter().map(|i| i.index(len + 1)).collect();
            lens.sort_unstable();
            lens
        });
    }

    /// One changed byte anywhere changes what is known of one operation at most, and then to less.
    #[test]
    fn a_changed_byte_costs_one_record(
        plans in prop::collection::vec(doing(), 4..10),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 60),
    ) {
        let home = small_segments();
        history(&home, &plans);
        let whole = told(&home.path());
        let numbers = segment::list(&home.path()).unwrap();
        let copy = copy(&home.path());
        let contents: Vec<_> =
            numbers.iter().map(|n| std::fs::read(home.segment(*n)).unwrap()).collect();
        let total: usize = contents.iter().map(Vec::len).sum();
        for (at, flip) in flips {
            let (mut at, mut nth) = (at.index(total), 0);
            while at >= contents[nth].len() {
                at -= contents[nth].len();
                nth += 1;
            }
            for (number, bytes) in numbers.iter().zip(&contents) {
                std::fs::write(segment::path(copy.path(), *number), bytes).unwrap();
            }
            let mut bytes = contents[nth].clone();
            bytes[at] ^= flip;
            std::fs::write(segment::path(copy.path(), numbers[nth]), &bytes).unwrap();

            let replayed = match replay::replay(copy.path()) {
                Ok(replayed) => replayed,
                // The version is damaged and so is its checksum: that is no newer version.
                Err(e) => return Err(TestCaseError::fail(e.to_string())),
            };
            let known = told(copy.path());
            let differing: Vec<_> =
                whole.iter().filter(|(id, op)| known.get(id) != Some(op)).collect();
            prop_assert!(differing.len() <= 1, "{:?}", differing);
            for (id, op) in differing {
                let less = |k: &Operation| is_earlier(k, op) || k.state == OpState::Unknown;
                prop_assert!(known.get(id).is_none_or(less));
                prop_assert!(known.get(id).is_none_or(|k| k.step == op.step));
            }
            prop_assert!(known.keys().all(|id| whole.contains_key(id)), "nothing is invented");
            let newest = whole.keys().last().unwrap().0;
            let next = replayed.state.next_op + replayed.leap;
            prop_assert!(next > newest, "not even the number of a lost one");
        }
    }

    /// After a crash anywhere, recovery settles all, twice is as good as once, and the projection is
    /// what the log says.
    #[test]
    fn recovery_settles_everything(
        plans in prop::collection::vec(doing(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut home = small_segments();
        let hands = history(&home, &plans);
        let last = home.segment(*segment::list(&home.path()).unwrap().last().unwrap());
        let len = std::fs::metadata(&last).unwrap().len() as usize;
        let bytes = std::fs::read(&last).unwrap();
        std::fs::write(&last, &bytes[..cut.index(len + 1)]).unwrap();

        let world: BTreeMap<_, _> = hands.iter().flat_map(|h| lock(&h.files).clone()).collect();
        let world = FakeHands { files: Mutex::new(world), ..FakeHands::default() };
        let (journal, report) = home.open();
        let settled = journal.recover_with(&world).unwrap();
        prop_assert_eq!(settled.done.len() + settled.aborted.len(), report.open);
        prop_assert_eq!(journal.open_count(), 0);
        let again = journal.recover_with(&world).unwrap();
        prop_assert!(again.done.is_empty() && again.aborted.is_empty());
        for op in all(&journal) {
            let files = lock(&world.files);
            let moved = files.contains_key(&op.step.dst.clone().unwrap().path());
            prop_assert_eq!(op.state == OpState::Done, moved, "{:?}", op);
        }
        let said = all(&journal);
        drop(journal);
        home.db = sled::Config::new().temporary(true).open().unwrap();
        let (journal, report) = home.open();
        prop_assert!(matches!(report.projection, ProjectionStart::Rebuilt(..)));
        prop_assert_eq!(all(&journal), said);
    }
}

#[test]
fn damage_is_reported_kept_aside_and_never_appended_to() {
    let home = small_segments();
    let ok = Doing { count: 3, refuse: None, verify: false, sync_fails: false };
    history(&home, &vec![ok; 6]);
    let numbers = segment::list(&home.path()).unwrap();
    let last = *numbers.last().unwrap();
    let mut bytes = std::fs::read(home.segment(last)).unwrap();
    // In the checkpoint, which other frames follow.
    bytes[segment::HEADER + 12] ^= 1;
    std::fs::write(home.segment(last), &bytes).unwrap();

    let (journal, report) = home.open();
    assert_eq!(report.damage.len(), 1);
    let at = Position { segment: last, offset: segment::HEADER as u64 };
    assert_eq!(report.damage[0].at, at);
    assert_eq!(report.open, 0, "the whole log was read instead");
    assert_eq!(std::fs::read(home.segment(last).with_extension("damaged")).unwrap(), bytes);
    let (hands, plan) = moves(700..702);
    journal.run_with(&hands, None, &plan, &quiet).unwrap();
    assert_eq!(all(&journal).len(), 20);
    drop(journal);
    assert_eq!(std::fs::read(home.segment(last)).unwrap(), bytes);
    assert!(segment::list(&home.path()).unwrap().last() > Some(&last));
}

#[test]
fn what_ended_in_a_damaged_part_is_not_taken_for_open() {
    let home = small_segments();
    let ok = Doing { count: 2, refuse: None, verify: false, sync_fails: false };
    history(&home, &vec![ok; 12]);
    let first = segment::list(&home.path()).unwrap()[0];
    let bytes = std::fs::read(home.segment(first)).unwrap();
    // The payload of a state is a map with the key "s".
    let at = bytes.windows(3).position(|w| w == b"\xa1\x61s").unwrap();
    let mut bytes = bytes;
    bytes[at + 5] ^= 0xff;
    std::fs::write(home.segment(first), &bytes).unwrap();
    let known = told(&home.path());
    let ends: Vec<_> = known.values().map(|op| op.state).collect();
    assert_eq!(ends.iter().filter(|s| **s == OpState::Unknown).count(), 1);
    assert_eq!(ends.iter().filter(|s| **s == OpState::Done).count(), ends.len() - 1);
}
