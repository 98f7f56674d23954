//! What goes between tidyd and a worker: one request with a file, one reply. Both ends are the same
//! program, so nothing of it is kept or versioned; but the far end has read what a stranger made, so
//! that its reply is taken for no more than a claim: bounded, and put into the types anew.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;
use tidy_core::facts::{Fact, Source};
use tidy_core::metadata::{Key, Metadata, Moment, Value};

/// A request is a media type and a number.
const REQUEST_MAX: usize = 4096;

/// The longest text and what frames it.
const REPLY_MAX: usize = 512 * 1024;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Want {
    Metadata,
    Text,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) want: Want,
    pub(super) media_type: String,
    /// Size of the file in bytes.
    pub(super) len: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Absent,
    Unreadable(String),
    Metadata(Vec<(String, WireValue, String)>),
    Text(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WireValue {
    Text(String),
    Number(u64),
    /// Date and time on a clock somewhere.
    Clock(String),
    /// Nanoseconds since 1970.
    Instant(i64),
    /// Nanoseconds.
    Length(u64),
}

/// What a reader can name as its source.
const SOURCES: [Source; 5] =
    [Source::Exif, Source::Tags, Source::Container, Source::Document, Source::Content];

impl Reply {
    pub(super) fn of_metadata(fact: Fact<Metadata>) -> Self {
        match fact {
            Fact::Known(found, _) => Self::Metadata(found.iter().map(row).collect()),
            Fact::Unreadable(why) => Self::Unreadable(why.to_string()),
            Fact::Absent | Fact::Unread => Self::Absent,
        }
    }

    pub(super) fn of_text(fact: Fact<Arc<str>>) -> Self {
        match fact {
            Fact::Known(text, _) => Self::Text(text.to_string()),
            Fact::Unreadable(why) => Self::Unreadable(why.to_string()),
            Fact::Absent | Fact::Unread => Self::Absent,
        }
    }

    pub(super) fn into_metadata(self) -> Fact<Metadata> {
        match self {
            Self::Metadata(rows) => {
                let mut found = Metadata::default();
                for (word, value, source) in rows {
                    let source = SOURCES.into_iter().find(|s| s.as_str() == source);
                    if let (Some(key), Some(value), Some(source)) =
                        (Key::from_word(&word), value.into_value(), source)
                    {
                        found.put(key, value, source);
                    }
                }
                Fact::Known(found, Source::Content)
            }
            Self::Unreadable(why) => Fact::Unreadable(why.into()),
            Self::Absent | Self::Text(_) => Fact::Absent,
        }
    }

    pub(super) fn into_text(self) -> Fact<Arc<str>> {
        match self {
            Self::Text(text) => Fact::Known(text.into(), Source::Content),
            Self::Unreadable(why) => Fact::Unreadable(why.into()),
            Self::Absent | Self::Metadata(_) => Fact::Absent,
        }
    }
}

fn row((key, value, source): (Key, &Value, Source)) -> (String, WireValue, String) {
    let value = match value {
        Value::Text(text) => WireValue::Text(text.clone()),
        Value::Number(n) => WireValue::Number(*n),
        Value::Moment(Moment::Local(at)) => WireValue::Clock(at.to_string()),
        Value::Moment(Moment::Instant(at)) => WireValue::Instant(at.0),
        Value::Length(d) => WireValue::Length(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
    };
    (key.word().to_owned(), value, source.as_str().to_owned())
}

impl WireValue {
    fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Text(text) => Value::Text(text),
            Self::Number(n) => Value::Number(n),
            Self::Clock(at) => Value::Moment(Moment::Local(at.parse().ok()?)),
            Self::Instant(at) => Value::Moment(Moment::Instant(UnixNanos(at))),
            Self::Length(nanos) => Value::Length(Duration::from_nanos(nanos)),
        })
    }
}

/// Sends a request with its file and waits for the reply.
pub(super) fn call(
    worker: &UnixStream,
    request: &Request,
    file: &impl AsFd,
    patience: Duration,
) -> io::Result<Reply> {
    let until = Instant::now() + patience;
    let frame = framed(request)?;
    super::passing::send(worker.as_fd(), &frame, file.as_fd())?;
    let mut len = [0; 4];
    read_until(worker, &mut len, until)?;
    let len = u32::from_be_bytes(len) as usize;
    if len > REPLY_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; len];
    read_until(worker, &mut body, until)?;
    tidy_protocol::decode(&body).map_err(io::Error::other)
}

