use std::collections::BTreeMap;

use tidy_core::UnixNanos;
use tidy_core::facts::Identity;

use super::*;
use crate::catalog::{Change, Filter, Fuzzy, NamePattern, Outcome};
use crate::store::{Store, StoreOptions};

struct Ground {
    catalog: Catalog,
    _store: Store,
    _dir: tempfile::TempDir,
}

/// Numbers without an order that is easily seen.
fn mixed(n: u64) -> u64 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn entry(name: &str, n: u64) -> Entry {
    let mtime = UnixNanos((mixed(n + 7_000) % 1_000).cast_signed() - 500);
    Entry {
        name: name.into(),
        // Every size a few times, so that the paths have their say.
        id: Identity { ino: n, size: mixed(n) % 97, mtime, birth: None },
        category: None,
        outcome: Outcome::Known,
        revisit: None,
        head: None,
        digest: None,
    }
}

/// Files in directories whose paths are in another order than their numbers, enough for several pages and threads.
fn ground() -> Ground {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&dir.path().join("store"), StoreOptions::default()).unwrap();
    let (catalog, _) = Catalog::open(&store).unwrap();
    for (at, (dir, files)) in
        [("/z", 300), ("/a/b", 400), ("/a", 90), ("/a.b", 5), ("/m", 0)].into_iter().enumerate()
    {
        let names = (0..files).map(|n| {
            let n = n + at as u64 * 1_000;
            let word = ["Invoice", "photo", "Übung", "report"][(mixed(n) % 4) as usize];
            entry(&format!("{word} {:03}.pdf", mixed(n) % 1_000_000), n)
        });
        catalog.put(Path::new(dir), names.collect()).unwrap();
    }
    Ground { catalog, _store: store, _dir: dir }
}

fn all(catalog: &Catalog) -> BTreeMap<PathBuf, Entry> {
    catalog.files(&Filter::default(), None, 10_000).unwrap().files.into_iter().collect()
}

fn pages(catalog: &Catalog, filter: &Filter, order: Order, limit: usize) -> Vec<(PathBuf, Entry)> {
    let (mut out, mut after) = (Vec::new(), None);
    loop {
        let List { files, more, .. } = catalog.list(filter, Some(order), after, limit).unwrap();
        assert!(files.len() <= limit);
        let last = files.last().map(|f| f.at.to_bytes());
        out.extend(files.into_iter().map(|f| (f.path, f.entry)));
        if !more {
            return out;
        }
        after = Cursor::from_bytes(&last.unwrap(), Some(order));
        assert!(after.is_some());
    }
}

fn orders() -> impl Iterator<Item = Order> {
    let by = SortBy::ALL.iter().filter(|by| **by != SortBy::Score);
    by.flat_map(|by| [false, true].map(|reverse| Order { by: *by, reverse }))
}

#[test]
fn the_pages_of_a_sorted_list_are_the_list() {
    let ground = ground();
    let known = all(&ground.catalog);
    for order in orders() {
        let mut expected: Vec<(PathBuf, Entry)> = known.clone().into_iter().collect();
        expected.sort_by(|(a, x), (b, y)| {
            let name = |e: &Entry| e.name.to_string_lossy().to_lowercase();
            let by = match order.by {
                SortBy::Name => name(x).cmp(&name(y)),
                SortBy::Size => y.id.size.cmp(&x.id.size),
                SortBy::Age => y.id.mtime.cmp(&x.id.mtime),
                SortBy::Path | SortBy::Score => Ordering::Equal,
            };
            by.then_with(|| a.cmp(b))
        });
        if order.reverse {
            expected.reverse();
        }
        for limit in [1_000, 64, 7] {
            assert_eq!(
                pages(&ground.catalog, &Filter::default(), order, limit),
                expected,
                "{order:?}"
            );
        }
        let filter =
            Filter { name: Some(NamePattern::new("invoice".as_ref())), ..Filter::default() };
        expected.retain(|(_, e)| e.name.to_string_lossy().starts_with("Invoice"));
        assert_eq!(pages(&ground.catalog, &filter, order, 50), expected, "{order:?}");
        let filter = Filter { under: Some("/a/b".into()), ..filter };
        expected.retain(|(path, _)| path.starts_with("/a/b"));
        assert_eq!(pages(&ground.catalog, &filter, order, 50), expected, "{order:?}");
    }
}

