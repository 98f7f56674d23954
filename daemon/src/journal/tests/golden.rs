//! The stored bytes.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;
use tidy_core::facts::Digest;
use tidy_core::operation::{BatchId, OpState};
use tidy_core::plan::{Consideration, Retag, Twin};
use tidy_core::rules::{Considered, ConsideredRule, ConsideredTest, Seen, Truth};

use super::super::record::{Checkpoint, OpenAt, Record, StateChange};
use super::super::{considered, record_v1};
use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

fn intent() -> Operation {
    let name = std::ffi::OsString::from_vec(b"bad\xff\nname".to_vec());
    let base: Arc<Path> = Arc::from(Path::new("/in"));
    Operation {
        id: OpId(300),
        batch: BatchId(299),
        trigger: Trigger::Redo,
        time: UnixNanos(1_700_000_000_123_456_789),
        step: Step {
            kind: StepKind::Trash,
            src: Place::new(base, name.into()),
            dst: Some(place("t/files/x")),
            expect: Some(Identity { birth: Some(UnixNanos(-1)), ..identity(7) }),
            twin: Some(Twin { path: "/keep".into(), id: identity(8) }),
            follows: None,
            command: None,
            tags: None,
            digest: Some(Digest([0xab; 32])),
            rule: "duplicates".into(),
            why: "a copy".into(),
            considered: None,
            inverse_of: Some(OpId(12)),
            undo: true,
            further: false,
        },
        state: OpState::Intended,
        landed: None,
        error: None,
    }
}

fn state() -> StateChange {
    StateChange {
        op: OpId(300),
        state: OpState::Unknown,
        time: UnixNanos(5),
        landed: Some(identity(9)),
        digest: Some(Digest([1; 32])),
        error: Some("gone".into()),
    }
}

fn checkpoint() -> Checkpoint {
    let counter = RuleCounter { hits: 3, bytes: 1 << 40, last_hit: UnixNanos(9) };
    Checkpoint {
        next_op: 301,
        open: vec![OpenAt {
            op: OpId(300),
            at: Position { segment: 2, offset: 1_000 },
            verified: true,
        }],
        rules: [("photos".into(), counter)].into(),
        ended: [4, 3, 2, 1],
        further: 0,
    }
}

/// Version 1 as first released. These never change; a new version adds its own beside them.
const GOLDEN: [&str; 3] = [
    "a16169ae616f19012c616219012b61670561741b17979cfe3d85cd15616b03617382432f696e49626164ff0a\
     6e616d65616482472f686f6d652f7549742f66696c65732f7861658407186b1b17979cfe362a000020617782\
     452f6b6565708408186c1b17979cfe362a0000f661685820abababababababababababababababababababab\
     abababababababababababab61726a6475706c6963617465736179666120636f707961760c6175f5",
    "a16173a6616f19012c616e06617405616c8409186d1b17979cfe362a0000f661685820010101010101010101\
     0101010101010101010101010101010101010101010101617864676f6e65",
    "a16163a4616e19012d616f818419012c021903e8f5617281846670686f746f73031b00000100000000000961\
     658404030201",
];

#[test]
fn bytes_of_version_1_mean_what_they_meant() {
    let mut written = [Vec::new(), Vec::new(), Vec::new()];
    record_v1::encode_intent(&intent(), &mut written[0]);
    record_v1::encode_state(&state(), &mut written[1]);
    record_v1::encode_checkpoint(&checkpoint(), &mut written[2]);
    let expected = [
        Record::Intent(Box::new(intent())),
        Record::State(state()),
        Record::Checkpoint(checkpoint()),
    ];
    for ((golden, written), expected) in GOLDEN.iter().zip(&written).zip(expected) {
        assert_eq!(hex(written), hex(&unhex(golden)));
        assert_eq!(record_v1::decode(&unhex(golden)).unwrap(), expected);
    }
}

