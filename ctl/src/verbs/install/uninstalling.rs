//! `service uninstall`.

use std::path::PathBuf;

use serde::Serialize;
use tidy_config::Environment;
use tidy_protocol::{ExitCode, WirePath};

use super::file;
use super::manager::{Found, Manager};
use super::purge::{self, Purged};
use super::seal::Whose;
use crate::cli::UninstallArgs;
use crate::error::Failure;
use crate::render::Look;
use crate::render::path::{one_line, shown};
use crate::run::{Ended, Session};

/// What was done, and what remains.
#[derive(Debug, Default, Serialize)]
struct Uninstalled {
    manager: &'static str,
    /// It ran, or was to start at login, and does neither any more.
    stopped: bool,
    removed: Vec<WirePath>,
    kept: Vec<Kept>,
    /// Configuration, state, cache: what `--purge` would remove. After that, nothing.
    remains: Vec<WirePath>,
    #[serde(skip)]
    purged: bool,
    /// Where the log is.
    log: String,
}

#[derive(Debug, Serialize)]
struct Kept {
    path: WirePath,
    why: String,
}

/// Stops it and removes what `install` wrote.
pub(super) fn uninstall(
    s: &mut Session,
    env: &Environment,
    manager: &dyn Manager,
    args: &UninstallArgs,
) -> Ended {
    if args.purge && !agreed(s, env, args)? {
        s.out.remark("nothing was done")?;
        return Ok(ExitCode::Failed);
    }
    let mut done = Uninstalled {
        manager: manager.name(),
        log: manager.log_remains(),
        ..Uninstalled::default()
    };
    match manager.look() {
        Ok(Some(found)) => remove(manager, &found, args, &mut done)?,
        Ok(None) => {}
        // Without a manager nothing can have been installed; configuration and state may go all the same.
        Err(none) if args.purge => s.out.remark(&one_line(&none.why))?,
        Err(none) => return Err(none.into()),
    }
    if args.purge {
        let Purged { removed, kept } = purge::purge(env)?;
        done.removed.extend(removed.into_iter().map(|p| WirePath::from(p.as_path())));
        done.kept.extend(
            kept.into_iter()
                .map(|(path, why)| Kept { path: path.as_path().into(), why: why.to_owned() }),
        );
        done.purged = true;
    } else {
        done.remains = purge::places(env).iter().map(|p| p.as_path().into()).collect();
    }
    s.out.show(&done, text)?;
    Ok(if done.kept.is_empty() { ExitCode::Ok } else { ExitCode::Partly })
}

/// Stops it, and removes its file if that is ours.
fn remove(
    manager: &dyn Manager,
    found: &Found,
    args: &UninstallArgs,
    done: &mut Uninstalled,
) -> Result<(), Failure> {
    let up = found.is_up();
    manager.stop()?;
    done.stopped = up || found.enabled;
    let Some(unit) = &found.file else { return Ok(()) };
    let failed = |e: std::io::Error| {
        let message = format!("{} cannot be removed: {e}", shown(unit.as_os_str()));
        Failure::new(ExitCode::Partly, message, "the service is stopped; remove the file by hand")
    };
    let whose = match manager.is_foreign(unit) {
        true => Some(Whose::Package),
        false => file::whose(unit).map_err(failed)?,
    };
    let why = match whose {
        None => return manager.forget(),
        Some(Whose::Ours) => None,
        Some(Whose::Theirs) if args.force => None,
        Some(Whose::Theirs) => Some("it was written or changed by hand; --force removes it"),
        Some(Whose::Package) => Some("it belongs to a package, and goes with that"),
    };
    match why {
        Some(why) => done.kept.push(Kept { path: unit.as_path().into(), why: why.to_owned() }),
        None => {
            file::remove(unit).map_err(failed)?;
            done.removed.push(unit.as_path().into());
            manager.forget()?;
        }
    }
    Ok(())
}

/// Whether configuration and state may go.
fn agreed(s: &mut Session, env: &Environment, args: &UninstallArgs) -> Result<bool, Failure> {
    let places = purge::places(env);
    if args.yes || places.is_empty() {
        return Ok(true);
    }
    if !s.out.can_ask() {
        let message = "configuration and state would go, and nobody is there to be asked";
        return Err(Failure::usage(message, "say --yes, or leave out --purge"));
    }
    let look = &s.out.look;
    let list: String = places.iter().map(|p: &PathBuf| format!("  {}\n", look.path(p))).collect();
    let question = format!(
        "This goes for good:\n{list}Your files stay where they are; what tidyd did can not be put back any more. Go on?"
    );
    s.out.confirm(&question)
}

fn text(look: &Look, done: &Uninstalled) -> String {
    let mut out = String::new();
    if done.stopped {
        out.push_str("the service is stopped, and does not start at login any more\n");
    }
    for path in &done.removed {
        out.push_str(&format!("removed: {}\n", look.path(path.as_path())));
    }
    for kept in &done.kept {
        out.push_str(&format!("kept:    {} ({})\n", look.path(kept.path.as_path()), kept.why));
    }
    if out.is_empty() {
        out.push_str("there is nothing to remove\n");
    }
    if done.purged && !done.kept.is_empty() {
        out.push_str(&format!(
            "\nNothing else of tidyd's is left but the log, {}. What was kept can be removed by hand, if nobody needs it.\n",
            done.log
        ));
    }
    if !done.remains.is_empty() {
        out.push_str("\nThis stays, and so do your files:\n");
        for path in &done.remains {
            out.push_str(&format!("  {}\n", look.path(path.as_path())));
        }
        out.push_str(&format!(
            "  the log, {}\n`tidyctl service uninstall --purge` removes configuration and state, too; what was done can not be \
             put back after that\n",
            done.log
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{plain, terminal};

    #[test]
    fn what_went_and_what_stays_is_told() {
        let path = |p: &str| WirePath(p.into());
        let mut done = Uninstalled {
            manager: "systemd",
            stopped: true,
            removed: vec![path("/home/a/.config/systemd/user/tidyd.service")],
            kept: vec![Kept { path: path("/home/a/x"), why: "tidyd has not made it".into() }],
            remains: vec![path("/home/a/.config/tidyd/config.toml")],
            purged: false,
            log: "in the journal".into(),
        };
        insta::assert_snapshot!(plain(&text(&terminal(), &done)), @r"
        the service is stopped, and does not start at login any more
        removed: ~/.config/systemd/user/tidyd.service
        kept:    ~/x (tidyd has not made it)

        This stays, and so do your files:
          ~/.config/tidyd/config.toml
          the log, in the journal
        `tidyctl service uninstall --purge` removes configuration and state, too; what was done can not be put back after that
        ");
        // Once more would remove no more.
        done.purged = true;
        done.remains.clear();
        insta::assert_snapshot!(plain(&text(&terminal(), &done)), @r"
        the service is stopped, and does not start at login any more
        removed: ~/.config/systemd/user/tidyd.service
        kept:    ~/x (tidyd has not made it)

        Nothing else of tidyd's is left but the log, in the journal. What was kept can be removed by hand, if nobody needs it.
        ");
        done = Uninstalled::default();
        assert_eq!(text(&terminal(), &done), "there is nothing to remove\n");
    }
}
