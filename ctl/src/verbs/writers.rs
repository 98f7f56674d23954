//! Who has a file open for writing, as far as this user may know: asked of `/proc` here, since the service is confined.

use std::path::Path;

/// Programs that are looked at; a machine seldom has more.
#[cfg(target_os = "linux")]
const PROGRAMS: usize = 8_192;

/// `NAME (PID)` of every program of this user that has it open for writing. Nothing where that cannot be told.
#[cfg(target_os = "linux")]
pub(super) fn of(path: &Path) -> Vec<String> {
    use std::fs;

    let Ok(programs) = fs::read_dir("/proc") else { return Vec::new() };
    let mut out = Vec::new();
    for program in programs.flatten().take(PROGRAMS) {
        let Some(pid) = program.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        // Others' are not for us to read.
        let Ok(open) = fs::read_dir(program.path().join("fd")) else { continue };
        let writes = |fd: fs::DirEntry| {
            let is_it = fs::read_link(fd.path()).is_ok_and(|target| target == path);
            is_it && is_for_writing(&program.path().join("fdinfo").join(fd.file_name()))
        };
        if open.flatten().any(writes) {
            let name = fs::read_to_string(program.path().join("comm")).unwrap_or_default();
            out.push(format!("{} ({pid})", crate::render::path::one_line(name.trim())));
        }
    }
    out
}

/// `flags` of proc_pid_fdinfo(5), octal: the last two bits are the access mode, 0 for reading alone.
#[cfg(target_os = "linux")]
fn is_for_writing(info: &Path) -> bool {
    let text = std::fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|f| u32::from_str_radix(f.trim(), 8).ok()).is_some_and(|f| f & 3 != 0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_: &Path) -> Vec<String> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_program_that_writes_is_named_and_one_that_reads_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().canonicalize().unwrap();
        let me = format!("({})", std::process::id());
        assert!(super::of(&path).iter().any(|w| w.ends_with(&me)));
        let (file, _kept) = file.into_parts();
        let _reading = std::fs::File::open(&path).unwrap();
        drop(file);
        assert_eq!(super::of(&path), [""; 0]);
    }
}
