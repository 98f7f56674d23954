//! Messages, calendars and contacts.

use super::{NONE, OLE, Type, XML, binary, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    text("application/calendar+xml", "mail", XML, "xcs"),
    text("application/mbox", "mail", NONE, "mbox mbx"),
    binary("application/vnd.lotus-notes", "mail", NONE, "nsf"),
    binary("application/vnd.ms-outlook", "mail", OLE, "msg oft"),
    binary("application/vnd.ms-outlook-pst", "mail", NONE, "pst ost"),
    binary("application/vnd.ms-tnef", "mail", NONE, "tnef"),
    text("application/x-emlx", "mail", NONE, "emlx"),
    text("message/disposition-notification", "mail", NONE, "disposition-notification"),
    text("message/global", "mail", NONE, "u8msg"),
    text("message/rfc822", "mail", NONE, "eml mime nws"),
    text("text/calendar", "mail", NONE, "ics ical ifb icalendar"),
    text("text/vcard", "mail", NONE, "vcf vcard"),
    text("text/x-ldif", "mail", NONE, "ldif"),
    text("text/x-vcalendar", "mail", NONE, "vcs"),
];
