//! `read-only`: a second socket, on which can be asked and nothing be changed.

use std::path::{Path, PathBuf};

use crate::locations::SOCKET_PATH_MAX;
use crate::model::Config;
use crate::read::folder;
use crate::walk::{At, Keys, Table, Walk, quoted};

const KEYS: Keys = Keys::of(&["socket", "group"]);

/// The socket for looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnly {
    /// Absolute, or below `~`.
    pub socket: PathBuf,
    /// Who may use it, beside the user tidyd runs as: a name, or a number.
    pub group: Option<String>,
}

impl Config {
    /// The socket for looking, if there is to be one.
    pub fn read_only(&self) -> Option<&ReadOnly> {
        self.read_only.as_ref()
    }
}

pub(crate) fn read(walk: &mut Walk<'_>, top: &Table<'_, '_>) -> Option<ReadOnly> {
    let value = top.get("read-only")?;
    let table = walk.table(value, "read-only", "a table such as { socket = \"~/tidyd.sock\" }")?;
    walk.check_keys(&table, &KEYS);
    let key = table.path("socket");
    let Some(value) = table.get("socket") else {
        let hint = "read-only = { socket = \"/run/tidyd/look.sock\", group = \"adm\" }";
        walk.findings.add_with_hint(table.span, &key, "`socket` is missing", hint);
        return None;
    };
    let text = walk.string(value, &key, "a path")?;
    let At { value: socket, span } = folder(walk, &key, &text)?;
    if socket.as_os_str().len() > SOCKET_PATH_MAX || socket.file_name().is_none() {
        let message = format!("a socket needs a path of at most {SOCKET_PATH_MAX} bytes");
        walk.findings.add(span, &key, message);
        return None;
    }
    let group = match table.get("group") {
        None => None,
        Some(value) => {
            let text = walk.string(value, &table.path("group"), "the name of a group")?;
            Some(text.value)
        }
    };
    Some(ReadOnly { socket, group })
}

/// As it is written in a file; `path` quotes a path.
pub(crate) fn shown(read_only: &ReadOnly, path: impl Fn(&Path) -> String) -> String {
    let group = read_only.group.as_ref().map(|g| format!(", group = {}", quoted(g)));
    format!("{{ socket = {}{} }}", path(&read_only.socket), group.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn a_socket_and_a_group_are_read_and_shown() {
        assert_eq!(config("").unwrap().read_only(), None);
        let line = "read-only = { socket = \"~/look.sock\", group = \"adm\" }";
        let read = config(line).unwrap();
        let want = ReadOnly { socket: "~/look.sock".into(), group: Some("adm".into()) };
        assert_eq!(read.read_only(), Some(&want));
        assert!(read.show().contains(line), "{}", read.show());
        let alone = config("read-only = { socket = \"/run/x\" }").unwrap();
        assert_eq!(alone.read_only().unwrap().group, None);
    }

    #[test]
    fn what_is_no_socket_is_an_error() {
        let long = format!("read-only = {{ socket = \"/{}\" }}", "x".repeat(SOCKET_PATH_MAX));
        for (line, what) in [
            ("read-only = true", "table"),
            ("read-only = {}", "`socket` is missing"),
            ("read-only = { socket = \"relative\" }", "must be absolute"),
            ("read-only = { socket = \"/a\", grup = \"x\" }", "did you mean `group`"),
            ("read-only = { socket = \"/a\", group = 7 }", "name of a group"),
            (&long, "at most"),
        ] {
            let error = config(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
