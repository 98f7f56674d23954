//! The sockets that are listened to while the service runs.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidy_protocol::ExitCode as Code;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::configure::Configured;
use super::handle::Handle;
use super::handler::Service;
use super::{Fatal, exporter};
use crate::control::{self, ControlError, Limits, Role, Room};

/// Answers under way have so long when the service ends.
const FAREWELL: Duration = Duration::from_millis(300);

/// One that everything can be asked on, and perhaps one for looking.
pub(super) struct Listening {
    closing: CancellationToken,
    sockets: Vec<JoinHandle<()>>,
    /// What can be read without asking.
    exporting: JoinSet<()>,
}

impl Listening {
    /// `handed` is a control socket that the service manager has opened.
    pub(super) async fn start(
        configured: &Configured,
        service: &Arc<Service>,
        handed: Option<OwnedFd>,
    ) -> Result<Self, Fatal> {
        let closing = CancellationToken::new();
        let handle = Arc::new(Handle(service.clone()));
        let stats = service.tallies().control.clone();
        let room = Room::new(handle, closing.clone(), Limits::default(), stats);
        let listener = match handed {
            Some(socket) => {
                tracing::info!("listening on the socket that was handed over");
                control::from_fd(socket)
            }
            None => {
                let bound = control::bind(&configured.socket);
                bound
                    .inspect(|_| tracing::info!(socket = %configured.socket.display(), "listening"))
            }
        };
        let listener = listener.map_err(refused)?;
        let mut sockets = vec![tokio::spawn(room.serve(listener, Role::Control))];
        if let Some((socket, group)) = &configured.read_only {
            let listener = bind_for_looking(socket, *group).map_err(refused)?;
            sockets.push(tokio::spawn(room.serve(listener, Role::Look)));
            tracing::info!(socket = %socket.display(), "listening, for looking only");
        }
        let exporting = exporter::start(&configured.metrics, service, &closing).await;
        Ok(Self { closing, sockets, exporting })
    }

    pub(super) async fn close(mut self) {
        self.closing.cancel();
        let closed = async {
            for socket in self.sockets {
                let _ = socket.await;
            }
            while self.exporting.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(FAREWELL, closed).await;
    }
}

fn bind_for_looking(socket: &Path, group: Option<u32>) -> Result<control::Listener, ControlError> {
    match group {
        Some(group) => control::bind_for_group(socket, group),
        None => control::bind(socket),
    }
}

fn refused(error: ControlError) -> Fatal {
    Fatal::new(Code::Failed, error.to_string(), error.hint())
}
