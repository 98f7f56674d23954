//! `service`: tidyd as a service of a person's own, installed, looked at and removed.
//!
//! In: the person's places, and what the service manager knows. Out: a unit or an agent, and words to the manager. What is
//! written ([`systemd`]'s `unit`, [`launchd`]'s `agent`), what the manager's answers mean (`show`, `print`) and whose a
//! file is ([`seal`]) is pure, and tested on every system; [`manager::Manager`] is what both managers can do.
//!
//! **Invariant:** what was not written here, or was changed since, is neither replaced nor removed unless it is asked for.

pub(crate) mod ended;
mod file;
mod installing;
mod launchd;
mod logs;
pub(crate) mod manager;
mod programs;
mod purge;
mod seal;
mod status;
mod systemd;
mod uninstalling;

use std::path::Path;
use std::time::Duration;

use tidy_config::Environment;
use tidy_protocol::{Client, ExitCode, Patience, Request, Response};

pub(crate) use installing::{Installed, install, text as installed_text};
pub(crate) use programs::job;

use manager::{Found, Manager};

use crate::cli::ServiceVerb;
use crate::run::{Ended, Session};

/// Does one of them.
pub(crate) fn service(s: &mut Session, verb: &ServiceVerb) -> Ended {
    let env = Environment::from_process()?;
    let manager = of_this_system(&env);
    let manager = manager.as_ref();
    match verb {
        ServiceVerb::Install(args) => {
            let done = install(s, manager, args)?;
            s.out.show(&done, installed_text)?;
            Ok(ExitCode::Ok)
        }
        ServiceVerb::Uninstall(args) => uninstalling::uninstall(s, &env, manager, args),
        ServiceVerb::Status => status::status(s, manager),
        ServiceVerb::Logs(args) => logs::logs(s, manager, args),
    }
}

/// The service manager of this system.
pub(crate) fn of_this_system(env: &Environment) -> Box<dyn Manager> {
    if cfg!(target_os = "macos") {
        let uid = rustix::process::getuid().as_raw();
        Box::new(launchd::Launchd {
            launchctl: "/bin/launchctl".into(),
            home: env.home.clone(),
            uid,
        })
    } else {
        let units = |config: &Path| config.join("systemd/user");
        let places = [units(&env.config_home), units(&env.home.join(".config"))];
        Box::new(systemd::Systemd { places })
    }
}

/// How long tidyd may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process that answers on the control socket.
fn answering(s: &Session) -> Option<u32> {
    let patience = Patience { hello: PATIENCE, answer: PATIENCE };
    let mut client =
        Client::connect_with(&s.socket().ok()?, env!("CARGO_PKG_VERSION"), patience).ok()?;
    match client.call(&Request::Status) {
        Ok(Response::Status(status)) => Some(status.pid),
        _ => None,
    }
}

/// The same, unless asking would start one.
fn answering_already(s: &Session, manager: &dyn Manager, found: Option<&Found>) -> Option<u32> {
    let up = found.is_some_and(Found::is_up);
    if !up && manager.started_by().is_some() {
        return None;
    }
    answering(s)
}

#[cfg(test)]
mod tests;
