#![expect(clippy::disallowed_methods, reason = "a test damages files of its own")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::thread;

use proptest::prelude::*;
use tidy_core::category::Category;
use tidy_core::rules::LeaveReason;

use super::*;
use crate::store::StoreOptions;

/// What a catalog must be: every directory that was seen, and its entries by name.
type Model = BTreeMap<PathBuf, BTreeMap<OsString, Entry>>;

fn open(dir: &Path) -> (Store, Catalog, CatalogReport) {
    let (store, _) = Store::open(&dir.join("store"), StoreOptions::default()).unwrap();
    let (catalog, report) = Catalog::open(&store).unwrap();
    (store, catalog, report)
}

fn entry(name: &str, size: u64) -> Entry {
    Entry {
        name: name.into(),
        id: Identity { ino: size ^ 7, size, mtime: UnixNanos(size as i64), birth: None },
        category: Some(Category::new("image")),
        outcome: Outcome::Known,
        revisit: None,
        head: None,
        digest: None,
    }
}

fn many(n: u64) -> Vec<Entry> {
    (0..n).map(|i| entry(&format!("{i:06}.jpg"), i)).collect()
}

#[derive(Debug, Clone)]
enum Op {
    Put(PathBuf, Vec<Entry>),
    Update(PathBuf, Vec<Change>),
    Forget(PathBuf),
    Digest(PathBuf, usize, u8),
    Reopen,
}

fn dir() -> impl Strategy<Value = PathBuf> {
    prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/a/x", "/d", "/d/b"])
        .prop_map(PathBuf::from)
}

