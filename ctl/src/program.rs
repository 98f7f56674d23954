//! Other programs: run to their end, with a limit and all that they said.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// More than any of them has to say; what is beyond is not read.
const MOST: u64 = 64 << 10;

/// How long its output may stay open after its end: by a child of its own, say.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// It ended with 0.
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The first line of what it complained about.
    pub(crate) fn complaint(&self) -> &str {
        let lines = self.stderr.lines().chain(self.stdout.lines()).map(str::trim);
        lines.into_iter().find(|line| !line.is_empty()).unwrap_or("it failed without a word")
    }
}

/// Runs it without input; one that takes longer is killed.
///
/// # Errors
/// It cannot be started, or took too long ([`io::ErrorKind::TimedOut`]).
pub(crate) fn run(command: &mut Command, patience: Duration) -> io::Result<Said> {
    let deadline = Instant::now() + patience;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (read(child.stdout.take())?, read(child.stderr.take())?);
    let Some(status) = ended(&mut child, deadline)? else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(io::ErrorKind::TimedOut.into());
    };
    let text = |from: Receiver<String>| from.recv_timeout(AFTERWARDS).unwrap_or_default();
    Ok(Said { ok: status.success(), stdout: text(stdout), stderr: text(stderr) })
}

fn ended(child: &mut Child, deadline: Instant) -> io::Result<Option<std::process::ExitStatus>> {
    loop {
        match child.try_wait()? {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            status => return Ok(status),
        }
    }
}

/// On a thread of its own: a full pipe would hold the program up.
fn read(from: Option<impl Read + Send + 'static>) -> io::Result<Receiver<String>> {
    let (sender, text) = sync_channel(1);
    std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was said until then is better than nothing.
            let _ = from.by_ref().take(MOST).read_to_end(&mut bytes);
            let _ = io::copy(&mut from, &mut io::sink());
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_and_how_it_ends_is_told() {
        let long = Duration::from_secs(60);
        let shell = |script: &str, patience| run(Command::new("sh").args(["-c", script]), patience);
        let said = shell("echo a; echo >&2; echo no such unit >&2; exit 1", long).unwrap();
        assert_eq!((said.ok, &*said.stdout, said.complaint()), (false, "a\n", "no such unit"));
        let much = shell("head -c 300000 /dev/zero | tr '\\0' x", long).unwrap();
        assert!(much.ok && much.stdout.len() as u64 == MOST);
        let late = shell("exec sleep 600", Duration::ZERO).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let none = run(&mut Command::new("/no/such/program"), long).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }
}
