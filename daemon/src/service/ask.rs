//! What reaches the loop from elsewhere in the service.

use tokio::sync::oneshot;

use super::Fatal;
use crate::coordinator::{Answer, Command};

/// What the control socket and the signals ask of the loop.
pub(super) enum Ask {
    Command(Command, oneshot::Sender<Answer>),
    /// Read the configuration again; answers once it has taken effect.
    Reload(oneshot::Sender<Result<(), Fatal>>),
    JobStarted,
    JobEnded,
    Shutdown,
}
