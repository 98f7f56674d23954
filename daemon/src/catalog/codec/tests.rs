use proptest::prelude::*;

use super::*;

fn stored() -> impl Strategy<Value = Stored> {
    let id = (any::<u64>(), any::<u64>(), any::<i64>(), any::<Option<i64>>()).prop_map(
        |(ino, size, mtime, birth)| Identity {
            ino,
            size,
            mtime: UnixNanos(mtime),
            birth: birth.map(UnixNanos),
        },
    );
    let outcome = prop_oneof![
        Just(StoredOutcome::Known),
        any::<u64>().prop_map(|op| StoredOutcome::Filed { op }),
        (prop::sample::select(LeaveReason::ALL), any::<u32>(), 0..3_u64).prop_map(
            |(reason, rule, fingerprint)| StoredOutcome::Left { reason, rule, fingerprint }
        ),
    ];
    let name = prop_oneof![
        prop::collection::vec(1_u8.., 1..20),
        prop::collection::vec(0x80_u8.., 255..=255),
    ];
    (
        name,
        id,
        any::<u32>(),
        outcome,
        any::<Option<i64>>(),
        any::<Option<[u8; 16]>>(),
        any::<Option<[u8; 32]>>(),
    )
        .prop_map(|(name, id, category, outcome, revisit, head, digest)| Stored {
            name: name.into(),
            id,
            category,
            outcome,
            revisit: revisit.map(UnixNanos),
            head,
            digest: digest.map(Digest),
        })
}

fn sorted(mut entries: Vec<Stored>) -> Vec<Stored> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries.dedup_by(|a, b| a.name == b.name);
    entries
}

fn key() -> PageKey {
    PageKey { dir: DirId(7), chunk: 3 }
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in prop::collection::vec(stored(), 0..=PAGE_MAX)) {
        let entries = sorted(entries);
        prop_assert_eq!(decode(key(), &encode(key(), &entries)), Ok(entries));
    }

    /// Any changed byte, and any cut, is noticed.
    #[test]
    fn a_changed_page_is_damaged(
        entries in prop::collection::vec(stored(), 0..5),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = encode(key(), &sorted(entries));
        let at = at.index(bytes.len());
        prop_assert_eq!(decode(key(), &bytes[..at]), Err(Damaged));
        bytes[at] ^= flip;
        prop_assert_eq!(decode(key(), &bytes), Err(Damaged));
    }

    /// Even under a right checksum no bytes make the reader panic or accept what we would not write.
    #[test]
    fn arbitrary_bodies_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = [&[VERSION][..], &body].concat();
        let crc = checksum(key(), &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        if let Ok(entries) = decode(key(), &bytes) {
            prop_assert_eq!(decode(key(), &encode(key(), &entries)), Ok(entries));
        }
    }
}

#[test]
fn a_page_under_another_key_is_damaged() {
    let bytes = encode(key(), &[]);
    assert_eq!(decode(PageKey { dir: DirId(7), chunk: 4 }, &bytes), Err(Damaged));
    assert_eq!(decode(PageKey { dir: DirId(8), chunk: 3 }, &bytes), Err(Damaged));
}

/// The format of version 1, byte by byte. If this fails, every existing catalog becomes unreadable: make a
/// new version instead.
#[test]
fn golden_bytes() {
    let id = Identity {
        ino: 300,
        size: 5,
        mtime: UnixNanos(0x0102_0304_0506_0708),
        birth: Some(UnixNanos(0x0102_0304_0506_0707)),
    };
    let plain = Stored {
        name: (*b"a\xff1").into(),
        id: Identity { birth: None, ..id },
        category: 0,
        outcome: StoredOutcome::Filed { op: 9 },
        revisit: None,
        head: None,
        digest: None,
    };
    let left = |name: &[u8]| Stored {
        name: name.into(),
        id,
        category: 2,
        outcome: StoredOutcome::Left { reason: LeaveReason::Rule, rule: 4, fingerprint: 17 },
        revisit: Some(UnixNanos(-1)),
        head: Some([0xaa; 16]),
        digest: Some(Digest([0xbb; 32])),
    };
    let page = [plain, left(b"a\xff2"), left(b"b")];
    let bytes = encode(key(), &page);
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let (m, h, d) = ("0807060504030201", "aa".repeat(16), "bb".repeat(32));
    let expected = format!(
        "0103\
         000361ff31ac0205{m}6009\
         020132ac0205{m}3f01020204{fp}{r}{h}{d}\
         000162ac0205{m}5f01020204{r}{h}{d}",
        fp = "1100000000000000",
        r = "ffffffffffffffff",
    );
    assert_eq!(hex[..hex.len() - 8], expected);
    assert_eq!(hex[hex.len() - 8..], *"58ecdd61", "CRC-32C, computed bit by bit elsewhere");
    assert_eq!(decode(key(), &bytes), Ok(page.to_vec()));
}
