//! Long answers on a terminal, shown by the program a person reads long texts with: as git does it.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// What it is when nothing is said: colours as they are, nothing to press for what fits on the screen, and the text stays
/// there afterwards.
const DEFAULT: &str = "less -FRX";

/// Which pager a person wants: `TIDYD_PAGER`, else `PAGER`, else [`DEFAULT`]. Empty or `cat`: none.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    // One that cannot move the cursor: a pager would only ask for keys.
    if variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        return None;
    }
    let said = variable("TIDYD_PAGER").or_else(|| variable("PAGER"));
    let pager = said.unwrap_or_else(|| DEFAULT.to_owned());
    Some(pager.trim().to_owned()).filter(|p| !p.is_empty() && p != "cat")
}

/// Shows `text` in the pager that a person wants. `false`: there is none, and nothing was shown.
pub(crate) fn show(text: &str) -> io::Result<bool> {
    let Some(pager) = chosen(|name| std::env::var(name).ok()) else { return Ok(false) };
    // By a shell, since people give it options; the text never comes near the command line.
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("exec {pager}")).stdin(Stdio::piped());
    for (variable, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    let Ok(mut child) = command.spawn() else { return Ok(false) };
    let written = child.stdin.take().map_or(Ok(()), |mut to| to.write_all(text.as_bytes()));
    let status = child.wait()?;
    // 126, 127: the shell could not start it (POSIX, 2.8.2).
    if matches!(status.code(), Some(126 | 127)) {
        return Ok(false);
    }
    match written {
        // It was left before the end: enough was seen.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_wins_and_nothing_means_none() {
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(Variables, Option<&str>); 6] = [
            (&[], Some("less -FRX")),
            (&[("PAGER", "most")], Some("most")),
            (&[("PAGER", "most"), ("TIDYD_PAGER", "less -S")], Some("less -S")),
            (&[("PAGER", "most"), ("TIDYD_PAGER", "")], None),
            (&[("TIDYD_PAGER", " cat ")], None),
            (&[("PAGER", "cat")], None),
        ];
        for (set, want) in cases {
            let variable = |name: &str| {
                if name == "TERM" {
                    return Some("xterm".to_owned());
                }
                set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(chosen(variable).as_deref(), want, "{set:?}");
        }
        assert_eq!(chosen(|name| (name == "TERM").then(|| "dumb".to_owned())), None);
        assert_eq!(chosen(|_| None), None);
    }
}
