//! What is told of a confinement. What the kernel then refuses is tested on the real daemon.

#![expect(clippy::disallowed_methods, reason = "tests set up files")]

use super::*;

#[test]
fn reach_is_told_by_the_directory_itself_and_not_by_its_name() {
    let t = tempfile::tempdir().unwrap();
    let dir = |name: &str| {
        let dir = t.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    };
    let (root, read) = (dir("root"), dir("read"));
    let keys =
        Keys { write: key(&root).into_iter().collect(), read: key(&read).into_iter().collect() };
    let confined = Confinement::Landlock { abi: 7, folders: vec![root.clone()], keys };
    assert!(confined.may_write(&root) && confined.may_read(&root));
    assert!(confined.may_write(&root.join("not there/yet")));
    assert!(confined.may_read(&read) && !confined.may_write(&read));
    assert!(!confined.may_read(t.path()) && !confined.may_write(&dir("other")));
    assert_eq!(confined.to_string(), "confined to 1 folder (Landlock ABI 7)");
    // The number of an inode may be given again at once, so the old directory stays, elsewhere.
    std::fs::rename(&root, t.path().join("away")).unwrap();
    dir("root");
    assert!(!confined.may_write(&root));
    assert!(confined.may_write(&t.path().join("away")));
}

#[test]
fn without_a_confinement_everything_is_within_reach() {
    let off = Confinement::Off("this kernel has no Landlock".into());
    assert!(off.may_write(Path::new("/")) && off.may_read(Path::new("/")));
    assert_eq!(off.to_string(), "not confined: this kernel has no Landlock");
}
