//! What kind of disk a directory is on.

use std::path::Path;

/// Whether reading here means moving a head over a disk that turns, so that two readers are slower than one. What the
/// system does not tell (several disks as one, networks, other systems than Linux) does not turn.
pub fn turns(dir: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        let Ok(stat) = crate::beneath::stat_path(dir) else { return false };
        let (major, minor) = (rustix::fs::major(stat.dev), rustix::fs::minor(stat.dev));
        let device = format!("/sys/dev/block/{major}:{minor}");
        // The disk of a virtual machine says that it turns unless somebody has said otherwise (virtio_blk, xen-blkfront), and has
        // what the host has: mostly flash, and many disks.
        let is_virtual = |path: std::path::PathBuf| {
            let mut parts = path.iter().filter_map(|part| part.to_str());
            parts.any(|part| part.starts_with("virtio") || part.starts_with("vbd-"))
        };
        if std::fs::canonicalize(&device).is_ok_and(is_virtual) {
            return false;
        }
        // A partition has no queue of its own; the disk is the directory above it (sysfs(5)).
        let answers = ["queue/rotational", "../queue/rotational"]
            .map(|file| std::fs::read_to_string(Path::new(&device).join(file)));
        answers.into_iter().flatten().next().is_some_and(|answer| answer.trim() == "1")
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = dir;
        false
    }
}
