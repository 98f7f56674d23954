//! Limits of the system and how much of them is used, from `/proc` (proc(5), inotify(7)). Elsewhere nothing is known.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) used: u64,
    pub(super) limit: u64,
}

/// What the user has of inotify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Inotify {
    pub(super) watches: Option<Limit>,
    pub(super) instances: Option<Limit>,
}

/// Descriptors looked at before it is given up: the count is too low then, and the check says less.
const DESCRIPTORS: usize = 20_000;

/// Both limits of inotify, with what all processes of this user use: it is theirs together.
pub(super) fn inotify() -> Inotify {
    let limit = |name: &str| number(&Path::new("/proc/sys/fs/inotify").join(name));
    let (watches, instances) = used_by(rustix::process::geteuid().as_raw());
    let of = |used, limit: Option<u64>| limit.map(|limit| Limit { used, limit });
    Inotify {
        watches: of(watches, limit("max_user_watches")),
        instances: of(instances, limit("max_user_instances")),
    }
}

fn used_by(user: u32) -> (u64, u64) {
    let (mut watches, mut instances, mut left) = (0, 0, DESCRIPTORS);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let is_process = process.file_name().to_str().is_some_and(|n| n.parse::<u32>().is_ok());
        let ours = is_process && process.metadata().is_ok_and(|m| m.uid() == user);
        let Ok(descriptors) = fs::read_dir(process.path().join("fdinfo")) else { continue };
        for descriptor in descriptors.flatten().filter(|_| ours) {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return (watches, instances),
            };
            let fd = process.path().join("fd").join(descriptor.file_name());
            // Cheaper than reading what every descriptor says of itself.
            if !fs::read_link(fd).is_ok_and(|to| to == Path::new("anon_inode:inotify")) {
                continue;
            }
            instances += 1;
            let said = fs::read_to_string(descriptor.path()).unwrap_or_default();
            watches += said.lines().filter(|l| l.starts_with("inotify ")).count() as u64;
        }
    }
    (watches, instances)
}

/// Open files of a process of ours, and how many it may have.
pub(super) fn open_files(pid: u32) -> Option<Limit> {
    let process = Path::new("/proc").join(pid.to_string());
    let limit = soft_limit(&fs::read_to_string(process.join("limits")).ok()?)?;
    let used = fs::read_dir(process.join("fd")).ok()?.count() as u64;
    Some(Limit { used, limit })
}

/// `Max open files            1024                 524288               files`
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             1                    2                    processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(soft_limit("Max open files   unlimited  unlimited files"), Some(u64::MAX));
        assert_eq!(soft_limit("Max open files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_counted() {
        let before = open_files(std::process::id()).unwrap();
        assert!(before.used > 0 && before.used <= before.limit, "{before:?}");
        assert_eq!(open_files(u32::MAX), None);
    }
}
