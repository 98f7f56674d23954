//! What all pages say alike.

/// Of both programs.
pub(crate) const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "All that was asked for was done."),
    ("1", "It failed; nothing, or nothing more, was changed."),
    ("2", "The command line makes no sense."),
    ("3", "Some of it was done; the report says which part was not."),
    ("4", "tidyd is not running."),
    ("5", "Refused: permission, a limit, or another tidyd."),
    ("6", "tidyd is running and cannot file anything; tidyctl health says why."),
    ("78", "The configuration is missing or wrong."),
];

/// An empty variable is one that is not set.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    ("TIDYD_CONFIG", "The configuration file, instead of $XDG_CONFIG_HOME/tidyd/config.toml."),
    ("TIDYD_STATE", "The state directory, instead of $XDG_STATE_HOME/tidyd."),
    ("TIDYD_SOCKET", "The control socket, instead of $XDG_RUNTIME_DIR/tidyd/control.sock."),
    ("TIDYD_LOG", "What tidyd logs: \"info\" (the default), or for instance \"info,tidyd=debug\"."),
    (
        "TIDYD_PAGER, PAGER",
        "What shows long answers of tidyctl on a terminal, instead of less(1); an empty one shows them as they are.",
    ),
    ("NO_COLOR", "Set to anything: no colours."),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME, XDG_DATA_HOME, XDG_RUNTIME_DIR",
        "Where a user's files of each kind are, by the XDG base directory specification.",
    ),
];

pub(crate) const FILES: &[(&str, &str)] = &[
    ("~/.config/tidyd/config.toml", "The configuration, see tidyd.toml(5)."),
    ("~/.local/state/tidyd/journal", "Everything that was done: what a rollback needs. Precious."),
    ("~/.local/state/tidyd/store", "An index. Built anew when it is lost."),
    ("~/.local/state/tidyd/errors", "The last errors, for tidyctl errors."),
    ("~/.cache/tidyd", "What tidyd scan remembers. It may be removed at any time."),
    (
        "$XDG_RUNTIME_DIR/tidyd/control.sock",
        "The control socket; in the state directory where there is no such variable.",
    ),
    ("/usr/share/doc/tidyd/examples", "Configurations to start from, where a package put them."),
];
