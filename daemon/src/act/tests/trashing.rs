use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::act::trash::directory_for;

/// A trash below `out/`, not made yet.
fn trash(g: &Ground, name: impl AsRef<OsStr>) -> Place {
    let base = Arc::from(g.to.join("share/Trash"));
    Place::new(base, Path::new("files").join(name.as_ref())).unwrap()
}

fn info(in_trash: &Place) -> PathBuf {
    let mut name = in_trash.file_name().to_owned();
    name.push(".trashinfo");
    in_trash.base().join("info").join(name)
}

#[test]
fn into_the_trash_and_out_again() {
    let names: [&[u8]; 4] = [b"plain.txt", b"100%\nsure", b"\xff\xfe", "ü x".as_bytes()];
    for name in names {
        let g = Ground::one();
        let src = g.src(OsStr::from_bytes(name));
        put(&src, "hello");
        let before = id(&src);
        let there = trash(&g, src.file_name());
        let op = step(StepKind::Trash, Some(&src), Some(&there));
        assert_eq!(perform(&op).unwrap().landed, Some(before));
        assert!(!exists(&src));
        assert_eq!(id(&there), before);
        for dir in ["", "files", "info"] {
            let mode = fs::metadata(there.base().join(dir)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        let written = fs::read_to_string(info(&there)).unwrap();
        let mut lines = written.lines();
        assert_eq!(lines.next(), Some("[Trash Info]"));
        let path = lines.next().unwrap().strip_prefix("Path=").unwrap();
        assert_eq!(unescaped(path), src.path().as_os_str().as_bytes());
        let date = lines.next().unwrap().strip_prefix("DeletionDate=").unwrap();
        let date: jiff::civil::DateTime = date.parse().unwrap();
        let local = date.to_zoned(jiff::tz::TimeZone::system()).unwrap();
        assert_eq!(local.timestamp().as_second(), 1_700_000_000);

        let back = step(StepKind::Restore, Some(&there), Some(&src));
        assert_eq!(perform(&back).unwrap().landed, Some(before));
        assert_eq!(text(&src), "hello");
        assert!(!exists(&there) && !info(&there).exists());
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text}");
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).unwrap());
        out.extend(part[2..].bytes());
    }
    out
}

#[test]
fn in_the_trash_of_a_top_directory_paths_are_relative_to_it() {
    let uid = rustix::process::getuid().as_raw();
    for base in [format!(".Trash-{uid}"), format!(".Trash/{uid}")] {
        let g = Ground::one();
        let src = g.src("deep/f");
        put(&src, "x");
        let shared = g.from.join(".Trash");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        let there = Place::new(Arc::from(g.from.join(base)), "files/f".into()).unwrap();
        perform(&step(StepKind::Trash, Some(&src), Some(&there))).unwrap();
        let written = fs::read_to_string(info(&there)).unwrap();
        assert!(written.contains("\nPath=deep/f\n"), "{written}");
    }
}

#[test]
fn a_shared_trash_without_the_sticky_bit_is_not_used() {
    let g = Ground::one();
    let src = g.src("f");
    put(&src, "x");
    fs::create_dir(g.from.join(".Trash")).unwrap();
    let there = Place::new(Arc::from(g.from.join(".Trash/1")), "files/f".into()).unwrap();
    refused(&g, &step(StepKind::Trash, Some(&src), Some(&there)), "no-trash");
}

#[test]
fn a_name_taken_by_either_half_is_left_alone() {
    let g = Ground::one();
    let src = g.src("f");
    put(&src, "mine");
    let there = trash(&g, "f");
    let op = step(StepKind::Trash, Some(&src), Some(&there));
    put(&there, "another's");
    fs::create_dir_all(info(&there).parent().unwrap()).unwrap();
    refused(&g, &op, "destination-taken");
    assert!(!info(&there).exists());

    fs::remove_file(there.path()).unwrap();
    fs::write(info(&there), "another's").unwrap();
    refused(&g, &op, "destination-taken");
    assert_eq!(text(&src), "mine");
}

#[test]
fn nothing_is_made_for_a_file_that_is_gone() {
    let g = Ground::one();
    let src = g.src("f");
    put(&src, "x");
    let op = step(StepKind::Trash, Some(&src), Some(&trash(&g, "f")));
    fs::remove_file(src.path()).unwrap();
    refused(&g, &op, "source-gone");
    assert_eq!(fs::read_dir(&*g.to).unwrap().count(), 0);
}

#[test]
fn a_restored_file_does_not_replace_its_successor() {
    let g = Ground::one();
    let src = g.src("f");
    put(&src, "old");
    let there = trash(&g, "f");
    perform(&step(StepKind::Trash, Some(&src), Some(&there))).unwrap();
    put(&src, "new");
    refused(&g, &step(StepKind::Restore, Some(&there), Some(&src)), "destination-taken");
    assert!(info(&there).exists());
}

#[test]
fn the_home_trash_serves_its_own_device_and_the_top_directory_all_others() {
    let g = Ground::one();
    let src = g.src("f");
    put(&src, "x");
    let dev = stat(&src).dev;
    let home = g.to.join("not/made/yet/Trash");
    assert_eq!(directory_for(&src, dev, &home).unwrap(), home);
    assert!(!g.to.join("not").exists());

    let Some(two) = Ground::two() else { return };
    let far = two.dst("f");
    put(&far, "x");
    let dev = stat(&far).dev;
    let found = directory_for(&far, dev, &home).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let name = found.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name == format!(".Trash-{uid}") || name == uid.to_string(), "{name}");
    assert_eq!(beneath::stat_path(found.parent().unwrap()).unwrap().dev, dev);
}

#[test]
fn a_trash_on_another_device_still_works() {
    let Some(g) = Ground::two() else { return };
    let src = g.src("f");
    put(&src, "hello");
    let there = trash(&g, "f");
    let done = perform(&step(StepKind::Trash, Some(&src), Some(&there))).unwrap();
    assert_eq!(done.landed, Some(id(&there)));
    let back = step(StepKind::Restore, Some(&there), Some(&src));
    perform(&back).unwrap();
    assert_eq!(text(&src), "hello");
    assert!(!info(&there).exists());
}
