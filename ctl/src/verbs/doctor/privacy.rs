//! Folders that macOS guards beyond their permissions, and how a program is let into them. Pure.
//!
//! Apple's name for it is Transparency, Consent and Control: a background program is not asked for, it is refused with EPERM
//! ("Operation not permitted"), where permissions alone would give EACCES.

use std::path::{Component, Path};

use tidy_protocol::ProblemInfo;

/// What to do for one of them.
const FIX: &str = "System Settings, Privacy & Security, Full Disk Access: add tidyd with +, switch it on, then: tidyctl service install";

/// Those of every person's home.
const GUARDED: [&str; 3] = ["Downloads", "Desktop", "Documents"];

/// What lets tidyd into a folder that it cannot read; `None`: it is not guarded.
pub(super) fn hint(folder: &Path, home: Option<&Path>, on_macos: bool) -> Option<&'static str> {
    if !on_macos {
        return None;
    }
    let below = folder.strip_prefix(home?).ok()?;
    let first = below.components().next();
    let guarded =
        matches!(first, Some(Component::Normal(name)) if GUARDED.iter().any(|g| name == *g));
    guarded.then_some(FIX)
}

/// The same for an error that tidyd has met on macOS.
pub(super) fn of_problem(problem: &ProblemInfo, home: Option<&Path>) -> Option<&'static str> {
    let texts =
        || std::iter::once(&problem.message).chain(problem.context.iter().map(|c| &c.value));
    let refused = texts().any(|text| text.contains("Operation not permitted"));
    let home = home?;
    let about = |text: &String| {
        GUARDED.iter().any(|g| home.join(g).to_str().is_some_and(|g| text.contains(g)))
    };
    (refused && texts().any(about)).then_some(FIX)
}

#[cfg(test)]
mod tests {
    use tidy_protocol::ProblemContext;

    use super::*;

    const HOME: Option<&str> = Some("/Users/a");

    #[test]
    fn only_guarded_folders_of_a_mac_need_consent() {
        let hint = |folder: &str, mac| hint(Path::new(folder), HOME.map(Path::new), mac);
        assert!(hint("/Users/a/Downloads/x", true).is_some_and(|h| h.contains("Full Disk Access")));
        assert!(hint("/Users/a/Desktop", true).is_some());
        for folder in ["/Users/a/Scans", "/Users/a", "/Volumes/Downloads", "/Users/a/DownloadsX"] {
            assert_eq!(hint(folder, true), None, "{folder}");
        }
        assert_eq!(hint("/Users/a/Downloads", false), None);
    }

    #[test]
    fn an_error_that_consent_would_cure_is_told_from_others() {
        let problem = |message: &str, path: &str| ProblemInfo {
            time_ns: 0,
            source: "tidyd::scan".into(),
            message: message.into(),
            context: vec![ProblemContext { name: "path".into(), value: path.into() }],
        };
        let of = |message, path| of_problem(&problem(message, path), HOME.map(Path::new));
        let refused = "cannot be read: Operation not permitted (os error 1)";
        assert!(of(refused, "/Users/a/Documents/x").is_some());
        assert_eq!(of(refused, "/srv/x"), None);
        assert_eq!(of("Permission denied", "/Users/a/Documents/x"), None);
    }
}