#[test]
fn a_sorted_list_goes_on_although_files_come_and_go() {
    let ground = ground();
    let known = all(&ground.catalog);
    for order in orders() {
        let expected = pages(&ground.catalog, &Filter::default(), order, 1_000);
        let List { files: first, more, .. } =
            ground.catalog.list(&Filter::default(), Some(order), None, 300).unwrap();
        assert!(more);
        // What was given goes, and the last of it too; something new comes.
        let change = |(path, entry): &(PathBuf, Entry), put: bool| {
            let change = match put {
                true => Change::Put(entry.clone()),
                false => Change::Remove(entry.name.clone()),
            };
            ground.catalog.update(path.parent().unwrap(), vec![change]).unwrap();
        };
        expected[..300].iter().for_each(|file| change(file, false));
        ground.catalog.put(Path::new("/new"), vec![entry("new", 50_000)]).unwrap();
        let after = first.last().map(|f| f.at.clone());
        let List { files: rest, more, .. } =
            ground.catalog.list(&Filter::default(), Some(order), after, 10_000).unwrap();
        assert!(!more);
        let rest: Vec<_> = rest.into_iter().map(|f| (f.path, f.entry)).collect();
        let old: Vec<_> = rest.into_iter().filter(|(p, _)| !p.starts_with("/new")).collect();
        assert_eq!(old, expected[300..], "{order:?}");
        expected[..300].iter().for_each(|file| change(file, true));
        ground.catalog.forget(Path::new("/new")).unwrap();
        assert_eq!(all(&ground.catalog), known);
    }
}

#[test]
fn names_that_are_about_right_come_best_first_and_once() {
    let ground = ground();
    ground.catalog.put(Path::new("/one"), vec![entry("invoice.pdf", 9_000)]).unwrap();
    let fuzzy = |text: &str| Filter {
        fuzzy: Some(Fuzzy::new(text.as_ref()).unwrap()),
        ..Filter::default()
    };
    let known = all(&ground.catalog);
    let expected: Vec<_> =
        known.keys().filter(|p| p.to_string_lossy().to_lowercase().contains("/invoice")).collect();
    assert!(expected.len() > 100);
    for text in ["invoice", "invocie", "PDF nvoice"] {
        let List { files: found, more, passed_over } =
            ground.catalog.list(&fuzzy(text), None, None, 1_000).unwrap();
        assert!(!passed_over);
        let mut paths: Vec<_> = found.iter().map(|f| &f.path).collect();
        assert_eq!(paths[0], Path::new("/one/invoice.pdf"), "{text}");
        paths.sort();
        assert_eq!((paths, more), (expected.clone(), false), "{text}");
    }
    let paged = pages(&ground.catalog, &fuzzy("invoice"), Order::BEST, 9);
    let whole = pages(&ground.catalog, &fuzzy("invoice"), Order::BEST, 1_000);
    assert_eq!(paged, whole);
    // Another order is one of what answers; other filters hold as well.
    let by_size = Order { by: SortBy::Size, reverse: true };
    let sized = pages(&ground.catalog, &fuzzy("invoice"), by_size, 30);
    assert_eq!(sized.len(), whole.len());
    assert!(sized.is_sorted_by_key(|(_, e)| e.id.size));
    let small = Filter { max_size: Some(10), ..fuzzy("invoice") };
    let small = pages(&ground.catalog, &small, Order::BEST, 30);
    assert_eq!(small.len(), whole.iter().filter(|(_, e)| e.id.size <= 10).count());
}

