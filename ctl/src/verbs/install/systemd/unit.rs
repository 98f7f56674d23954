//! The text of the user unit. Pure.
//!
//! Quoting is that of systemd.syntax(7) and systemd.service(5), "Command lines": `%` starts a specifier, `$` a variable in
//! arguments, and a quoted word knows the escapes of C. The path of the program itself may hold neither quotes nor
//! backslashes, whatever one does: then `env` runs it.

use std::ffi::OsStr;
use std::path::Path;

use super::super::manager::{Job, Unwritable};
use super::super::seal;

/// The unit of the packages, which this one differs from only by its paths.
const TEMPLATE: &str = include_str!("../../../../../systemd/tidyd.service");

/// The lines of it that name programs.
const START: &str = "ExecStart=/usr/bin/tidyd\n";
const RELOAD: &str = "ExecReload=/usr/bin/tidyctl reload\n";

const HEAD: &str = "\
# Written by `tidyctl service install`, removed by `tidyctl service uninstall`. `systemctl --user edit tidyd` changes what
# you like in a file of its own; a change in this one makes it yours: it is then neither replaced nor removed.
# {checksum}
#
";

/// The unit that runs these programs.
pub(super) fn unit(job: &Job) -> Result<String, Unwritable> {
    let mut start = format!("ExecStart={}\n", program(&job.tidyd)?);
    for (name, value) in &job.environment {
        let assignment = format!("{name}={}", utf8(value.as_os_str())?);
        start.push_str(&format!("Environment={}\n", quoted(&assignment, false)));
    }
    let reload = format!("ExecReload={} reload\n", program(&job.tidyctl)?);
    let body = TEMPLATE.replacen(START, &start, 1).replacen(RELOAD, &reload, 1);
    Ok(seal::sealed(&format!("{HEAD}{body}")))
}

/// The first words of a command line.
fn program(path: &Path) -> Result<String, Unwritable> {
    let text = utf8(path.as_os_str())?;
    if text.chars().any(char::is_control) {
        return Err(Unwritable(path.to_owned()));
    }
    Ok(match text.contains(['"', '\'', '\\']) {
        true => format!("/usr/bin/env {}", quoted(text, true)),
        false => quoted(text, false),
    })
}

fn utf8(text: &OsStr) -> Result<&str, Unwritable> {
    text.to_str().ok_or_else(|| Unwritable(text.into()))
}

/// One word. `argument`: of a command line, where `$` stands for a variable.
fn quoted(text: &str, argument: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '$' if argument => out.push_str("$$"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn job(dir: &str) -> Job {
        let dir = Path::new(dir);
        Job {
            tidyd: dir.join("tidyd"),
            tidyctl: dir.join("tidyctl"),
            environment: Vec::new(),
            home: "/home/a".into(),
        }
    }

    #[test]
    fn only_the_programs_differ_from_the_unit_of_the_package() {
        for line in [START, RELOAD] {
            assert_eq!(TEMPLATE.matches(line).count(), 1, "{line}");
        }
        let text = unit(&job("/home/a/.cargo/bin")).unwrap();
        assert_eq!(seal::whose(&text), seal::Whose::Ours);
        let packaged = text
            .replace("=/home/a/.cargo/bin/tidyd", "=/usr/bin/tidyd")
            .replace("=/home/a/.cargo/bin/tidyctl", "=/usr/bin/tidyctl");
        assert!(packaged.ends_with(TEMPLATE), "{text}");
    }

    #[test]
    fn paths_are_written_as_systemd_reads_them() {
        let start = |dir: &str| {
            let text = unit(&job(dir)).unwrap();
            text.lines().find_map(|l| l.strip_prefix("ExecStart=")).unwrap().to_owned()
        };
        assert_eq!(start("/a b"), "\"/a b/tidyd\"");
        assert_eq!(start("/50%/$HOME"), "\"/50%%/$HOME/tidyd\"");
        assert_eq!(start("/Größe"), "\"/Größe/tidyd\"");
        assert_eq!(start("/o'brien/$x\\"), "/usr/bin/env \"/o'brien/$$x\\\\/tidyd\"");
        for dir in [&b"/a\nExecStartPre=/bin/rm"[..], b"/\xff"] {
            assert!(unit(&job_in(dir)).is_err());
        }
    }

    fn job_in(dir: &[u8]) -> Job {
        Job { tidyd: Path::new(OsStr::from_bytes(dir)).join("tidyd"), ..job("/usr/bin") }
    }

    #[test]
    fn places_of_the_environment_are_kept() {
        let environment = vec![("TIDYD_CONFIG", "/a b/100%.toml\n$x".into())];
        let text = unit(&Job { environment, ..job("/usr/bin") }).unwrap();
        let want = "Environment=\"TIDYD_CONFIG=/a b/100%%.toml\\x0a$x\"\n";
        assert!(text.contains(&format!("{START}{want}")), "{text}");
    }
}