fn any_name() -> impl Strategy<Value = OsString> {
    prop_oneof![
        6 => (0..300_u32).prop_map(|n| format!("file {n}").into()),
        1 => prop::collection::vec(0x80_u8.., 255..=255).prop_map(OsString::from_vec),
        1 => prop::sample::select(vec!["\n", "\u{1b}[31m", "ÄÖÜ", "-rf *"]).prop_map(OsString::from),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let left = (prop::sample::select(LeaveReason::ALL), any::<Option<bool>>(), 0..3_u64);
    let outcome = prop_oneof![
        Just(Outcome::Known),
        any::<u64>().prop_map(|op| Outcome::Filed { op }),
        left.prop_map(|(reason, rule, fingerprint)| Outcome::Left {
            reason,
            rule: rule.map(|r| if r { "one".into() } else { "two".into() }),
            fingerprint,
        }),
    ];
    let category = prop::option::of(prop::sample::select(vec!["image", "spreadsheet", "mine"]));
    let stat = (any_name(), 0..5_u64, 0..40_u64, -3..4_i64);
    (stat, category, outcome, prop::option::weighted(0.1, -5..5_i64), prop::option::of(0..3_u8))
        .prop_map(|((name, ino, size, mtime), category, outcome, revisit, digest)| Entry {
            name,
            id: Identity { ino, size, mtime: UnixNanos(mtime), birth: None },
            category: category.map(Category::new),
            outcome,
            revisit: revisit.map(UnixNanos),
            head: digest.map(|d| [d; 16]),
            digest: digest.map(|d| Digest([d; 32])),
        })
}

fn op() -> impl Strategy<Value = Op> {
    let change = prop_oneof![
        2 => any_entry().prop_map(Change::Put),
        3 => any_name().prop_map(Change::Remove),
    ];
    prop_oneof![
        3 => (dir(), prop::collection::vec(any_entry(), 0..250)).prop_map(|(d, e)| Op::Put(d, e)),
        6 => (dir(), prop::collection::vec(change, 0..150)).prop_map(|(d, c)| Op::Update(d, c)),
        1 => dir().prop_map(Op::Forget),
        2 => (dir(), 0..9_usize, any::<u8>()).prop_map(|(d, n, b)| Op::Digest(d, n, b)),
        1 => Just(Op::Reopen),
    ]
}

fn apply_to_model(model: &mut Model, op: &Op) {
    match op {
        Op::Put(dir, entries) => {
            let before = model.remove(dir).unwrap_or_default();
            let by_name: BTreeMap<_, _> = entries.iter().map(|e| (e.name.clone(), e)).collect();
            let put = |(name, e): (OsString, &Entry)| (name.clone(), put(before.get(&name), e));
            model.insert(dir.clone(), by_name.into_iter().map(put).collect());
        }
        Op::Update(dir, changes) => {
            let entries = model.entry(dir.clone()).or_default();
            let last: BTreeMap<_, _> = changes.iter().map(|c| (c.name().to_owned(), c)).collect();
            for (name, change) in last {
                match change {
                    Change::Put(e) => {
                        let e = put(entries.get(&name), e);
                        entries.insert(name, e);
                    }
                    Change::Remove(_) => drop(entries.remove(&name)),
                }
            }
        }
        Op::Forget(dir) => model.retain(|d, _| !d.starts_with(dir)),
        Op::Digest(dir, n, b) => {
            if let Some(e) = model.get_mut(dir).and_then(|es| es.values_mut().nth(*n)) {
                e.digest = Some(Digest([*b; 32]));
            }
        }
        Op::Reopen => {}
    }
}

/// What was read of the very same file stays known.
fn put(before: Option<&Entry>, entry: &Entry) -> Entry {
    let before = before.filter(|e| e.id == entry.id);
    Entry {
        head: entry.head.or_else(|| before.and_then(|e| e.head)),
        digest: entry.digest.or_else(|| before.and_then(|e| e.digest)),
        ..entry.clone()
    }
}

fn apply(catalog: &Catalog, model: &Model, op: &Op) {
    match op {
        Op::Put(dir, entries) => catalog.put(dir, entries.clone()).unwrap(),
        Op::Update(dir, changes) => catalog.update(dir, changes.clone()).unwrap(),
        Op::Forget(dir) => drop(catalog.forget(dir).unwrap()),
        Op::Digest(dir, n, b) => {
            if let Some(e) = model.get(dir).and_then(|es| es.values().nth(*n)) {
                let digest = Some(Digest([*b; 32]));
                let path = dir.join(&e.name);
                let other = Identity { ino: e.id.ino + 1, ..e.id };
                assert!(!catalog.set_digest(&path, other, None, digest).unwrap());
                assert!(catalog.set_digest(&path, e.id, None, digest).unwrap());
            }
        }
        Op::Reopen => {}
    }
}

fn files(model: &Model) -> BTreeMap<PathBuf, Entry> {
    let with_paths = |(dir, entries): (&PathBuf, &BTreeMap<OsString, Entry>)| {
        entries.values().map(|e| (dir.join(&e.name), e.clone())).collect::<Vec<_>>()
    };
    model.iter().flat_map(with_paths).collect()
}

fn listed(catalog: &Catalog, filter: &Filter, limit: usize) -> BTreeMap<PathBuf, Entry> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = catalog.files(filter, after, limit).unwrap();
        assert!(page.files.len() <= limit);
        for (path, entry) in page.files {
            assert!(all.insert(path, entry).is_none(), "given twice");
        }
        let Some(next) = page.next else { return all };
        after = Some(Cursor::from_bytes(&next.to_bytes(), None).unwrap());
    }
}

