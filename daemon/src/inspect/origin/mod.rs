//! Where a download came from: the extended attributes browsers and downloaders leave.
//!
//! In the order in which they are asked:
//! 1. `user.xdg.origin.url` and `user.xdg.referrer.url` (freedesktop.org, CommonExtendedAttributes):
//!    curl, wget and KDE programs.
//! 2. `com.apple.metadata:kMDItemWhereFroms`, a property list of the address and the page: browsers on
//!    macOS. Files keep it on Linux, too, under `user.` (rsync, tar) or as a stream of Samba's.
//! 3. `Zone.Identifier`, lines of `HostUrl=` and `ReferrerUrl=`: browsers on Windows. Samba and NTFS-3G
//!    show that stream as an attribute.

mod plist;

use std::fs::File;
use std::sync::Arc;

use rustix::io::Errno;
use tidy_core::facts::{Fact, Origin, Source};

/// Longest value read, bytes: what Linux allows one attribute (xattr(7)).
const MAX_VALUE: usize = 64 * 1024;
const URL: &str = "user.xdg.origin.url";
const REFERRER: &str = "user.xdg.referrer.url";

/// What the where-froms are called: by macOS, by programs that keep foreign attributes on Linux, and by
/// Samba's `vfs_streams_xattr` without and with `vfs_catia`, which maps the colon.
const WHERE_FROMS: &[&str] = &[
    #[cfg(target_os = "macos")]
    "com.apple.metadata:kMDItemWhereFroms",
    "user.com.apple.metadata:kMDItemWhereFroms",
    "user.DosStream.com.apple.metadata:kMDItemWhereFroms:$DATA",
    "user.DosStream.com.apple.metadata\u{f022}kMDItemWhereFroms:$DATA",
];

/// What the stream of Windows' browsers is called by Samba and by NTFS-3G.
const ZONES: &[&str] = &["user.DosStream.Zone.Identifier:$DATA", "user.Zone.Identifier"];

/// What the file says of its origin. [`Fact::Absent`] where it has no such attribute, or the file
/// system has none at all.
pub fn origin(file: &File) -> Fact<Origin> {
    match read(file) {
        Ok(Some(origin)) => Fact::Known(origin, Source::Xattr),
        Ok(None) => Fact::Absent,
        Err(e) => Fact::Unreadable(Arc::from(std::io::Error::from(e).to_string())),
    }
}

fn read(file: &File) -> Result<Option<Origin>, Errno> {
    let url = attribute(file, URL)?.and_then(|v| text(&v));
    let referrer = attribute(file, REFERRER)?.and_then(|v| text(&v));
    if url.is_some() || referrer.is_some() {
        return Ok(Some(Origin { url, referrer }));
    }
    let others = [(WHERE_FROMS, where_froms as Reader), (ZONES, zone)];
    for (names, reader) in others {
        for name in names {
            let said = attribute(file, name)?.and_then(|value| reader(&value));
            if said.is_some() {
                return Ok(said);
            }
        }
    }
    Ok(None)
}

type Reader = fn(&[u8]) -> Option<Origin>;

/// Addresses in the order in which macOS has them: of the file, and of the page with the link. What was
/// attached to a mail has a sender and a subject there instead, what came by AirDrop a device's name.
pub fn where_froms(value: &[u8]) -> Option<Origin> {
    let mut addresses = plist::strings(value).into_iter().filter(|s| is_address(s));
    let url = addresses.next()?;
    Some(Origin { url: Some(url), referrer: addresses.next() })
}

/// The lines of `[ZoneTransfer]`; a browser that tells nothing writes `about:internet`.
pub fn zone(value: &[u8]) -> Option<Origin> {
    let text = String::from_utf8_lossy(value);
    let of = |key: &str| {
        let mut lines = text.lines().take(64);
        let value = lines.find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches(['\0', ' ']).to_owned()).filter(|v| is_address(v))
    };
    let (url, referrer) = (of("HostUrl"), of("ReferrerUrl"));
    (url.is_some() || referrer.is_some()).then_some(Origin { url, referrer })
}

fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && !scheme.is_empty()
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    // Some writers end the value with a zero byte or a newline.
    let text = text.trim_end_matches(['\0', '\n']).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn attribute(file: &File, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    let mut buf = [0u8; 2048];
    match rustix::fs::fgetxattr(file, name, &mut buf[..]) {
        Ok(n) => return Ok(Some(buf[..n].to_vec())),
        Err(Errno::RANGE) => {}
        Err(e) => return absent(e),
    }
    let mut large = vec![0u8; MAX_VALUE];
    match rustix::fs::fgetxattr(file, name, &mut large[..]) {
        Ok(n) => {
            large.truncate(n);
            Ok(Some(large))
        }
        Err(e) => absent(e),
    }
}

/// No attribute, no attributes here, or longer than any address: the file does not say.
fn absent(e: Errno) -> Result<Option<Vec<u8>>, Errno> {
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

    fn origin_of(url: Option<&str>, referrer: Option<&str>) -> Origin {
        Origin { url: url.map(Into::into), referrer: referrer.map(Into::into) }
    }

    /// A file with these attributes; `None` where the file system takes none.
    #[expect(clippy::print_stderr, reason = "says why it was skipped")]
    fn marked(attributes: &[(&str, &[u8])]) -> Option<File> {
        let file = tempfile::tempfile().unwrap();
        for (name, value) in attributes {
            if let Err(e) = fsetxattr(&file, *name, value, XattrFlags::empty()) {
                eprintln!("skipped, because this file system has no user attributes: {e}");
                return None;
            }
        }
        Some(file)
    }

    #[test]
    fn the_address_is_read_from_the_attribute() {
        assert_eq!(origin(&tempfile::tempfile().unwrap()), Fact::Absent);
        let long = format!("https://example.org/{}", "x".repeat(3000));
        let Some(file) = marked(&[(URL, long.as_bytes())]) else { return };
        assert_eq!(origin(&file), Fact::Known(origin_of(Some(&long), None), Source::Xattr));
    }

    #[test]
    fn what_macos_and_windows_wrote_is_read_where_no_other_attribute_says_it() {
        let (mac, page) = ("https://a.example/f.pdf", "https://a.example/");
        let froms = plist::tests::written(&[mac, page]);
        let known = |o| Fact::Known(o, Source::Xattr);
        for name in WHERE_FROMS.iter().filter(|n| n.starts_with("user.")) {
            let Some(file) = marked(&[(name, &froms)]) else { return };
            assert_eq!(origin(&file), known(origin_of(Some(mac), Some(page))), "{name}");
        }
        let zone = b"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://b.example/x.exe\r\n\0";
        let Some(file) = marked(&[(ZONES[0], zone)]) else { return };
        assert_eq!(origin(&file), known(origin_of(Some("https://b.example/x.exe"), None)));
        let Some(file) = marked(&[(ZONES[0], zone), (WHERE_FROMS[1], &froms), (URL, b"c://d")])
        else {
            return;
        };
        assert_eq!(origin(&file), known(origin_of(Some("c://d"), None)));
    }

    #[test]
    fn what_is_no_address_says_nothing() {
        let mail = ["Jane Doe <jane@example.org>", "Subject", "message:%3Cx@y%3E"];
        assert_eq!(where_froms(&plist::tests::written(&mail)), None);
        assert_eq!(where_froms(b"bplist00"), None);
        assert_eq!(zone(b"[ZoneTransfer]\nZoneId=3\nHostUrl=about:internet\n"), None);
        let referred = zone(b"ReferrerUrl=https://b.example/\nHostUrl=about:internet");
        assert_eq!(referred, Some(origin_of(None, Some("https://b.example/"))));
    }
}
