//! Who asks: the processes at the other end, each with its share.
//!
//! The limits of a connection are not enough where one program may open all of them: what one client has in flight, at
//! work and on its way is counted together, over all of its connections. And whoever has little is served whatever others have: a
//! connection ([`super::seats`]), a few calls in flight and a few a second are kept for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::net::unix::UCred;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::limits::{Limits, Window};
use super::pool::Pool;

/// What may be asked on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Control,
    /// What changes nothing. The permissions of the socket say who may.
    Look,
}

/// Who asks, and what may be asked.
pub(super) struct Caller {
    pub(super) client: Arc<Client>,
    pub(super) role: Role,
}

/// The share of one client.
#[derive(Debug)]
pub(super) struct Client {
    /// Connections.
    pub(super) seats: Arc<Pool>,
    /// Calls in flight.
    pub(super) calls: Arc<Pool>,
    /// Tells it from all others since the start.
    pub(super) number: u64,
    /// KiB of large answers on their way.
    pub(super) answers: Arc<Semaphore>,
    rate: Mutex<Window>,
}

/// User and process. A process of another namespace has no number; those of one user are one client then.
type Key = (u32, Option<i32>);

/// All clients that have a connection.
#[derive(Debug)]
pub(super) struct Clients {
    limits: Limits,
    numbers: AtomicU64,
    known: Mutex<HashMap<Key, Weak<Client>>>,
    rate: Mutex<Window>,
}

impl Clients {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = Window::new(limits.overall_rate, Instant::now());
        Self {
            limits: limits.clone(),
            numbers: AtomicU64::new(0),
            known: Mutex::default(),
            rate: Mutex::new(rate),
        }
    }

    /// The client at the other end.
    pub(super) fn of(&self, peer: UCred) -> Arc<Client> {
        let mut known = locked(&self.known);
        let key = (peer.uid(), peer.pid());
        if let Some(client) = known.get(&key).and_then(Weak::upgrade) {
            return client;
        }
        // Never more than there are connections, and one.
        known.retain(|_, client| client.strong_count() > 0);
        let limits = &self.limits;
        let client = Arc::new(Client {
            seats: Pool::new(limits.client_connections),
            calls: Pool::new(limits.client_in_flight),
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            answers: Arc::new(Semaphore::new(limits.client_answers_kib)),
            rate: Mutex::new(Window::new(limits.client_rate, Instant::now())),
        });
        known.insert(key, Arc::downgrade(&client));
        client
    }

    /// Counts a call of this client, or says what there are too many of, and for how long.
    pub(super) fn count(
        &self,
        client: &Client,
        now: Instant,
    ) -> Result<(), (&'static str, Duration)> {
        // Its own limit first: what it is refused for does not count for the others.
        let own = {
            let mut rate = locked(&client.rate);
            rate.take(now).map_err(|wait| ("too many requests of this program", wait))?;
            rate.count(now)
        };
        match locked(&self.rate).take(now) {
            // Whoever asks now and then is not refused for what others do.
            Err(wait) if own > f64::from(self.limits.few_a_second) => {
                Err(("too many requests of all programs", wait))
            }
            _ => Ok(()),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