/// Fills the buffer; however slowly the bytes come, it ends.
fn read_until(mut from: &UnixStream, buf: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        from.set_read_timeout(Some(left))?;
        match from.read(&mut buf[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The next request and its file; `None` when there will be no more.
pub(super) fn receive(from: &UnixStream) -> io::Result<Option<(Request, OwnedFd)>> {
    let mut buf = [0; REQUEST_MAX];
    let (mut filled, mut file) = (0, None);
    loop {
        let (n, came) = super::passing::receive(from.as_fd(), &mut buf[filled..])?;
        if n == 0 {
            return Ok(None);
        }
        filled += n;
        file = came.or(file);
        let Some((len, body)) = buf[..filled].split_first_chunk::<4>() else { continue };
        let len = u32::from_be_bytes(*len) as usize;
        if len > REQUEST_MAX - 4 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if body.len() >= len {
            let request = tidy_protocol::decode(&body[..len]).map_err(io::Error::other)?;
            return Ok(file.map(|file| (request, file)));
        }
    }
}

/// Sends a reply.
pub(super) fn answer(mut to: &UnixStream, reply: &Reply) -> io::Result<()> {
    to.write_all(&framed(reply)?)
}

fn framed(item: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = tidy_protocol::encode(item).map_err(io::Error::other)?;
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    Ok([&len.to_be_bytes(), body.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_through_as_they_were() {
        let mut found = Metadata::default();
        found.put(Key::Title, Value::Text("Ü".into()), Source::Tags);
        found.put(Key::Pages, Value::Number(3), Source::Document);
        let clock = "2024-05-06T10:00:00".parse().unwrap();
        found.put(Key::Taken, Value::Moment(Moment::Local(clock)), Source::Exif);
        let instant = Moment::Instant(UnixNanos::from_parts(1_714_989_600, 5));
        found.put(Key::Written, Value::Moment(instant), Source::Document);
        found.put(Key::Duration, Value::Length(Duration::from_millis(1500)), Source::Container);
        let fact = Fact::Known(found, Source::Content);
        let bytes = tidy_protocol::encode(&Reply::of_metadata(fact.clone())).unwrap();
        let reply: Reply = tidy_protocol::decode(&bytes).unwrap();
        assert_eq!(reply.into_metadata(), fact);
        let why = Fact::Unreadable(Arc::from("damaged"));
        assert_eq!(Reply::of_text(why.clone()).into_text(), why);
    }

    #[test]
    fn what_a_worker_makes_up_is_left_out() {
        let text = |t: &str| WireValue::Text(t.into());
        let reply = Reply::Metadata(vec![
            ("title".into(), text("two\nlines"), "tags".into()),
            ("nonesuch".into(), text("x"), "tags".into()),
            ("album".into(), text("x"), "given".into()),
            ("taken".into(), WireValue::Clock("soon".into()), "exif".into()),
        ]);
        let Fact::Known(found, _) = reply.into_metadata() else { panic!() };
        let values: Vec<_> = found.iter().map(|(k, v, _)| (k, v.to_string())).collect();
        assert_eq!(values, [(Key::Title, "two lines".to_owned())]);
    }

    #[test]
    fn a_request_comes_with_its_file_and_an_end_is_an_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let worker = std::thread::spawn(move || {
            let (request, _file) = receive(&theirs).unwrap().unwrap();
            answer(&theirs, &Reply::Text(request.media_type)).unwrap();
            receive(&theirs).unwrap().is_none()
        });
        let request = Request { want: Want::Text, media_type: "a/b".into(), len: 1 };
        let reply = call(&ours, &request, &file, Duration::from_secs(60)).unwrap();
        assert!(matches!(reply, Reply::Text(t) if t == "a/b"));
        drop(ours);
        assert!(worker.join().unwrap());
    }

    #[test]
    fn one_that_says_nothing_or_too_much_is_given_up() {
        let request = Request { want: Want::Text, media_type: "a/b".into(), len: 1 };
        let file = tempfile::tempfile().unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let silent = call(&ours, &request, &file, Duration::from_millis(1));
        assert!(silent.is_err());
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&u32::MAX.to_be_bytes()).unwrap();
        let boasting = call(&ours, &request, &file, Duration::from_secs(60));
        assert_eq!(boasting.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