fn assert_equal(catalog: &Catalog, model: &Model) {
    let all = files(model);
    for dir in ["/", "/a", "/a/b", "/a/b/c", "/a/x", "/d", "/d/b"].map(Path::new) {
        let expected = model.get(dir).map(|e| e.values().cloned().collect::<Vec<_>>());
        assert_eq!(catalog.page(dir).unwrap(), expected, "{dir:?}");
        let below: std::collections::BTreeSet<OsString> = model
            .keys()
            .filter_map(|d| d.strip_prefix(dir).ok()?.iter().next().map(OsStr::to_owned))
            .collect();
        assert_eq!(catalog.subdirs(dir).unwrap(), below.into_iter().collect::<Vec<_>>(), "{dir:?}");
    }
    let each: Vec<HashSet<u64>> = (0..41).map(|size| HashSet::from([size])).collect();
    let together = [HashSet::from([3, 17, 40]), (0..41).collect(), HashSet::new()];
    for sizes in each.iter().chain(&together) {
        let mut found = Vec::new();
        catalog.each_of_sizes(sizes, |path, entry| found.push((path, entry))).unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected: Vec<_> = all.iter().filter(|(_, e)| sizes.contains(&e.id.size)).collect();
        assert_eq!(found.iter().map(|(p, e)| (p, e)).collect::<Vec<_>>(), expected);
    }
    if let Some((path, e)) = all.iter().next() {
        assert_eq!(catalog.entry(path).unwrap().as_ref(), Some(e));
    }
    assert_eq!(listed(catalog, &Filter::default(), 70), all);
    assert_stats(&catalog.stats().unwrap(), &all);
    assert_revisits(catalog, model);
    assert_duplicates(catalog, &all);
    let report = catalog.verify().unwrap();
    assert!(report.is_good(), "{report:?}");
}

fn tally<'a>(entries: impl Iterator<Item = &'a Entry>) -> Tally {
    entries.fold(Tally::default(), |t, e| Tally { count: t.count + 1, bytes: t.bytes + e.id.size })
}

fn assert_stats(stats: &Stats, all: &BTreeMap<PathBuf, Entry>) {
    let of_kind = |kind| tally(all.values().filter(|e| e.outcome.kind() == kind));
    assert_eq!(stats.files, tally(all.values()));
    assert_eq!(stats.known, of_kind(OutcomeKind::Known));
    assert_eq!(stats.left, of_kind(OutcomeKind::Left));
    assert_eq!(stats.filed, of_kind(OutcomeKind::Filed));
    let waits = |e: &&Entry, of: &str| {
        matches!(&e.outcome, Outcome::Left { reason: LeaveReason::DestinationNotReady, rule: Some(rule), .. }
            if &**rule == of)
    };
    for rule in ["one", "two"] {
        let told = stats.waiting.iter().find(|(name, _)| **name == *rule).map(|(_, t)| *t);
        let waiting = tally(all.values().filter(|e| waits(e, rule)));
        assert_eq!(told.unwrap_or_default(), waiting, "{rule}");
    }
    let counted: u64 = stats.categories.iter().map(|(_, t)| t.count).sum();
    assert_eq!(counted, stats.files.count);
    for (category, t) in &stats.categories {
        assert_eq!(*t, tally(all.values().filter(|e| e.category == *category)));
    }
}

fn assert_revisits(catalog: &Catalog, model: &Model) {
    let times =
        |entries: &BTreeMap<OsString, Entry>| entries.values().filter_map(|e| e.revisit).min();
    let first = model.values().filter_map(times).min();
    assert_eq!(catalog.earliest_revisit().unwrap().map(|(at, _)| at), first);
    for now in [-6, 0, 5].map(UnixNanos) {
        let mut due = catalog.due(now).unwrap();
        due.sort();
        let is_due = |e: &BTreeMap<OsString, Entry>| times(e).is_some_and(|at| at <= now);
        let expected: Vec<_> =
            model.iter().filter(|(_, e)| is_due(e)).map(|(d, _)| d.clone()).collect();
        assert_eq!(due, expected);
    }
}

