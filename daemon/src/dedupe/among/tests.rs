//! Against the naive answer: two files are copies if and only if their bytes are equal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;

/// Files in memory, so to speak: unlinked ones, whose numbers stand for inodes.
struct Files {
    contents: Vec<Vec<u8>>,
    /// Which content each name has.
    names: Vec<usize>,
    opened: Mutex<Vec<usize>>,
}

impl Files {
    fn new(contents: Vec<Vec<u8>>, names: Vec<usize>) -> Self {
        Self { contents, names, opened: Mutex::default() }
    }

    /// `linked`: names of the same content are names of one inode.
    fn subjects(&self, linked: bool) -> Vec<Subject> {
        let subject = |(at, content): (usize, &usize)| Subject {
            size: self.contents[*content].len() as u64,
            inode: (1, if linked { *content } else { at } as u64),
            head: None,
            digest: None,
        };
        self.names.iter().enumerate().map(subject).collect()
    }

    fn compare(&self, subjects: &mut [Subject], readers: usize) -> Unread {
        let open = |at: usize| {
            self.opened.lock().unwrap().push(at);
            let mut file: File = tempfile::tempfile()?;
            file.write_all(&self.contents[self.names[at]])?;
            Ok(OwnedFd::from(file))
        };
        compare(subjects, &open, NonZeroUsize::new(readers).unwrap())
    }

    fn opened(&self) -> Vec<usize> {
        std::mem::take(&mut self.opened.lock().unwrap())
    }
}

/// Places of equal subjects, by what `compare` promises.
fn groups(subjects: &[Subject]) -> Vec<Vec<usize>> {
    let mut by: BTreeMap<(u64, Digest), Vec<usize>> = BTreeMap::new();
    for (at, subject) in subjects.iter().enumerate() {
        if let Some(digest) = subject.digest {
            by.entry((subject.size, digest)).or_default().push(at);
        }
    }
    let mut groups: Vec<_> = by.into_values().filter(|g| g.len() > 1).collect();
    groups.sort();
    groups
}

fn naive(files: &Files) -> Vec<Vec<usize>> {
    let mut by: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, content) in files.names.iter().enumerate() {
        by.entry(&files.contents[*content]).or_default().push(at);
    }
    let mut groups: Vec<_> = by.into_values().filter(|g| g.len() > 1).collect();
    groups.sort();
    groups
}

/// A length on either side of each limit, and one byte that differs at an interesting place.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let lens = prop::sample::select(vec![
        1,
        HEAD_LEN,
        HEAD_LEN + 1,
        WHOLE,
        WHOLE + 1,
        TAIL_FROM as usize - 1,
        TAIL_FROM as usize,
        TOGETHER_FROM as usize,
        TOGETHER_FROM as usize + 7,
    ]);
    (lens, 0..4usize).prop_map(|(len, edited)| {
        let mut content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let places = [0, len / 2, len - 1];
        if let Some(place) = places.get(edited) {
            content[*place] ^= 0xff;
        }
        content
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn copies_are_what_has_equal_bytes(
        contents in prop::collection::vec(content(), 1..12),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        readers in 1..4usize,
    ) {
        let names = picks.iter().map(|pick| pick.index(contents.len())).collect();
        let files = Files::new(contents, names);
        let mut subjects = files.subjects(false);
        prop_assert!(files.compare(&mut subjects, readers).is_empty());
        prop_assert_eq!(groups(&subjects), naive(&files));

        // What is known by then is enough: nothing is read again.
        files.opened();
        let before: Vec<_> = subjects.iter().map(|s| (s.head, s.digest)).collect();
        prop_assert!(files.compare(&mut subjects, readers).is_empty());
        prop_assert_eq!(files.opened(), Vec::<usize>::new());
        let after: Vec<_> = subjects.iter().map(|s| (s.head, s.digest)).collect();
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_size_of_its_own_and_other_names_of_one_inode_are_not_read() {
    let files = Files::new(vec![vec![1; 9], vec![2; 10], vec![3; 9]], vec![1, 0, 0]);
    let mut subjects = files.subjects(true);
    files.compare(&mut subjects, 2);
    assert_eq!(files.opened(), Vec::<usize>::new());
    assert_eq!(groups(&subjects), Vec::<Vec<usize>>::new());

    // Beside another inode of that size one of the names is, and all learn from it.
    let files = Files::new(vec![vec![1; 9], vec![2; 9]], vec![1, 0, 0]);
    let mut subjects = files.subjects(true);
    files.compare(&mut subjects, 2);
    assert_eq!(files.opened().len(), 2);
    assert_eq!(subjects[1].digest, subjects[2].digest);
    assert!(subjects[1].digest.is_some() && subjects[0].digest != subjects[1].digest);
}

#[test]
fn what_is_known_already_is_compared_with_what_is_not() {
    for len in [100, TOGETHER_FROM as usize + 1] {
        let files = Files::new(vec![vec![5; len]], vec![0, 0, 0]);
        let mut subjects = files.subjects(false);
        files.compare(&mut subjects[..2], 1);
        assert_eq!(files.opened().into_iter().filter(|at| *at == 2).count(), 0);
        files.compare(&mut subjects, 1);
        assert!(files.opened().iter().all(|at| *at == 2), "{len}");
        assert_eq!(groups(&subjects), [[0, 1, 2]]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_spoils_nothing() {
    for len in [100, TOGETHER_FROM as usize + 1] {
        for bad in 0..3 {
            let files = Files::new(vec![vec![5; len]], vec![0, 0, 0]);
            let mut subjects = files.subjects(false);
            let open = |at: usize| {
                if at == bad {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                let mut file: File = tempfile::tempfile()?;
                file.write_all(&files.contents[0])?;
                Ok(OwnedFd::from(file))
            };
            let unread = compare(&mut subjects, &open, NonZeroUsize::MIN);
            assert_eq!(unread.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [bad]);
            let rest: Vec<usize> = (0..3).filter(|at| *at != bad).collect();
            assert_eq!(groups(&subjects), [rest]);
        }
    }
}

#[test]
fn a_file_that_has_changed_its_length_is_told() {
    for len in [100, WHOLE + 1, TOGETHER_FROM as usize + 1] {
        let files = Files::new(vec![vec![5; len], vec![5; len - 1]], vec![0, 0, 1]);
        let mut subjects = files.subjects(false);
        subjects[2].size = len as u64;
        let unread = files.compare(&mut subjects, 1);
        assert_eq!(unread.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2], "{len}");
        assert_eq!(groups(&subjects), [[0, 1]]);
    }
}
