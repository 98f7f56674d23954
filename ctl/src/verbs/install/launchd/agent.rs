//! The text of the agent, launchd.plist(5). Pure.

use std::path::Path;

use super::super::manager::{Job, Unwritable};
use super::super::seal;

const TEMPLATE: &str = include_str!("../../../../../launchd/dev.tidyd.agent.plist");

/// What of the template is about one machine.
const PROGRAM: &str = "<string>@TIDYD@</string>";
const LOG: &str = "<string>@HOME@/Library/Logs/tidyd.log</string>";
const NEXT: &str = "    <key>RunAtLoad</key>\n";
const OPEN: &str = "<plist version=\"1.0\">\n";

const HEAD: &str = "\
<!--
  Written by `tidyctl service install`, removed by `tidyctl service uninstall`. A change in it makes it yours: it is then
  neither replaced nor removed. {checksum}
-->
";

/// Where the log is.
pub(super) fn log_file(home: &Path) -> std::path::PathBuf {
    home.join("Library/Logs/tidyd.log")
}

/// The agent that runs these programs.
pub(super) fn agent(job: &Job) -> Result<String, Unwritable> {
    let string = |path: &Path| -> Result<String, Unwritable> {
        Ok(format!("<string>{}</string>", escaped(path)?))
    };
    let program = string(&job.tidyd)?;
    let log = string(&log_file(&job.home))?;
    let mut variables = String::new();
    for (name, value) in &job.environment {
        let value = string(value)?;
        variables.push_str(&format!("        <key>{name}</key>\n        {value}\n"));
    }
    if !variables.is_empty() {
        variables =
            format!("    <key>EnvironmentVariables</key>\n    <dict>\n{variables}    </dict>\n");
    }
    let text = TEMPLATE
        .replacen(OPEN, &format!("{HEAD}{OPEN}"), 1)
        .replacen(PROGRAM, &program, 1)
        .replacen(LOG, &log, 1)
        .replacen(NEXT, &format!("{variables}{NEXT}"), 1);
    Ok(seal::sealed(&text))
}

/// As character data (XML 1.0, 2.4). Control characters have no place in XML, whatever one writes for them.
fn escaped(path: &Path) -> Result<String, Unwritable> {
    let text = path.to_str().filter(|t| !t.chars().any(char::is_control));
    let text = text.ok_or_else(|| Unwritable(path.to_owned()))?;
    Ok(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::program;

    fn job(home: &str) -> Job {
        let home = Path::new(home);
        Job {
            tidyd: home.join("bin/tidyd"),
            tidyctl: home.join("bin/tidyctl"),
            environment: Vec::new(),
            home: home.to_owned(),
        }
    }

    /// As Python's plistlib reads it; `None`, having said why, where there is no Python.
    fn read(text: &str) -> Option<Value> {
        const SCRIPT: &str =
            "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(text.as_bytes()).unwrap();
        let mut python = Command::new("python3");
        let said =
            program::run(python.args(["-c", SCRIPT]).arg(file.path()), Duration::from_secs(60));
        match said {
            Ok(said) => {
                assert!(said.ok, "{}: {text}", said.stderr);
                Some(serde_json::from_str(&said.stdout).unwrap())
            }
            Err(error) => {
                eprintln!("skipped, because python3 cannot be run: {error}");
                None
            }
        }
    }

    #[test]
    fn the_agent_is_a_property_list_with_these_paths() {
        for part in [PROGRAM, LOG, NEXT, OPEN] {
            assert_eq!(TEMPLATE.matches(part).count(), 1, "{part}");
        }
        for home in ["/Users/a", "/Users/a & b <c>--]]>", "/Users/Größe"] {
            let environment = vec![("TIDYD_STATE", Path::new(home).join("s"))];
            let text = agent(&Job { environment, ..job(home) }).unwrap();
            assert_eq!(seal::whose(&text), seal::Whose::Ours);
            let Some(agent) = read(&text) else { return };
            assert_eq!(agent["Label"], super::super::LABEL);
            assert_eq!(agent["ProgramArguments"][0], format!("{home}/bin/tidyd"));
            let log = agent["StandardErrorPath"].as_str().unwrap();
            assert_eq!(Path::new(log), log_file(Path::new(home)));
            assert_eq!(agent["EnvironmentVariables"]["TIDYD_STATE"], format!("{home}/s"));
        }
    }

    #[test]
    fn launchd_starts_it_at_login_and_after_crashes_in_the_background() {
        let Some(agent) = read(&agent(&job("/Users/a")).unwrap()) else { return };
        assert_eq!(agent["RunAtLoad"], true);
        assert_eq!(agent["ProcessType"], "Background");
        assert_eq!(agent["KeepAlive"]["SuccessfulExit"], false);
        for seconds in ["ThrottleInterval", "ExitTimeOut"] {
            assert!(agent[seconds].as_u64().unwrap() >= 30, "{seconds}");
        }
        assert!(agent["EnvironmentVariables"].is_null());
    }

    #[test]
    fn what_xml_cannot_say_is_refused() {
        for dir in [&b"/a\x1b"[..], b"/a\nb", b"/\xff"] {
            let tidyd = Path::new(OsStr::from_bytes(dir)).join("tidyd");
            assert!(agent(&Job { tidyd, ..job("/Users/a") }).is_err());
        }
    }
}