fn assert_duplicates(catalog: &Catalog, all: &BTreeMap<PathBuf, Entry>) {
    let mut groups: BTreeMap<(Digest, u64), Vec<(&PathBuf, &Entry)>> = BTreeMap::new();
    for (path, e) in all.iter().filter(|(_, e)| e.id.size >= 3) {
        if let Some(digest) = e.digest {
            groups.entry((digest, e.id.size)).or_default().push((path, e));
        }
    }
    let mut expected: Vec<DuplicateGroup> = groups
        .into_iter()
        .map(|((digest, size), copies)| {
            let files: std::collections::HashSet<_> = copies.iter().map(|(_, e)| e.id).collect();
            let paths = copies.into_iter().map(|(p, _)| p.clone()).collect();
            DuplicateGroup { digest, size, paths, wasted: size * (files.len() as u64 - 1) }
        })
        .filter(|g| g.wasted > 0)
        .collect();
    expected.sort_by(|a, b| b.wasted.cmp(&a.wasted).then(a.digest.cmp(&b.digest)));
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = catalog.duplicates(3, after, 4).unwrap();
        assert_eq!(page.total_groups, expected.len() as u64);
        assert_eq!(page.total_wasted, expected.iter().map(|g| g.wasted).sum::<u64>());
        found.extend(page.groups);
        after = page.next.map(|n| DuplicateCursor::from_bytes(&n.to_bytes()).unwrap());
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// Whatever is done, in whatever order, the catalog says what a map would say, before and after
    /// it is closed and opened again.
    #[test]
    fn the_catalog_is_a_map(ops in prop::collection::vec(op(), 1..14)) {
        let t = tempfile::tempdir().unwrap();
        let mut model = Model::new();
        let (mut store, mut catalog, _) = open(t.path());
        for op in &ops {
            apply(&catalog, &model, op);
            apply_to_model(&mut model, op);
            if matches!(op, Op::Reopen) {
                drop((catalog, store));
                let report;
                (store, catalog, report) = open(t.path());
                prop_assert_eq!((report.damaged.len(), report.orphans), (0, 0));
                prop_assert_eq!(report.files, files(&model).len() as u64);
                assert_equal(&catalog, &model);
            }
        }
        assert_equal(&catalog, &model);
        drop((catalog, store));
        let (_store, catalog, _) = open(t.path());
        assert_equal(&catalog, &model);
    }
}

#[test]
fn filters_choose_and_pages_of_a_list_fit_together() {
    let t = tempfile::tempdir().unwrap();
    let (_store, catalog, _) = open(t.path());
    let mut sheet = entry("Budget.XLSX", 9_000);
    sheet.category = Some(Category::new("spreadsheet"));
    sheet.outcome = Outcome::Filed { op: 3 };
    sheet.digest = Some(Digest([7; 32]));
    catalog.put(Path::new("/home/docs"), vec![sheet]).unwrap();
    // More pages than are looked at in one go.
    catalog.put(Path::new("/home/pics"), many(40_000)).unwrap();
    catalog.put(Path::new("/home/pics/deep"), many(3)).unwrap();
    let count = |f: Filter| listed(&catalog, &f, 9_999).len();
    let none = Filter::default;
    let name = |p: &str| Filter { name: Some(NamePattern::new(p.as_ref())), ..none() };
    assert_eq!(count(none()), 40_004);
    assert_eq!(count(name("budget")), 1);
    assert_eq!(count(name("*.xls?")), 1);
    assert_eq!(count(name("0399??.JPG")), 100);
    assert_eq!(count(name("g/0")), 0);
    let category = |c: &str| Filter { category: Some(Category::new(c)), ..none() };
    assert_eq!(count(category("document")), 1, "a spreadsheet is a part of it");
    assert_eq!(count(category("video")), 0);
    assert_eq!(count(Filter { min_size: Some(39_990), ..none() }), 10);
    assert_eq!(count(Filter { min_size: Some(5), max_size: Some(9), ..none() }), 5);
    let (since, before) = (Some(UnixNanos(10)), Some(UnixNanos(20)));
    assert_eq!(count(Filter { since, before, ..none() }), 10);
    assert_eq!(count(Filter { under: Some("/home/pics/deep".into()), ..none() }), 3);
    assert_eq!(count(Filter { under: Some("/home/pics".into()), ..none() }), 40_003);
    assert_eq!(count(Filter { under: Some("/home/p".into()), ..none() }), 0);
    assert_eq!(count(Filter { digest: Some(Digest([7; 32])), ..none() }), 1);
    assert_eq!(count(Filter { outcome: Some(OutcomeKind::Filed), ..none() }), 1);
    assert!(catalog.files(&none(), None, 0).unwrap().files.is_empty());
}

