//! control: temporary shape until the room arrives.
use std::path::Path;
use std::sync::Arc;
use tidy_protocol::{Error, Event, JobInfo, Request, Response};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ControlError;
impl ControlError {
    pub fn hint(&self) -> &'static str {
        ""
    }
}
pub struct Listener;
pub fn bind(_p: &Path) -> Result<Listener, ControlError> {
    Ok(Listener)
}
pub trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send;
    fn subscribe(&self) -> impl Future<Output = (Event, broadcast::Receiver<Event>)> + Send;
    fn state(&self) -> impl Future<Output = Event> + Send;
    fn follow(&self, job: u64) -> Option<watch::Receiver<JobInfo>>;
}
pub async fn serve<H: Handler>(_l: Listener, _h: Arc<H>, closing: CancellationToken) {
    closing.cancelled().await
}
