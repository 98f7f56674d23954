use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::fs::XattrFlags;

use super::*;
use crate::act::testing::lacking;

const ACROSS: Lacks = Lacks { no_replace: false, links: false, common_device: true };

/// Both ways across: two real devices, and two directories that pretend.
fn grounds() -> Vec<(Ground, Lacks)> {
    let mut all = vec![(Ground::one(), ACROSS)];
    all.extend(Ground::two().map(|g| (g, Lacks::default())));
    all
}

#[test]
fn across_devices_everything_arrives_and_the_source_goes() {
    for (g, lacks) in grounds() {
        let (src, dst) = (g.src("f"), g.dst("f"));
        let content = "0123456789".repeat(100_000);
        put(&src, &content);
        fs::set_permissions(src.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let has_xattrs = [&src.path(), &*g.to].iter().all(|p| {
            rustix::fs::setxattr(*p, "user.tidy.test", b"v\0\xff", XattrFlags::empty()).is_ok()
        });
        let before = fs::metadata(src.path()).unwrap();
        let mut log = Log::default();
        let mut unsynced = Unsynced::default();
        let op = moving(&src, &dst);
        let done = lacking(lacks, || crate::act::perform(&op, &mut unsynced, &mut log)).unwrap();
        assert_eq!(done.landed, Some(id(&dst)));
        assert_eq!(done.digest, Some(digest_of(&content)));
        let told = log.verified.expect("the copy was declared verified");
        assert_eq!((told.landed, told.step.digest), (done.landed, done.digest));

        let after = fs::metadata(dst.path()).unwrap();
        assert_eq!(text(&dst), content);
        assert!(!exists(&src));
        assert_eq!(after.permissions().mode(), before.permissions().mode());
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        if has_xattrs {
            let mut value = [0; 16];
            let n = rustix::fs::getxattr(dst.path(), "user.tidy.test", &mut value).unwrap();
            assert_eq!(&value[..n], b"v\0\xff");
        } else {
            eprintln!("attributes skipped, because a file system here has none");
        }
        assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_copy_leaves_the_source_and_is_a_file_of_its_own() {
    for (g, lacks) in grounds() {
        let (src, dst) = (g.src("f"), g.dst("f"));
        put(&src, "hello");
        let before = stat(&src);
        let op = step(StepKind::Copy, Some(&src), Some(&dst));
        let mut log = Log::default();
        let done = lacking(lacks, || {
            crate::act::perform(&op, &mut Unsynced::default(), &mut log).unwrap()
        });
        assert!(log.verified.is_some());
        assert_eq!(done.landed, Some(id(&dst)));
        assert_eq!(text(&dst), "hello");
        assert_eq!((stat(&src).id, stat(&src).ctime), (before.id, before.ctime));
        write(&dst, "changed");
        assert_eq!(text(&src), "hello");
        assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn holes_stay_holes_and_bytes_stay_bytes() {
    use std::os::unix::fs::FileExt;
    const MIB: u64 = 1 << 20;
    for (g, lacks) in grounds() {
        let (src, dst) = (g.src("f"), g.dst("f"));
        let open = writing();
        let file = fs::File::create(src.path()).unwrap();
        file.set_len(32 * MIB).unwrap();
        // Data across a boundary of blocks and buffers, and a hole at either end.
        file.write_all_at(&[7; 5000], 10 * MIB - 2500).unwrap();
        file.write_all_at(b"x", 20 * MIB + 4095).unwrap();
        drop((file, open));
        let content = fs::read(src.path()).unwrap();
        let sparse = fs::metadata(src.path()).unwrap().blocks() * 512 < 16 * MIB;
        let done = lacking(lacks, || perform(&moving(&src, &dst))).unwrap();
        assert!(fs::read(dst.path()).unwrap() == content);
        assert_eq!(done.digest, Some(Digest(blake3::hash(&content).into())));
        if sparse {
            assert!(fs::metadata(dst.path()).unwrap().blocks() * 512 < 4 * MIB);
        }
    }
}

#[test]
fn reserved_space_stays_reserved() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, &"\0".repeat(1 << 20));
    fs::File::open(src.path()).unwrap().sync_all().unwrap();
    let blocks = fs::metadata(src.path()).unwrap().blocks();
    lacking(ACROSS, || perform(&moving(&src, &dst))).unwrap();
    assert!(fs::metadata(dst.path()).unwrap().blocks() >= blocks);
}

#[test]
fn an_empty_file_and_one_of_exactly_a_buffer() {
    for size in [0, crate::act::check::BUFFER, crate::act::check::BUFFER + 1] {
        for (g, lacks) in grounds() {
            let (src, dst) = (g.src("f"), g.dst("f"));
            put(&src, &"b".repeat(size));
            lacking(lacks, || perform(&moving(&src, &dst))).unwrap();
            assert_eq!(text(&dst).len(), size);
        }
    }
}

#[test]
fn content_other_than_what_was_decided_about_stays() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "now");
    let mut op = moving(&src, &dst);
    op.step.digest = Some(digest_of("then"));
    lacking(ACROSS, || refused(&g, &op, "source-changed"));
}

#[test]
fn a_stale_copy_of_the_same_operation_is_replaced_but_nothing_else_of_that_name() {
    let g = Ground::one();
    let (src, dst, part) = (g.src("f"), g.dst("f"), g.dst(".tidyd-7.part"));
    put(&src, "hello");
    fs::create_dir(part.path()).unwrap();
    let op = moving(&src, &dst);
    lacking(ACROSS, || refused(&g, &op, "io-error"));
    fs::remove_dir(part.path()).unwrap();
    std::os::unix::fs::symlink(src.path(), part.path()).unwrap();
    lacking(ACROSS, || refused(&g, &op, "io-error"));
    fs::remove_file(part.path()).unwrap();
    write(&part, "half");
    lacking(ACROSS, || perform(&op)).unwrap();
    assert_eq!(text(&dst), "hello");
    assert!(!exists(&part));
}

#[test]
fn a_journal_that_cannot_be_written_leaves_the_source() {
    struct Broken;
    impl Checkpoint for Broken {
        fn verified(&mut self, _: &Operation) -> Result<(), ActError> {
            Err(ActError::Journal("disk full".into()))
        }
    }
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let before = g.files();
    let op = moving(&src, &dst);
    let e = lacking(ACROSS, || {
        crate::act::perform(&op, &mut Unsynced::default(), &mut Broken).unwrap_err()
    });
    assert_eq!(e.code(), "journal-failed");
    assert_eq!(g.files(), before);
}

#[test]
fn one_name_of_several_does_not_go_to_another_file_system() {
    let Some(g) = Ground::two() else { return };
    put(&g.src("f"), "hello");
    fs::hard_link(g.src("f").path(), g.src("other").path()).unwrap();
    let e = refused(&g, &moving(&g.src("f"), &g.dst("f")), "has-other-names");
    assert_eq!(e.event(), Some(tidy_core::operation::OpEvent::Aborted));
    // A copy is another file anyway.
    perform(&step(StepKind::Copy, Some(&g.src("f")), Some(&g.dst("f")))).unwrap();
}