#[test]
fn a_cursor_goes_on_where_it_was_although_files_come_and_go() {
    let t = tempfile::tempdir().unwrap();
    let (_store, catalog, _) = open(t.path());
    let dir = Path::new("/d");
    catalog.put(dir, many(1_000)).unwrap();
    let first = catalog.files(&Filter::default(), None, 500).unwrap();
    let gone: Vec<Change> =
        first.files[100..].iter().map(|(_, e)| Change::Remove(e.name.clone())).collect();
    catalog.update(dir, gone).unwrap();
    let rest = catalog.files(&Filter::default(), first.next, 10_000).unwrap();
    let names: Vec<_> = rest.files.iter().map(|(_, e)| e.name.clone()).collect();
    let expected: Vec<_> = many(1_000).into_iter().skip(500).map(|e| e.name).collect();
    assert_eq!(names, expected);
    assert_eq!(Cursor::from_bytes(b"short", None), None);
    let wild = Cursor::from_bytes(&[0, 0, 0, 0, 255, 255, 255, 255, 0], None);
    assert!(catalog.files(&Filter::default(), wild, 10).unwrap().files.is_empty());
}

#[test]
fn changes_from_many_threads_to_one_directory_are_all_kept() {
    let t = tempfile::tempdir().unwrap();
    let (_store, catalog, _) = open(t.path());
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let catalog = catalog.clone();
            scope.spawn(move || {
                for i in 0..100 {
                    let e = entry(&format!("{i:03} of {worker}"), i);
                    catalog.update(Path::new("/d"), vec![Change::Put(e)]).unwrap();
                    if i % 2 == 1 {
                        let before = format!("{:03} of {worker}", i - 1).into();
                        catalog.update(Path::new("/d"), vec![Change::Remove(before)]).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(catalog.page(Path::new("/d")).unwrap().unwrap().len(), 200);
    assert!(catalog.verify().unwrap().is_good());
}

/// Flips a bit in one page behind the catalog's back. Returns how many pages there are.
fn harm(store: &Store, nth: usize) -> usize {
    let pages = store.db().open_tree("catalog/pages").unwrap();
    let (key, value) = pages.iter().nth(nth).unwrap().unwrap();
    let mut value = value.to_vec();
    value[5] ^= 0x10;
    pages.insert(key, value).unwrap();
    pages.iter().count()
}

#[test]
fn a_damaged_page_is_dropped_and_reported_and_nothing_else() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    catalog.put(Path::new("/a"), many(10)).unwrap();
    catalog.put(Path::new("/b"), many(20)).unwrap();
    assert_eq!(harm(&store, 0), 2);
    drop((store, catalog));

    let (store, catalog, report) = open(t.path());
    assert_eq!(report.damaged, [Path::new("/a")]);
    assert_eq!(report.files, 20);
    assert_eq!(catalog.page(Path::new("/a")).unwrap(), None, "to be scanned");
    assert_eq!(catalog.page(Path::new("/b")).unwrap(), Some(many(20)));
    assert!(catalog.verify().unwrap().is_good());
    drop((store, catalog));
    let (_, _, report) = open(t.path());
    assert!(report.damaged.is_empty(), "reported once");
}

#[test]
fn a_page_damaged_while_running_is_dropped_when_it_is_met() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    catalog.put(Path::new("/a"), many(10)).unwrap();
    catalog.put(Path::new("/b"), many(200)).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    catalog.on_damaged(move |dir| tell.send(dir).unwrap());
    let pages = harm(&store, 2);
    assert_eq!(catalog.verify().unwrap().damaged, [Path::new("/b")]);
    assert!(told.try_recv().is_err(), "looking changes nothing");
    let left = catalog.page(Path::new("/b")).unwrap().unwrap();
    assert!(left.len() < 200 && left.len() >= 200 - 64, "{} of {pages} pages", left.len());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Path::new("/b")]);
    assert_eq!(catalog.stats().unwrap().files.count, 10 + left.len() as u64);
    assert!(catalog.verify().unwrap().is_good());
    catalog.put(Path::new("/b"), many(200)).unwrap();
    assert_eq!(catalog.page(Path::new("/b")).unwrap(), Some(many(200)));
}