#[test]
fn where_very_many_may_be_meant_the_shortest_are_compared_whatever_the_page() {
    let ground = ground();
    for (dir, from) in [("/y", 0), ("/b", 500)] {
        let names = (from..from + 500).map(|n| entry(&format!("imvoice {}", n * n), n));
        ground.catalog.put(Path::new(dir), names.collect()).unwrap();
    }
    let fuzzy =
        Filter { fuzzy: Some(Fuzzy::new("invoice".as_ref()).unwrap()), ..Filter::default() };
    let list = ground.catalog.list(&fuzzy, None, None, 10_000).unwrap();
    assert!(list.passed_over && !list.more);
    let literal =
        all(&ground.catalog).keys().filter(|p| p.to_string_lossy().contains("/Invoice")).count();
    let (typed, like) = list.files.split_at(literal);
    assert!(typed.iter().all(|f| f.path.to_string_lossy().contains("/Invoice")));
    assert_eq!(like.len(), 700);
    let longest = like.iter().map(|f| f.entry.name.len()).max().unwrap();
    let shorter =
        (0..1_000_u64).map(|n| format!("imvoice {}", n * n)).filter(|n| n.len() < longest);
    assert!(like.iter().filter(|f| f.entry.name.len() < longest).count() == shorter.count());
    let paged = pages(&ground.catalog, &fuzzy, Order::BEST, 90);
    let whole: Vec<_> = list.files.into_iter().map(|f| (f.path, f.entry)).collect();
    assert_eq!(paged, whole);
    // One page of what was typed needs no more.
    assert!(!ground.catalog.list(&fuzzy, None, None, 50).unwrap().passed_over);
    let backwards = Order { reverse: true, ..Order::BEST };
    let mut backwards = pages(&ground.catalog, &fuzzy, backwards, 90);
    backwards.reverse();
    assert_eq!(backwards, whole);
}

#[test]
fn whether_there_are_more_than_so_many_is_told_without_listing_them() {
    let ground = ground();
    let name = |text: &str| Some(NamePattern::new(text.as_ref()));
    let every = Filter::default();
    for filter in [
        every.clone(),
        Filter { name: name("invoice"), ..every.clone() },
        Filter {
            name: name("*[02468].p?f"),
            min_size: Some(30),
            max_size: Some(60),
            ..every.clone()
        },
        Filter { since: Some(UnixNanos(-3)), before: Some(UnixNanos(77)), ..every.clone() },
        Filter { under: Some("/a".into()), max_size: Some(50), ..every.clone() },
        Filter { fuzzy: Some(Fuzzy::new("reprt".as_ref()).unwrap()), ..every.clone() },
        Filter { category: Some(tidy_core::category::Category::new("image")), ..every.clone() },
    ] {
        let count = ground.catalog.list(&filter, None, None, 10_000).unwrap().files.len();
        assert!(!ground.catalog.exceeds(&filter, count).unwrap(), "{count}: {filter:?}");
        for less in [0, count / 2, count.saturating_sub(1)].into_iter().filter(|n| *n < count) {
            assert!(ground.catalog.exceeds(&filter, less).unwrap(), "{less}: {filter:?}");
        }
    }
}

#[test]
fn a_cursor_of_another_list_is_none_of_this_one() {
    let ground = ground();
    let by = |by| Order { by, reverse: false };
    let List { files, .. } =
        ground.catalog.list(&Filter::default(), Some(by(SortBy::Size)), None, 3).unwrap();
    let bytes = files[2].at.to_bytes();
    assert_eq!(Cursor::from_bytes(&bytes, Some(by(SortBy::Size))), Some(files[2].at.clone()));
    assert_eq!(Cursor::from_bytes(&bytes, Some(by(SortBy::Age))), None);
    assert_eq!(Cursor::from_bytes(&bytes, Some(Order { reverse: true, ..by(SortBy::Size) })), None);
    assert_eq!(Cursor::from_bytes(&bytes, None), None);
    for wild in [&b""[..], b"\x02", b"\x02\0\0\0\0\0\0\0\0", b"\x02\0\0\0\0\0\0\0\0relative"] {
        assert_eq!(Cursor::from_bytes(wild, Some(by(SortBy::Size))), None);
    }
    // One that nobody gave out leads nowhere bad.
    let wild =
        Cursor::from_bytes(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff/x", Some(by(SortBy::Size)));
    ground.catalog.list(&Filter::default(), Some(by(SortBy::Size)), wild, 10).unwrap();
}
