//! File systems that change without telling this kernel.

use std::io;
use std::path::Path;

/// Magic numbers of `statfs(2)` (`linux/magic.h` and the file systems' own sources) for file systems whose
/// content other machines change too.
#[cfg(target_os = "linux")]
const REMOTE: &[u32] = &[
    0x0000_6969, // NFS
    0x0000_517b, // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9P
    0x5346_414f, // AFS (OpenAFS)
    0x6b41_4653, // AFS (kernel)
    0x00c3_6400, // Ceph
    0x7375_7245, // Coda
    0x7461_636f, // OCFS2
    0x0116_1970, // GFS2
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x786f_4256, // VirtualBox shared folders
    0xbacb_acbc, // VMware shared folders
];

/// `FUSE_SUPER_MAGIC`.
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// Whether changes at `path` may come from elsewhere, so that only scanning finds them: network file
/// systems, and FUSE unless it serves a disk of this machine (ntfs-3g, exfat).
///
/// # Errors
/// Of `statfs(2)` and `stat(2)`.
pub fn is_remote(path: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        // The numbers are 32 bits wide; `f_type` has other widths and signs here and there.
        #[expect(clippy::cast_possible_truncation, reason = "magic numbers are 32 bits")]
        let magic = rustix::fs::statfs(path)?.f_type as u32;
        if magic != FUSE {
            return Ok(REMOTE.contains(&magic));
        }
        // A FUSE mount of a block device has that device's number; any other has major number 0.
        Ok(rustix::fs::major(rustix::fs::stat(path)?.st_dev) == 0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let flags = rustix::fs::statvfs(path)?;
        let _ = flags;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_directory_is_not_remote_and_a_missing_one_is_an_error() {
        let t = tempfile::tempdir().unwrap();
        assert!(!is_remote(t.path()).unwrap());
        assert!(is_remote(&t.path().join("none")).is_err());
    }
}
