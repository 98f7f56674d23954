//! `service install`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tidy_config::{Config, Environment};
use tidy_protocol::{ExitCode, WirePath};

use super::file::{self, Put};
use super::manager::{Found, Manager, Unwritable};
use super::{answering_already, ended, programs};
use crate::cli::InstallArgs;
use crate::error::Failure;
use crate::render::Look;
use crate::render::path::shown;
use crate::run::Session;

/// How long one looks whether it runs. A first look at large folders takes longer: it goes on without us.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Installed {
    manager: &'static str,
    unit: WirePath,
    /// The unit or agent is new, or another one than before.
    written: bool,
    /// What a person had made of it, set aside.
    aside: Option<WirePath>,
    program: Option<WirePath>,
    active: String,
}

/// Installs it and has it started.
pub(crate) fn install(
    s: &Session,
    manager: &dyn Manager,
    args: &InstallArgs,
) -> Result<Installed, Failure> {
    let env = Environment::from_process()?;
    not_for_another()?;
    let found = manager.look()?;
    if !args.no_start {
        ready(s, &env, manager, found.as_ref())?;
    }
    let own = manager.own_file()?;
    if let Some(found) = found.as_ref().filter(|f| is_packaged(manager, f)) {
        return packaged(manager, found, args);
    }
    let job = programs::job(&env, args.program.as_deref())?;
    let text = manager.text(&job).map_err(|Unwritable(path)| {
        let message = format!(
            "{} has no place in a {} of {}",
            shown(path.as_os_str()),
            manager.kind(),
            manager.name()
        );
        Failure::new(ExitCode::Failed, message, "move the programs to a path of ordinary letters")
    })?;
    let put = file::put(&own, &text, args.force).map_err(|e| {
        let message = format!("{} cannot be written: {e}", shown(own.as_os_str()));
        Failure::new(ExitCode::Failed, message, "nothing was changed")
    })?;
    if put == Put::Kept {
        let message =
            format!("{} was written or changed by hand, and is kept", shown(own.as_os_str()));
        let hint = "see what is different in it; --force puts it aside and writes a new one";
        return Err(Failure::new(ExitCode::Failed, message, hint));
    }
    let changed = put != Put::Same;
    manager.enable(changed)?;
    let active = if args.no_start {
        manager.look()?.map_or_else(String::new, |f| f.active)
    } else {
        // One that ran the old unit is not the one that is waited for.
        let before = found.as_ref().and_then(|f| f.pid).filter(|_| changed);
        manager.start(changed)?;
        await_start(manager, before)?
    };
    Ok(Installed {
        manager: manager.name(),
        unit: own.as_path().into(),
        written: changed,
        aside: match put {
            Put::Aside(old) => Some(old.as_path().into()),
            _ => None,
        },
        program: Some(job.tidyd.as_path().into()),
        active,
    })
}

/// The service of a person is that person's: with sudo it would be root's.
fn not_for_another() -> Result<(), Failure> {
    let sudo = std::env::var_os("SUDO_UID").is_some_and(|uid| uid != "0");
    if sudo && rustix::process::geteuid().is_root() {
        let message = "with sudo this would be the service of root";
        let hint = "run it as yourself, without sudo; for a server there is tidyd@.service (see the guide)";
        return Err(Failure::usage(message, hint));
    }
    Ok(())
}

/// Whether it would run if it was started.
fn ready(
    s: &Session,
    env: &Environment,
    manager: &dyn Manager,
    found: Option<&Found>,
) -> Result<(), Failure> {
    let config = env.config_file();
    if !config.exists() {
        let message = format!("there is no configuration at {}", shown(config.as_os_str()));
        return Err(Failure::new(ExitCode::BadConfig, message, "make one with `tidyctl init`"));
    }
    Config::load(&config)?;
    if let Some(found) =
        found.filter(|f| matches!(f.active.as_str(), "masked" | "bad-setting" | "error"))
    {
        let message = format!("there is a unit, and systemd calls it {}", found.active);
        let hint = "`systemctl --user unmask tidyd`, or `systemctl --user status tidyd` says what is wrong in it";
        return Err(Failure::new(ExitCode::Failed, message, hint));
    }
    if found.is_some_and(Found::is_up) {
        return Ok(());
    }
    match answering_already(s, manager, found) {
        Some(pid) => Err(Failure::new(
            ExitCode::Failed,
            format!("tidyd runs already, started by hand (process {pid})"),
            format!("end it first (Ctrl-C in its terminal, or `kill {pid}`); or use --no-start"),
        )),
        None => Ok(()),
    }
}

fn is_packaged(manager: &dyn Manager, found: &Found) -> bool {
    found.file.as_deref().is_some_and(|file| manager.is_foreign(file))
}

/// A package has brought a unit: one of our own in front of it would outlive the package's next version.
fn packaged(
    manager: &dyn Manager,
    found: &Found,
    args: &InstallArgs,
) -> Result<Installed, Failure> {
    let unit: PathBuf = found.file.clone().unwrap_or_default();
    if args.program.is_some() {
        let message = format!("a package has brought {}", shown(unit.as_os_str()));
        let hint = "without --program it is enabled as it is; `systemctl --user edit tidyd` changes what it runs";
        return Err(Failure::usage(message, hint));
    }
    manager.enable(false)?;
    let active = if args.no_start {
        found.active.clone()
    } else {
        manager.start(false)?;
        await_start(manager, None)?
    };
    Ok(Installed {
        manager: manager.name(),
        unit: unit.as_path().into(),
        written: false,
        aside: None,
        program: found.program.as_deref().map(Into::into),
        active,
    })
}

/// Until it runs, as another process than `before`, or why it does not.
fn await_start(manager: &dyn Manager, before: Option<u32>) -> Result<String, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = manager.look()?.unwrap_or_default();
        match found.active.as_str() {
            "active" if before.is_none() || found.pid != before => return Ok(found.active),
            "failed" | "restarting" => {
                let why = found.last_end.as_ref().map(ended::words).unwrap_or_default();
                let fix = found.last_end.as_ref().map_or(ended::LOOK, ended::fix);
                let message = format!("it is installed, and does not run: {why}");
                return Err(Failure::new(ExitCode::Failed, message, fix));
            }
            _ if Instant::now() > deadline => return Ok(found.active),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// For people.
pub(crate) fn text(look: &Look, done: &Installed) -> String {
    let unit = look.path(done.unit.as_path());
    let mut out = match done.written {
        true => format!("{unit} is written"),
        false => format!("{unit} is as it should be"),
    };
    if let Some(old) = &done.aside {
        out.push_str(&format!("; what you had made of it is in {}", look.path(old.as_path())));
    }
    out.push('\n');
    if let Some(program) = &done.program {
        out.push_str(&format!("it runs {} at every login", look.path(program.as_path())));
    }
    out.push_str(match done.active.as_str() {
        "active" => ", and runs now\n",
        "inactive" | "" | "failed" => ", from the next on\n",
        _ => ", and is taking its first look at your folders\n",
    });
    out.push_str(&format!(
        "\nNext:\n  tidyctl status              what it watches, and what it has done\n  \
         tidyctl service logs -f     what it says\n{}",
        linger(done.manager)
    ));
    out
}

/// On a machine that nobody is logged in to it would not run.
fn linger(manager: &str) -> &'static str {
    match manager == "systemd" && Path::new("/run/systemd/system").exists() {
        true => "  loginctl enable-linger      let it run while you are not logged in\n",
        false => "",
    }
}
