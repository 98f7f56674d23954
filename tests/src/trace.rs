//! System calls of a program, in order, as `strace -f -y -xx` wrote them down.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Options for strace; the path of the trace and the program follow. `calls` is a list as `-e trace=` takes it.
pub fn strace(calls: &str, trace: &Path) -> Vec<String> {
    // No byte of a name or of a buffer is left out, or may be taken for punctuation.
    let options = ["strace", "-f", "-y", "-qq", "-xx", "-s", "10000000"];
    let mut line: Vec<String> = options.map(str::to_owned).into();
    line.extend(["-e".to_owned(), format!("trace={calls}"), "-o".to_owned()]);
    line.push(trace.display().to_string());
    line
}

/// One system call. Calls of different threads overlap: `start` and `end` are lines of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub start: usize,
    pub end: usize,
    pub succeeded: bool,
    arguments: Vec<String>,
    result: String,
}

impl Call {
    /// The arguments as strace writes them.
    pub fn argument(&self, number: usize) -> &str {
        self.arguments.get(number).map_or("", String::as_str)
    }

    /// What an argument, a descriptor, stands for.
    pub fn descriptor(&self, number: usize) -> Option<PathBuf> {
        descriptor(self.argument(number))
    }

    /// What the descriptor that was returned stands for.
    pub fn opened(&self) -> Option<PathBuf> {
        descriptor(&self.result)
    }

    /// The bytes of an argument.
    pub fn bytes(&self, number: usize) -> Option<Vec<u8>> {
        let text = self.argument(number);
        // Dots would mean that something was left out.
        plain(text.strip_prefix('"')?.strip_suffix('"')?)
    }

    /// The path that an argument names, from the directory that the one before it is.
    pub fn path_at(&self, number: usize) -> Option<PathBuf> {
        Some(self.descriptor(number - 1)?.join(self.path(number)?))
    }

    /// The path that an argument names.
    pub fn path(&self, number: usize) -> Option<PathBuf> {
        Some(OsString::from_vec(self.bytes(number)?).into())
    }
}

/// `4</tmp/a>`, with a path in hexadecimal; `4</tmp/a>(deleted)`.
fn descriptor(text: &str) -> Option<PathBuf> {
    let (_, path) = text.split_once('<')?;
    let (path, _) = path.rsplit_once('>')?;
    Some(OsString::from_vec(plain(path)?).into())
}

/// `\x2f\x61` as bytes.
fn plain(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split("\\x");
    (parts.next() == Some("")).then_some(())?;
    parts.map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

/// Reads a trace.
///
/// # Panics
/// It is not one.
pub fn read(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let (thread, text) = line.split_once(' ').expect("a thread and its call");
        let text = text.trim_start();
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (number, begun));
        } else if let Some(resumed) = text.strip_prefix("<... ") {
            let (_, rest) = resumed.split_once(" resumed>").expect("the name of a call");
            let (start, begun) = unfinished.remove(thread).expect("a call that was begun");
            calls.extend(call(&format!("{begun}{rest}"), start, number));
        } else {
            calls.extend(call(text, number, number));
        }
    }
    calls
}

/// `None` for what is no call, and for one that never returned: `+++ killed by SIGKILL +++`, `exit(0) = ?`.
fn call(text: &str, start: usize, end: usize) -> Option<Call> {
    let (head, result) = text.rsplit_once(" = ")?;
    let (name, arguments) = head.trim_end().strip_suffix(')')?.split_once('(')?;
    let succeeded = !result.starts_with(['-', '?']);
    let arguments = arguments.split(", ").map(str::to_owned).collect();
    Some(Call {
        name: name.to_owned(),
        start,
        end,
        succeeded,
        arguments,
        result: result.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_put_together_from_their_parts() {
        let trace = r#"7 renameat2(3<\x2f\x61>, "\x78", 4<\x2f\x62>, "\x79", RENAME_NOREPLACE) = 0
7 fsync(3<\x2f\x61> <unfinished ...>
8  write(5<\x2f\x6c>(deleted), "\x00\x22"..., 5) = -1 EIO (Input/output error)
7 <... fsync resumed>)              = 0
8 openat(AT_FDCWD<\x2f\x63>, "\x64", O_RDWR|O_CREAT, 0600) = 9<\x2f\x63\x2f\x64>
8 +++ exited with 0 +++
"#;
        let calls = read(trace);
        let named = |name| calls.iter().find(|c| c.name == name).unwrap();
        let [rename, fsync, write, open] = ["renameat2", "fsync", "write", "openat"].map(named);
        assert_eq!(rename.path_at(1), Some("/a/x".into()));
        assert_eq!(rename.path_at(3), Some("/b/y".into()));
        assert_eq!((fsync.start, fsync.end, fsync.succeeded), (1, 3, true));
        assert_eq!(fsync.descriptor(0), Some("/a".into()));
        assert_eq!((write.descriptor(0), write.bytes(1)), (Some("/l".into()), None));
        assert!(!write.succeeded);
        assert_eq!(open.opened(), Some("/c/d".into()));
        assert_eq!(calls.len(), 4);
    }
}
