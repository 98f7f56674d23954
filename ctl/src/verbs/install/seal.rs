//! Whether a unit or an agent is as it was written.
//!
//! A line of what is written has a checksum of all the others: a file that a person has changed since is theirs.

/// What stands before the checksum. **Frozen**: it is on people's disks.
const MARK: &str = "tidyctl-checksum: ";

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// `tidyctl service install`, and nobody has changed it.
    Ours,
    /// It was changed since, or written by hand.
    Theirs,
    /// It came with a package.
    Package,
}

impl Whose {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ours => "tidyctl",
            Self::Theirs => "person",
            Self::Package => "package",
        }
    }
}

/// `text` with `{checksum}` in one of its lines replaced by the mark.
pub(super) fn sealed(text: &str) -> String {
    let line = |l: &&str| !l.contains("{checksum}");
    let sum = checksum(text.split_inclusive('\n').filter(line));
    text.replacen("{checksum}", &format!("{MARK}{sum:08x}"), 1)
}

/// Who wrote it.
pub(super) fn whose(text: &str) -> Whose {
    let marked = text.lines().find_map(|l| l.split_once(MARK));
    let found = marked.and_then(|(_, rest)| u32::from_str_radix(rest.get(..8)?, 16).ok());
    let line = |l: &&str| !l.contains(MARK);
    let sum = checksum(text.split_inclusive('\n').filter(line));
    if found == Some(sum) { Whose::Ours } else { Whose::Theirs }
}

fn checksum<'t>(lines: impl Iterator<Item = &'t str>) -> u32 {
    lines.fold(0, |sum, line| crc32c::crc32c_append(sum, line.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_letter_makes_it_a_persons() {
        let text = sealed("# {checksum}\n[Service]\nExecStart=/usr/bin/tidyd\n");
        assert_eq!(whose(&text), Whose::Ours, "{text}");
        assert_eq!(whose(&text.replace("tidyd\n", "tidye\n")), Whose::Theirs);
        assert_eq!(whose(&format!("{text}Nice=5\n")), Whose::Theirs);
        assert_eq!(whose("[Service]\nExecStart=/usr/bin/tidyd\n"), Whose::Theirs);
        for mark in ["tidyctl-checksum: ", "tidyctl-checksum: zz", "tidyctl-checksum: ééééé"] {
            assert_eq!(whose(&format!("# {mark}\n")), Whose::Theirs);
        }
    }
}
