use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn small() -> StoreOptions {
    StoreOptions { cache_bytes: 4 << 20, flush_every: Duration::from_millis(1_000) }
}

fn filled(dir: &Path) {
    let (store, report) = Store::open(dir, small()).unwrap();
    assert_eq!(report.opened, Opened::Created);
    let tree = store.db().open_tree("things").unwrap();
    for i in 0..2_000_u32 {
        tree.insert(i.to_be_bytes(), vec![i as u8; 200]).unwrap();
    }
    store.barrier().unwrap();
}

fn count(store: &Store) -> usize {
    store
        .run(|db| {
            let mut n = 0;
            for item in &db.open_tree("things")? {
                item?;
                n += 1;
            }
            Ok(n)
        })
        .unwrap_or(0)
}

#[test]
fn what_was_stored_is_there_after_reopening() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("store");
    filled(&dir);
    let (store, report) = Store::open(&dir, small()).unwrap();
    assert_eq!(report, StoreReport { opened: Opened::Existing, leftovers: vec![] });
    assert_eq!(count(&store), 2_000);
}

#[test]
fn a_half_written_snapshot_is_removed_and_nothing_is_lost() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("store");
    filled(&dir);
    let leftover = dir.join("snap.FFFFFFFFFFFFFFF0.generating");
    fs::write(&leftover, b"half").unwrap();
    let (store, report) = Store::open(&dir, small()).unwrap();
    assert_eq!(report, StoreReport { opened: Opened::Existing, leftovers: vec![leftover] });
    assert_eq!(count(&store), 2_000);
}

#[test]
fn a_bad_snapshot_is_done_without() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("store");
    filled(&dir);
    fs::write(dir.join("snap.FFFFFFFFFFFFFFF0"), b"not a snapshot, but long enough").unwrap();
    let (store, report) = Store::open(&dir, small()).unwrap();
    assert!(matches!(report.opened, Opened::Cleaned { .. }), "{report:?}");
    assert_eq!(count(&store), 2_000);
}

/// Whatever is done to the files, a store is open afterwards and can be written, and when the old one
/// could not be opened it still exists, untouched, under the name in the report.
#[test]
fn a_usable_store_is_opened_whatever_the_files_hold() {
    let t = tempfile::tempdir().unwrap();
    let original = t.path().join("original");
    filled(&original);
    let db_len = fs::metadata(original.join("db")).unwrap().len();
    let noise: Vec<u8> =
        (0..4_096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut harm: Vec<(String, Vec<u8>, &str)> = vec![
        ("db empty".into(), vec![], "db"),
        ("db noise".into(), noise.repeat(300), "db"),
        ("conf empty".into(), vec![], "conf"),
        ("conf noise".into(), noise.clone(), "conf"),
    ];
    let whole = fs::read(original.join("db")).unwrap();
    for cut in [1, 4_095, db_len / 3, db_len / 2, db_len - 1] {
        harm.push((format!("db cut at {cut}"), whole[..cut as usize].to_vec(), "db"));
    }
    for at in [0, 9, 25, 600, 40_000, 200_000, db_len as usize / 2] {
        let mut bytes = whole.clone();
        for (b, n) in bytes[at..].iter_mut().take(64).zip(&noise[7..]) {
            *b ^= n | 1;
        }
        harm.push((format!("db noise at {at}"), bytes, "db"));
    }
    for (what, bytes, file) in harm {
        let dir = t.path().join("store");
        copy_dir(&original, &dir);
        fs::write(dir.join(file), &bytes).unwrap();
        let (store, report) = Store::open(&dir, small()).expect(&what);
        let _may_be_damaged_deeper = count(&store);
        if let Opened::SetAside { aside, why } = &report.opened {
            assert!(!why.is_empty(), "{what}");
            assert!(aside.is_dir(), "{what}");
            store.db().insert("a", "b").unwrap();
            assert_eq!(store.db().get("a").unwrap().as_deref(), Some(&b"b"[..]), "{what}");
        }
        drop(store);
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn a_file_in_place_of_the_store_is_set_aside() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("store");
    fs::write(&dir, "mine").unwrap();
    let (_store, report) = Store::open(&dir, small()).unwrap();
    let Opened::SetAside { aside, .. } = report.opened else { panic!("{report:?}") };
    assert_eq!(fs::read(aside).unwrap(), b"mine");
}

#[test]
fn replacing_again_and_again_keeps_only_the_newest_few() {
    let t = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(&t.path().join("store"), small()).unwrap();
    let mut last = PathBuf::new();
    for _ in 0..5 {
        let (new, report) = store.replace("a test".into()).unwrap();
        let Opened::SetAside { aside, why } = report.opened else { panic!() };
        assert_eq!(why, "a test");
        last = aside;
        store = new;
    }
    let kept = fs::read_dir(t.path()).unwrap().count() - 1;
    assert_eq!(kept, 3);
    assert!(last.is_dir());
}

#[test]
fn a_panic_over_bad_data_is_reported_as_damage() {
    let t = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&t.path().join("store"), small()).unwrap();
    let error = store.run(|_| -> sled::Result<()> { panic!("bad page {}", 7) }).unwrap_err();
    assert!(error.is_damage());
    assert!(error.to_string().contains("bad page 7"), "{error}");
    let full = store.run(|_| -> sled::Result<()> { panic!("Os {{ kind: StorageFull }}") });
    assert!(matches!(full, Err(StoreError::Full { .. })));
}

#[test]
fn the_state_directory_is_private_and_held_by_one() {
    let t = tempfile::tempdir().unwrap();
    let path = t.path().join("deep/state");
    let held = StateDir::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    match StateDir::open(&path) {
        Err(e @ StoreError::InUse { pid, .. }) => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(!e.hint().is_empty());
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    StateDir::open(&path).unwrap();
}

#[test]
fn a_state_directory_that_will_not_do_is_refused() {
    let t = tempfile::tempdir().unwrap();
    let file = t.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(StateDir::open(&file), Err(StoreError::NotADirectory(_))));
    assert!(matches!(StateDir::open(&file.join("below")), Err(StoreError::NotADirectory(_))));

    let open_to_all = t.path().join("exposed");
    fs::create_dir(&open_to_all).unwrap();
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(StateDir::open(&open_to_all), Err(StoreError::Exposed(_))));

    if rustix::process::geteuid().is_root() {
        eprintln!("skipped, because root may write anywhere: a directory without write permission");
        return;
    }
    let shut = t.path().join("shut");
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o500)).unwrap();
    assert!(matches!(StateDir::open(&shut), Err(StoreError::NotWritable { .. })));
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