/// Noise anywhere in sled's file: afterwards there is a catalog that can be filled again.
#[test]
fn a_store_with_noise_in_it_gives_a_usable_catalog() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    for d in 0..60 {
        catalog.put(&PathBuf::from(format!("/d/{d}")), many(60)).unwrap();
    }
    catalog.flush().unwrap();
    drop((store, catalog));
    // Opening writes a snapshot. Even so sled may forget what it cannot read and say nothing.
    drop(open(t.path()));
    let original = t.path().join("store");
    let files: Vec<_> =
        std::fs::read_dir(&original).unwrap().map(|e| e.unwrap().file_name()).collect();
    let whole = std::fs::read(original.join("db")).unwrap();
    let mut harmed = 0;
    for part in 0..12 {
        let dir = t.path().join(format!("store {part}"));
        std::fs::create_dir(&dir).unwrap();
        for name in files.iter().filter(|name| *name != "db" && *name != "blobs") {
            std::fs::copy(original.join(name), dir.join(name)).unwrap();
        }
        let mut bytes = whole.clone();
        let part_len = whole.len() / 12;
        bytes[part_len * part..]
            .iter_mut()
            .take(part_len)
            .for_each(|b| *b = b.wrapping_mul(31) ^ 0x5a);
        std::fs::write(dir.join("db"), bytes).unwrap();
        let (store, report) = Store::open(&dir, StoreOptions::default()).unwrap();
        let opened = Catalog::open_or_replace(store).unwrap();
        let anew = report.is_empty() || opened.replaced.is_some();
        harmed += usize::from(anew || opened.report.files < 3_600);
        opened.catalog.put(Path::new("/d/1"), many(70)).unwrap();
        assert_eq!(opened.catalog.page(Path::new("/d/1")).unwrap(), Some(many(70)), "{part}");
        assert!(opened.catalog.verify().unwrap().is_good(), "{part}");
    }
    assert!(harmed > 0, "the noise met nothing that matters");
}

#[test]
fn pages_and_rows_without_a_directory_are_dropped() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    catalog.put(Path::new("/a/b"), many(100)).unwrap();
    catalog.put(Path::new("/c"), many(5)).unwrap();
    let dirs = store.db().open_tree("catalog/dirs").unwrap();
    let (first, _) = dirs.first().unwrap().unwrap();
    dirs.remove(first).unwrap(); // /a
    drop((store, catalog, dirs));
    let (_store, catalog, report) = open(t.path());
    assert_eq!(report.orphans, 1 + 2, "the row of /a/b and its two pages");
    assert_eq!(report.files, 5);
    catalog.put(Path::new("/a/b"), many(1)).unwrap();
    assert!(catalog.verify().unwrap().is_good());
}

#[test]
fn overlapping_pages_as_a_crash_leaves_them_are_not_trusted() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    catalog.put(Path::new("/a"), many(100)).unwrap();
    let pages = store.db().open_tree("catalog/pages").unwrap();
    let (key, _) = pages.first().unwrap().unwrap();
    let dir = DirId::from_bytes(&key[..8]).unwrap();
    let first = codec::PageKey::from_bytes(&key).unwrap();
    let entries = codec::decode(first, &pages.get(&key).unwrap().unwrap()).unwrap();
    let third = codec::PageKey { dir, chunk: 9 };
    pages.insert(third.to_bytes(), codec::encode(third, &entries)).unwrap();
    drop((store, catalog, pages));
    let (_store, catalog, report) = open(t.path());
    assert_eq!(report.damaged, [Path::new("/a")]);
    assert_eq!(catalog.page(Path::new("/a")).unwrap(), None);
    assert!(catalog.verify().unwrap().is_good());
}

