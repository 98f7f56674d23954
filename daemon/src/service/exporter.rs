//! Where metrics can be read without asking: a file for node_exporter, and HTTP on the machine itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tidy_config::MetricsConfig;
use tidy_core::name;
use tidy_protocol::textfile;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::handler::Service;
use crate::metrics::http;

/// Starts what the configuration asks for, until `closing`. What cannot be done is a warning: files are filed all the same.
pub(super) async fn start(
    config: &MetricsConfig,
    service: &Arc<Service>,
    closing: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(file) = config.textfile.clone() {
        let (service, closing, every) = (service.clone(), closing.clone(), config.every);
        tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = keep(&service, file, every) => {}
            }
        });
    }
    if let Some(address) = config.listen {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let at = listener.local_addr().unwrap_or(address);
                tracing::info!(%at, "metrics and health are served at http://{at}/");
                let pages = Arc::new(Pages(service.clone()));
                tasks.spawn(http::serve(listener, pages, closing.clone()));
            }
            Err(error) => service
                .warn(format!("metrics are not served at {address}: {error}; {}", hint(&error))),
        }
    }
    tasks
}

fn hint(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => "choose another port (`metrics.listen`) and restart tidyd",
        Some(Errno::AFNOSUPPORT) => {
            "the unit allows Unix sockets alone: docs/metrics.md has the drop-in that allows more"
        }
        _ => "check `metrics.listen` and restart tidyd",
    }
}

/// Writes the file every while. What goes wrong is told when it begins and when it is over.
async fn keep(service: &Arc<Service>, file: PathBuf, every: Duration) {
    let shown = name::shown(file.as_os_str());
    let mut trouble = None;
    loop {
        let now = written(service, &file).await.err();
        if now != trouble {
            match &now {
                Some(why) => tracing::warn!("metrics are not written into {shown}: {why}"),
                None => tracing::info!("metrics are written into {shown} again"),
            }
            trouble = now;
        }
        tokio::time::sleep(every).await;
    }
}

async fn written(service: &Arc<Service>, file: &Path) -> Result<(), String> {
    let text = service.metrics().await.map_err(|e| e.message)?;
    let file = file.to_owned();
    let written = tokio::task::spawn_blocking(move || textfile::write(&file, &text)).await;
    written.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// The service as the HTTP side knows it.
struct Pages(Arc<Service>);

impl http::Pages for Pages {
    async fn metrics(&self) -> Result<String, String> {
        self.0.metrics().await.map_err(|e| e.message)
    }

    async fn health(&self) -> Result<(bool, String), String> {
        let health = self.0.health().await.map_err(|e| e.message)?;
        let text = serde_json::to_string(&health).map_err(|e| e.to_string())?;
        Ok((health.ok, text + "\n"))
    }
}