/// A companion's intent, as since it has `f`. Records without it are read above.
const COMPANION: &str = "a16169ae616f19012c616219012b61670561741b17979cfe3d85cd15616b03617382432f696e49626164\
     ff0a6e616d65616482472f686f6d652f7549742f66696c65732f7861658407186b1b17979cfe362a0000\
     20616682452f6d61696e8408186c1b17979cfe362a0000f661685820abababababababababababababab\
     abababababababababababababababababab61726a6475706c6963617465736179666120636f70796176\
     0c6175f5";

#[test]
fn a_companion_says_whom_it_follows() {
    let mut op = intent();
    op.step.twin = None;
    op.step.follows = Some(Twin { path: "/main".into(), id: identity(8) });
    let mut written = Vec::new();
    record_v1::encode_intent(&op, &mut written);
    assert_eq!(hex(&written), hex(&unhex(COMPANION)));
    assert_eq!(record_v1::decode(&written).unwrap(), Record::Intent(Box::new(op)));
}

/// An intent that marks a file, as since it has `m`.
const TAGGED: &str = "a16169ac616f19012c616219012b61670561741b17979cfe3d85cd15616b0d617382432f696e49626164\
     ff0a6e616d6561658407186b1b17979cfe362a000020616d84f649696e766f6963652cfff5f461726a64\
     75706c6963617465736179666120636f707961760c6175f5";

#[test]
fn a_mark_says_what_the_tags_were_and_are_to_be() {
    let mut op = intent();
    (op.step.kind, op.step.dst, op.step.twin, op.step.digest) = (StepKind::Tag, None, None, None);
    let (before, after) = (None, Some(b"invoice,\xff".to_vec()));
    op.step.tags = Some(Retag { before, after, along: true, counted: false });
    let mut written = Vec::new();
    record_v1::encode_intent(&op, &mut written);
    assert_eq!(hex(&written), hex(&unhex(TAGGED)));
    assert_eq!(record_v1::decode(&written).unwrap(), Record::Intent(Box::new(op)));
}

/// An intent with what the rules said, as since it has `p`: once spelled out, once pointed at.
const CONSIDERED: [&str; 2] = [
    "a16169ac616f19012c616219012b61670561741b17979cfe3d85cd15616b03617382432f696e49626164ff0a\
     6e616d6561658407186b1b17979cfe362a00002061726a6475706c6963617465736179666120636f70796170\
     8282836161008183686b696e64203d20610065696d616765836162028383686b696e64203d20620102836a73\
     697a65203e20312042010183686e616d65203d207802000761760c6175f5",
    "a16169ac616f19012e616219012b61670561741b17979cfe3d85cd15616b03617382432f696e49626164ff0a\
     6e616d6561658407186b1b17979cfe362a00002061726a6475706c6963617465736179666120636f70796170\
     19012c61760c6175f5",
];

#[test]
fn what_the_rules_said_is_kept_and_written_once_for_many() {
    let test = |test: &str, truth, seen| ConsideredTest { test: test.into(), truth, seen };
    let rule =
        |rule: &str, matched, checked| ConsideredRule { rule: rule.into(), matched, checked };
    let seen = || Seen::Text("image".into());
    let rules = vec![
        rule("a", Truth::False, vec![test("kind = a", Truth::False, seen())]),
        rule(
            "b",
            Truth::Unknown,
            vec![
                test("kind = b", Truth::True, seen()),
                test("size > 1 B", Truth::True, Seen::Size),
                test("name = x", Truth::Unknown, Seen::Name),
            ],
        ),
    ];
    let mut ops = [intent(), intent(), intent()];
    for (i, op) in ops.iter_mut().enumerate() {
        op.id = OpId(300 + i as u64);
        (op.step.twin, op.step.digest, op.step.dst) = (None, None, None);
        let more = if i == 1 { 8 } else { 7 };
        let considered = Considered { rules: rules.clone(), more };
        op.step.considered = Some(Consideration::Here(Arc::new(considered)));
    }
    considered::share(&mut ops);
    assert_eq!(ops[2].step.considered, Some(Consideration::As(ops[0].id)));
    assert!(matches!(ops[1].step.considered, Some(Consideration::Here(_))), "that is another");
    for (op, golden) in [(&ops[0], CONSIDERED[0]), (&ops[2], CONSIDERED[1])] {
        let mut written = Vec::new();
        record_v1::encode_intent(op, &mut written);
        assert_eq!(hex(&written), hex(&unhex(golden)));
        assert_eq!(record_v1::decode(&written).unwrap(), Record::Intent(Box::new(op.clone())));
    }
}