#[test]
fn another_format_is_emptied_and_reported() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    catalog.put(Path::new("/a"), many(1)).unwrap();
    store.db().open_tree("catalog/meta").unwrap().insert("format", "99").unwrap();
    drop((store, catalog));
    let (_store, catalog, report) = open(t.path());
    assert!(report.reset);
    assert_eq!(catalog.stats().unwrap().files.count, 0);
}

#[test]
fn one_change_in_a_large_directory_writes_few_pages() {
    let t = tempfile::tempdir().unwrap();
    let (store, catalog, _) = open(t.path());
    let dir = Path::new("/d");
    catalog.put(dir, many(6_400)).unwrap();
    let pages = store.db().open_tree("catalog/pages").unwrap();
    let snapshot = || -> BTreeMap<_, _> { pages.iter().map(Result::unwrap).collect() };
    let before = snapshot();
    catalog.update(dir, vec![Change::Put(entry("000000.aaa", 1))]).unwrap();
    let after = snapshot();
    let changed = after.iter().filter(|(k, v)| before.get(*k) != Some(*v)).count();
    assert!(changed <= 2, "{changed} of {}", after.len());
    // Draining it in any order gives the pages back.
    let mut names: Vec<_> = many(6_400).into_iter().map(|e| e.name).collect();
    names.sort_by_key(|n| crc32c::crc32c(n.as_bytes()));
    for some in names.chunks(50) {
        catalog.update(dir, some.iter().cloned().map(Change::Remove).collect()).unwrap();
    }
    assert_eq!(catalog.page(dir).unwrap().unwrap().len(), 1);
    assert_eq!(snapshot().len(), 1);
    assert!(catalog.verify().unwrap().is_good());
}

#[test]
fn names_and_paths_that_cannot_be_are_refused() {
    let t = tempfile::tempdir().unwrap();
    let (_store, catalog, _) = open(t.path());
    for name in ["", ".", "..", "a/b", "a\0b"] {
        let put = catalog.put(Path::new("/d"), vec![entry(name, 1)]);
        assert!(matches!(put, Err(CatalogError::BadName { .. })), "{name:?}");
    }
    for path in ["d", "/d/../e", ""] {
        let put = catalog.put(Path::new(path), vec![]);
        assert!(matches!(put, Err(CatalogError::BadPath(_))), "{path:?}");
    }
    assert_eq!(catalog.stats().unwrap().directories, 1);
}

#[test]
fn a_scan_does_not_overwrite_what_was_written_since_it_looked() {
    let home = tempfile::tempdir().unwrap();
    let (_store, catalog, _) = open(home.path());
    let dir = Path::new("/r");
    let filed = |name: &str| Entry { outcome: Outcome::Filed { op: 7 }, ..entry(name, 1) };
    catalog.put(dir, vec![entry("gone", 3), entry("same", 4)]).unwrap();
    let seen: std::collections::HashMap<_, _> =
        catalog.page(dir).unwrap().unwrap().into_iter().map(|e| (e.name.clone(), e)).collect();

    // Meanwhile something is filed here, under a new name and under one that had gone.
    catalog.update(dir, vec![Change::Put(filed("new")), Change::Put(filed("gone"))]).unwrap();
    for more in [0, 100] {
        let mut changes = vec![
            Change::Put(entry("new", 1)),
            Change::Remove("gone".into()),
            Change::Remove("same".into()),
        ];
        changes.extend((0..more).map(|i| Change::Put(entry(&format!("f{i}"), i))));
        catalog.update_if_as_seen(dir, &seen, changes).unwrap();
        let entry = |name: &str| catalog.entry(&dir.join(name)).unwrap();
        assert_eq!(entry("new"), Some(filed("new")), "{more}");
        assert_eq!(entry("gone"), Some(filed("gone")), "{more}");
        assert_eq!(entry("same"), None, "{more}");
    }
    assert_eq!(catalog.page(dir).unwrap().unwrap().len(), 102);
}
