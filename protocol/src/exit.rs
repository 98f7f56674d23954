//! Exit codes of `tidyd` and `tidyctl`. Scripts rely on them: numbers never change their meaning.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything asked for was done.
    Ok = 0,
    /// It failed; nothing, or nothing more, was changed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Some of it was done: the report says which part was not.
    Partly = 3,
    /// The daemon is not running.
    NotRunning = 4,
    /// Refused: permission, or a limit.
    Refused = 5,
    /// The daemon is running and cannot do its work: `tidyctl health` says why.
    Unwell = 6,
    /// The configuration is missing or wrong (`EX_CONFIG` of sysexits.h).
    BadConfig = 78,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
