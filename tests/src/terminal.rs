//! A real terminal (that of tmux), for what people see and press.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Run, eventually, works};
use crate::world::World;

/// A shell in a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// `None`, having said why, where there is no tmux. Its variables are those of the world.
    pub fn open(world: &World, columns: u16, rows: u16) -> Option<Self> {
        if !works(&["tmux", "-V"]) {
            return None;
        }
        let terminal = Self { socket: world.socket().with_file_name("tmux") };
        let size = [columns.to_string(), rows.to_string()];
        // A shell without a history or a start file of anybody's.
        let mut command = world.command("tmux");
        command.args(["-f", "/dev/null", "-S"]).arg(&terminal.socket);
        command.args(["new-session", "-d", "-x", &size[0], "-y", &size[1], "env PS1='$ ' sh"]);
        let run = Run::of(&mut command);
        if run.code != 0 {
            eprintln!("skipped, because tmux does not work here: {}", run.stderr);
            return None;
        }
        Some(terminal)
    }

    /// A command of tmux.
    pub fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        Run::of(command.arg("-S").arg(&self.socket).args(arguments)).ok()
    }

    /// What stands on it.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// A key by tmux's name.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// A line for the shell.
    pub fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press("Enter");
    }

    /// Waits until it does.
    #[track_caller]
    pub fn shows(&self, what: &str) -> String {
        eventually(&format!("{what:?} on the screen"), || {
            let screen = self.screen();
            screen.contains(what).then_some(screen)
        })
    }

    /// The shell is there, reads keys, and shows them, and what stood there is gone: the terminal is as it was.
    #[track_caller]
    pub fn is_as_before(&self, gone: &str) {
        // Keys that come before it has ended are its own.
        eventually("tidyctl to end", || {
            let runs = self.tmux(&["display-message", "-p", "#{pane_current_command}"]);
            (runs.trim() != "tidyctl").then_some(())
        });
        self.run("echo back-$((40 + 2)); stty -a | grep -c ' echo '");
        let screen = self.shows("back-42");
        assert!(!screen.contains(gone), "{screen}");
        eventually("echo to be on", || {
            self.screen().lines().any(|l| l.trim() == "1").then_some(())
        });
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"]);
        assert_eq!(cursor.trim(), "1 0", "a cursor, and the usual screen");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}
