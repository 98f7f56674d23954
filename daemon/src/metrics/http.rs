//! `/metrics` and `/health` over HTTP/1.1, on the machine itself.
//!
//! Whoever has an account on the machine can connect, and so can a page in a browser. So nothing can be changed here,
//! everything is bounded, and a request must name this machine as its host: a page from elsewhere that gets its own name to
//! lead here (DNS rebinding) reads nothing.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at a time. Scrapers come one by one, and each gets one answer.
const CONNECTIONS: usize = 16;
/// How long a client may take to say what it wants.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may take in all, reading the answer included.
const ALL_WITHIN: Duration = Duration::from_secs(20);
/// How long an answer may take to be made.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes, and the most lines in it.
const HEAD: usize = 8 << 10;
const HEAD_LINES: usize = 64;
/// How long to wait after `accept` failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What is said to those that are too many.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What can be read.
pub trait Pages: Send + Sync + 'static {
    /// The metrics as text, or why there are none.
    fn metrics(&self) -> impl Future<Output = Result<String, String>> + Send;

    /// Whether all is well, and what was looked at, as JSON; or why that cannot be told.
    fn health(&self) -> impl Future<Output = Result<(bool, String), String>> + Send;
}

/// Serves until `closing`; what is under way then is cut off.
pub async fn serve<P: Pages>(listener: TcpListener, pages: Arc<P>, closing: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = closing.cancelled() => return,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for metrics");
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, closing.cancelled()).await;
                    continue;
                }
            },
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            turn_away(stream);
            continue;
        };
        let pages = pages.clone();
        tasks.spawn(async move {
            converse(stream, pages).await;
            drop(place);
        });
    }
}

/// Without waiting: it fits into the socket's own buffer, and a client that is gone does not matter.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(FULL);
    }
}

async fn converse<P: Pages>(stream: TcpStream, pages: Arc<P>) {
    let service = service_fn(move |request| {
        let (pages, asked) = (pages.clone(), asked(&request));
        async move {
            Ok::<_, Infallible>(match asked {
                Ok(asked) => answer(&*pages, asked).await,
                Err(refused) => *refused,
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .keep_alive(false)
        .max_buf_size(HEAD)
        .max_headers(HEAD_LINES)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(ALL_WITHIN, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a request for metrics"),
        Err(_) => tracing::debug!("cut off a client that does not read metrics"),
    }
}

type Page = Response<Full<Bytes>>;

/// What can be asked for.
enum Asked {
    Metrics,
    Health,
}

/// What a request asks for, or why it is refused.
fn asked(request: &Request<Incoming>) -> Result<Asked, Box<Page>> {
    let refused = |(status, why): (_, &str)| Box::new(page(status, TEXT, why.to_owned()));
    names_us(request).map_err(refused)?;
    let asked = match request.uri().path() {
        "/metrics" => Asked::Metrics,
        "/health" => Asked::Health,
        _ => {
            let text = "there are /metrics and /health\n".to_owned();
            return Err(Box::new(page(StatusCode::NOT_FOUND, TEXT, text)));
        }
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(asked);
    }
    let text = "this can be read with GET, and nothing else\n".to_owned();
    let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Err(Box::new(refused))
}

async fn answer<P: Pages>(pages: &P, asked: Asked) -> Page {
    let made = async {
        match asked {
            Asked::Metrics => Ok(page(StatusCode::OK, super::CONTENT_TYPE, pages.metrics().await?)),
            Asked::Health => {
                let (ok, text) = pages.health().await?;
                let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                Ok::<_, String>(page(status, JSON, text))
            }
        }
    };
    let late = || Err("tidyd does not answer in time".to_owned());
    let made = tokio::time::timeout(ANSWER_WITHIN, made).await.unwrap_or_else(|_| late());
    made.unwrap_or_else(|why| page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")))
}

/// Whether the request is meant for this machine, by the name it gives.
fn names_us(request: &Request<Incoming>) -> Result<(), (StatusCode, &'static str)> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return Err((StatusCode::BAD_REQUEST, "one Host is needed (RFC 9112, section 3.2)\n"));
    };
    // A request to a proxy names its target on the first line, which counts before the header.
    if is_loopback(host) && request.uri().host().is_none_or(is_loopback) {
        return Ok(());
    }
    Err((StatusCode::MISDIRECTED_REQUEST, "ask for localhost, 127.0.0.1 or [::1]\n"))
}

/// `NAME`, `NAME:PORT`, `[ADDRESS]:PORT`
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(text)));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for ours in ["localhost", "LOCALHOST:9427", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:1"]
        {
            assert!(is_loopback(ours), "{ours}");
        }
        for other in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "[::2]",
            "::2",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