/// An intent that takes a file on, and a checkpoint after it, as since they have `z`.
const FURTHER: [&str; 2] = [
    "a16169af616f19012c616219012b61670561741b17979cfe3d85cd15616b03617382432f696e49626164\
     ff0a6e616d65616482472f686f6d652f7549742f66696c65732f7861658407186b1b17979cfe362a0000\
     20617782452f6b6565708408186c1b17979cfe362a0000f661685820abababababababababababababab\
     abababababababababababababababababab61726a6475706c6963617465736179666120636f70796176\
     0c6175f5617af5",
    "a16163a5616e19012d616f818419012c021903e8f5617281846670686f746f73031b0000010000000000\
     0961658404030201617a02",
];

#[test]
fn a_step_that_takes_a_file_on_says_so_and_is_counted_apart() {
    let mut op = intent();
    op.step.further = true;
    let later = Checkpoint { further: 2, ..checkpoint() };
    let mut written = [Vec::new(), Vec::new()];
    record_v1::encode_intent(&op, &mut written[0]);
    record_v1::encode_checkpoint(&later, &mut written[1]);
    let expected = [Record::Intent(Box::new(op)), Record::Checkpoint(later)];
    for ((golden, written), expected) in FURTHER.iter().zip(&written).zip(expected) {
        assert_eq!(hex(written), hex(&unhex(golden)));
        assert_eq!(record_v1::decode(written).unwrap(), expected);
    }
}

#[test]
fn a_header_of_version_1_and_one_of_a_newer_version() {
    let header = segment::Header { number: 3, log: 0x0102_0304_0506_0708, next_op: 301 };
    let golden =
        "544944594a524e4c 00000001 0000000000000003 0102030405060708 000000000000012d 7c051131";
    assert_eq!(hex(&header.encode()), hex(&unhex(golden)));

    let home = Home::new();
    drop(home.open());
    let mut newer = header.encode();
    newer[11] = 2;
    let crc = crc32c::crc32c(&newer[..36]);
    newer[36..].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(home.segment(3), newer).unwrap();
    let opened = Journal::open(&home.path(), &home.db, home.options.clone());
    assert!(matches!(opened, Err(JournalError::Newer { version: 2, .. })));
    assert_eq!(std::fs::read(home.segment(3)).unwrap(), newer, "and it is left as it is");
}

proptest! {
    /// Whatever bytes a checksum happens to fit: an answer, never a panic.
    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = record_v1::decode(&bytes);
        let _ = record_v1::decode_page(&bytes);
    }

    /// A damaged record is an error or a record, never a panic.
    #[test]
    fn a_changed_byte_is_no_panic(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = Vec::new();
        record_v1::encode_intent(&intent(), &mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = record_v1::decode(&bytes);
    }

    #[test]
    fn a_page_gives_back_what_was_put_in(
        names in prop::collection::vec(prop::collection::vec(1..=255u8, 1..60), 1..16),
    ) {
        let ops: Vec<Operation> = names
            .into_iter()
            .enumerate()
            .filter_map(|(n, name)| {
                let name = std::ffi::OsString::from_vec(name);
                let dst = Place::new(Arc::from(Path::new("/b")), name.into())?;
                let mut op = intent();
                op.id = OpId(n as u64);
                op.step.dst = Some(dst);
                op.state = OpState::Failed;
                op.error = Some("why".into());
                Some(op)
            })
            .collect();
        let mut bytes = Vec::new();
        record_v1::encode_page(ops.iter(), &mut bytes);
        prop_assert_eq!(record_v1::decode_page(&bytes).unwrap(), ops);
    }
}
