//! The service as the control room knows it.

use std::sync::Arc;

use tidy_protocol::{Error, Event, JobInfo, Request, Response};
use tokio::sync::{broadcast, watch};

use super::handler::Service;
use crate::control;

/// The service behind the socket.
pub(super) struct Handle(pub(super) Arc<Service>);

impl control::Handler for Handle {
    async fn handle(&self, request: Request) -> Result<Response, Error> {
        self.0.answer(request).await
    }

    async fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        // The receiver first: what happens while the state is put together is heard too.
        let events = self.0.heard();
        let state = self.0.status().await.unwrap_or_default();
        (Event::State(Box::new(state)), events)
    }

    fn follow(&self, job: u64) -> Option<watch::Receiver<JobInfo>> {
        self.0.jobs().get(job).map(|j| j.follow())
    }
}
