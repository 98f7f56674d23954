//! Telling the service manager how we are: `sd_notify(3)`, and nothing at all without one.
//!
//! The messages are sd-notify's; the socket is our own, because it must not block: a service manager that does not
//! read would otherwise stop the service.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sd_notify::NotifyState;

use super::sanitize::is_unsafe;

/// What the service manager sets for this process alone.
const INHERITED: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

/// Longest status line, in bytes: what `systemctl status` shows on a wide screen.
const STATUS_LIMIT: usize = 200;

/// How long opening the journal may take before the service manager takes it to hang.
pub const OPENING: Duration = Duration::from_secs(30 * 60);

/// How long the first look at the folders may stand still; as long as it goes on, it may take as long as it takes.
pub const WALKING: Duration = Duration::from_secs(120);

/// The connection to the service manager. Every call is best effort: nobody can do anything about a lost notification.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`. Without them, or when the socket cannot be reached, every call does
    /// nothing.
    pub fn from_environment() -> Self {
        let Some(address) = std::env::var_os(INHERITED[0]).filter(|v| !v.is_empty()) else {
            return Self::silent();
        };
        Self::connect(&address, sd_notify::watchdog_enabled()).unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the service manager cannot be reached"
            );
            Self::silent()
        })
    }

    /// Tells nobody anything.
    pub fn silent() -> Self {
        Self { socket: None, watchdog: None }
    }

    /// To the socket at `address`: a path, or a name in the abstract namespace after `@`.
    ///
    /// # Errors
    /// There is no such socket, or no one listens.
    pub fn connect(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&resolve(address)?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket), watchdog })
    }

    /// Whether anybody hears: without a service manager a status need not even be put together.
    pub fn is_active(&self) -> bool {
        self.socket.is_some()
    }

    /// The service answers requests; after a reload, that the reload is over.
    pub fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    /// One line for people, as in `systemctl status`. File names may be in it: control characters are taken out (a line
    /// break would start a message of its own, such as `STOPPING=1`), and it is cut to 200 bytes.
    pub fn status(&self, line: &str) {
        let line: String = line.chars().filter(|c| !is_unsafe(*c)).collect();
        self.send(&[NotifyState::Status(&line[..line.floor_char_boundary(STATUS_LIMIT)])]);
    }

    /// A reload begins; [`Notifier::ready`] ends it. Carries the time that `Type=notify-reload` asks for.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// It takes longer than usual until [`Notifier::ready`]: at most so long from now on, if nothing more is said.
    pub fn extend_start(&self, by: Duration) {
        let usec = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        self.send(&[NotifyState::ExtendTimeoutUsec(usec)]);
    }

    /// The service is on its way out.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// How often [`Notifier::watchdog`] must be called: half of what the service manager allows, as
    /// `sd_watchdog_enabled(3)` recommends. `None`: never.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|limit| limit / 2).filter(|d| !d.is_zero())
    }

    /// The coordinator is alive. To be called by the task whose hanging should restart the service, not by a timer.
    pub fn watchdog(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a notification to the service manager was lost"
            );
        }
    }
}

/// Takes out of a child's environment what the service manager meant for us. Changing our own environment would need
/// `unsafe`, and be wrong once there are threads.
pub fn scrub(child: &mut Command) -> &mut Command {
    for name in INHERITED {
        child.env_remove(name);
    }
    child
}

fn resolve(address: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        if let Some(name) = address.as_bytes().strip_prefix(b"@") {
            return SocketAddr::from_abstract_name(name);
        }
    }
    SocketAddr::from_pathname(Path::new(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service manager, and the service connected to it.
    fn pair(watchdog: Option<Duration>) -> (tempfile::TempDir, UnixDatagram, Notifier) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let notifier = Notifier::connect(path.as_os_str(), watchdog).unwrap();
        (dir, manager, notifier)
    }

    fn receive(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let n = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    #[test]
    fn a_service_life_as_the_manager_hears_it() {
        let (_dir, manager, notifier) = pair(Some(Duration::from_secs(30)));
        assert!(notifier.is_active());
        notifier.extend_start(Duration::from_secs(120));
        assert_eq!(receive(&manager), "EXTEND_TIMEOUT_USEC=120000000\n");
        notifier.ready();
        assert_eq!(receive(&manager), "READY=1\n");
        notifier.watchdog();
        assert_eq!(receive(&manager), "WATCHDOG=1\n");
        notifier.reloading();
        let reloading = receive(&manager);
        let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
        assert!(usec.parse::<u64>().unwrap() > 0);
        notifier.stopping();
        assert_eq!(receive(&manager), "STOPPING=1\n");
        assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(15)));
    }

    #[test]
    fn a_file_name_cannot_stop_the_service() {
        let (_dir, manager, notifier) = pair(None);
        notifier.status("filing a\nSTOPPING=1\r\u{1b}[31m.pdf");
        assert_eq!(receive(&manager), "STATUS=filing aSTOPPING=1[31m.pdf\n");
        notifier.status(&"文".repeat(1_000));
        let long = receive(&manager);
        assert_eq!(long, format!("STATUS={}\n", "文".repeat(STATUS_LIMIT / "文".len())));
    }

    #[test]
    fn a_manager_that_never_reads_costs_nothing() {
        let (_dir, _manager, notifier) = pair(None);
        // A blocking socket would stop here for good, after net.unix.max_dgram_qlen messages.
        (0..10_000).for_each(|_| notifier.watchdog());
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let notifier = Notifier::silent();
        notifier.ready();
        assert!(!notifier.is_active());
        assert_eq!(notifier.watchdog_interval(), None);
        let missing = tempfile::tempdir().unwrap().path().join("nobody");
        assert!(Notifier::connect(missing.as_os_str(), None).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_is_reached() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("tidyd-notify-test-{}", std::process::id());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::connect(OsStr::new(&format!("@{name}")), None).unwrap().ready();
        assert_eq!(receive(&manager), "READY=1\n");
    }

    #[test]
    fn children_do_not_inherit_the_managers_variables() {
        let mut child = Command::new("env");
        child.env("NOTIFY_SOCKET", "/x").env("WATCHDOG_USEC", "1");
        let output = scrub(&mut child).output().unwrap();
        let environment = String::from_utf8_lossy(&output.stdout);
        assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"));
    }
}
