//! Where a download came from: the extended attributes browsers and downloaders leave.
//!
//! `user.xdg.origin.url` and `user.xdg.referrer.url`
//! (freedesktop.org, CommonExtendedAttributes); written by curl, wget and KDE programs.

use std::fs::File;
use std::sync::Arc;

use rustix::io::Errno;
use tidy_core::facts::{Fact, Origin, Source};

/// Longest value read, bytes: what Linux allows one attribute (xattr(7)).
const MAX_VALUE: usize = 64 * 1024;
const URL: &str = "user.xdg.origin.url";
const REFERRER: &str = "user.xdg.referrer.url";

/// What the file says of its origin. [`Fact::Absent`] where it has no such attribute, or the file
/// system has none at all.
pub fn origin(file: &File) -> Fact<Origin> {
    let read = || Ok(Origin { url: attribute(file, URL)?, referrer: attribute(file, REFERRER)? });
    match read() {
        Ok(Origin { url: None, referrer: None }) => Fact::Absent,
        Ok(origin) => Fact::Known(origin, Source::Xattr),
        Err(e) => {
            let e: Errno = e;
            Fact::Unreadable(Arc::from(std::io::Error::from(e).to_string()))
        }
    }
}

fn attribute(file: &File, name: &str) -> Result<Option<String>, Errno> {
    let mut buf = [0u8; 2048];
    let value = match rustix::fs::fgetxattr(file, name, &mut buf[..]) {
        Ok(n) => buf[..n].to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0u8; MAX_VALUE];
            match rustix::fs::fgetxattr(file, name, &mut large[..]) {
                Ok(n) => {
                    large.truncate(n);
                    large
                }
                Err(e) => return absent(e),
            }
        }
        Err(e) => return absent(e),
    };
    let text = String::from_utf8_lossy(&value);
    // Some writers end the value with a zero byte or a newline.
    let text = text.trim_end_matches(['\0', '\n']).trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// No attribute, no attributes here, or longer than any address: the file does not say.
fn absent(e: Errno) -> Result<Option<String>, Errno> {
    match e {
        #[cfg(target_os = "linux")]
        Errno::NODATA => Ok(None),
        #[cfg(not(target_os = "linux"))]
        Errno::NOATTR => Ok(None),
        Errno::OPNOTSUPP | Errno::RANGE | Errno::TOOBIG | Errno::NOSYS => Ok(None),
        e => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, fsetxattr};

    #[test]
    #[expect(clippy::print_stderr, reason = "says why it was skipped")]
    fn the_address_is_read_from_the_attribute() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(origin(&file), Fact::Absent);
        let long = format!("https://example.org/{}", "x".repeat(3000));
        if let Err(e) = fsetxattr(&file, URL, long.as_bytes(), XattrFlags::empty()) {
            eprintln!("skipped, because this file system has no user attributes: {e}");
            return;
        }
        let value = origin(&file);
        assert_eq!(value.value().unwrap().url.as_deref(), Some(long.as_str()));
        assert_eq!(value.value().unwrap().referrer, None);
    }
}
