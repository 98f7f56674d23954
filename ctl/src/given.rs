//! What people give on the command line: moments, durations, paths, operations and batches.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use tidy_protocol::WirePath;

/// An operation or a batch: `12`, `batch:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Operation(u64),
    Batch(u64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| {
            format!(
                "write an operation such as `12`, or a batch such as `batch:3`, not `{}`",
                text.escape_debug()
            )
        };
        match text.strip_prefix("batch:") {
            Some(batch) => batch.parse().map(Self::Batch).map_err(wrong),
            None => text.parse().map(Self::Operation).map_err(wrong),
        }
    }
}

/// A moment in nanoseconds since the epoch: a duration ago, a time of day, a date, or both. For clap.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    moment_at(text, &Zoned::now())
}

fn moment_at(text: &str, now: &Zoned) -> Result<i64, String> {
    let text = text.trim();
    let then = match time_of_day(text) {
        Some(time) => time_before(time, now),
        None => instant(text, now),
    };
    then.and_then(nanoseconds).ok_or_else(no_time)
}

/// A moment as [`moment`] reads it, but never a guess: a time of day is today's, and what is still to come is an error.
/// For clap, where a mistake moves files.
pub(crate) fn past(text: &str) -> Result<i64, String> {
    past_at(text, &Zoned::now())
}

fn past_at(text: &str, now: &Zoned) -> Result<i64, String> {
    let text = text.trim();
    let time = time_of_day(text);
    let then = match time {
        Some(time) => local(now.date().to_datetime(time), now.time_zone()),
        None => instant(text, now),
    };
    let then = then.ok_or_else(no_time)?;
    if then <= now.timestamp() {
        return nanoseconds(then).ok_or_else(no_time);
    }
    Err(match now.date().yesterday().ok().filter(|_| time.is_some()) {
        Some(day) => format!("that time is still to come today; yesterday's is \"{day} {text}\""),
        None => "that time is still to come".to_owned(),
    })
}

/// How long ago, a date, or a time with its zone.
fn instant(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Some(ago) = parse_duration(text) {
        let ago = SignedDuration::try_from(ago).ok()?;
        return now.timestamp().checked_sub(ago).ok();
    }
    date(text)
        .and_then(|d| local(d, now.time_zone()))
        .or_else(|| text.parse().ok())
        .or_else(|| text.parse::<Zoned>().ok().map(|z| z.timestamp()))
}

fn nanoseconds(t: Timestamp) -> Option<i64> {
    i64::try_from(t.as_nanosecond()).ok()
}

fn no_time() -> String {
    "not a time; write how long ago (90s, 5m, 1h30m, 2d), a time of day (14:00) or a date (2026-11-20, \
     \"2026-11-20 14:00\", 2026-11-20T14:00:00+01:00)"
        .to_owned()
}

/// A duration: `90s`, `5m`, `1h30m`, `2d`. For clap.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text.trim())
        .ok_or_else(|| "not a duration; write 90s, 5m, 1h30m or 2d".to_owned())
}

/// Numbers each with a unit, larger units first.
fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 6] = [
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let (mut rest, mut total, mut units) = (text, 0_u64, UNITS.iter());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // Going on from the last unit refuses `5m1h` and `5m5m`.
        let (_, ms) = units.find(|(u, _)| *u == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*ms)?)?;
        rest = after;
    }
    Some(Duration::from_millis(total))
}

/// `14:00`, `14:00:30`.
fn time_of_day(text: &str) -> Option<Time> {
    let plausible = text.contains(':') && text.bytes().all(|b| b.is_ascii_digit() || b == b':');
    let parse = |format| Time::strptime(format, text).ok();
    plausible.then(|| parse("%H:%M").or_else(|| parse("%H:%M:%S"))).flatten()
}

/// Today at that time, or yesterday when that is still to come.
fn time_before(time: Time, now: &Zoned) -> Option<Timestamp> {
    let today = local(now.date().to_datetime(time), now.time_zone())?;
    if today <= now.timestamp() {
        return Some(today);
    }
    local(now.date().yesterday().ok()?.to_datetime(time), now.time_zone())
}

/// `2026-11-20`, `2026-11-20 14:00`, `2026-11-20T14:00:30`.
fn date(text: &str) -> Option<DateTime> {
    if let Some((date, time)) = text.split_once([' ', 'T']) {
        let date = Date::strptime("%Y-%m-%d", date).ok()?;
        return Some(date.to_datetime(time_of_day(time)?));
    }
    Date::strptime("%Y-%m-%d", text).ok().map(|d| d.to_datetime(Time::midnight()))
}

fn local(moment: DateTime, tz: &TimeZone) -> Option<Timestamp> {
    tz.to_timestamp(moment).ok()
}

/// A file as the daemon names it: absolute, symlinks in its directories resolved, not the file itself, which may be a
/// symlink or gone.
pub(crate) fn path(given: &Path) -> io::Result<WirePath> {
    let absolute = std::path::absolute(given)?;
    match (absolute.parent(), absolute.components().next_back()) {
        (Some(parent), Some(Component::Normal(name))) => Ok(resolved(parent).join(name).into()),
        _ => Ok(resolved(&absolute).into()),
    }
}

/// A directory as the daemon names it: a symlink to one means the one it leads to.
pub(crate) fn directory(given: &Path) -> io::Result<WirePath> {
    match fs::canonicalize(given) {
        Ok(real) if real.is_dir() => Ok(real.into()),
        _ => path(given),
    }
}

/// Symlinks resolved as far as the path exists.
fn resolved(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|a| Some((a, fs::canonicalize(a).ok()?)));
    match found.map(|(a, real)| (real, path.strip_prefix(a).unwrap_or(Path::new("")))) {
        Some((real, rest)) if rest.as_os_str().is_empty() => real,
        Some((real, rest)) => real.join(rest),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now: Zoned = "2026-11-21T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let ns = moment_at(text, &now).ok()?;
        let then = Timestamp::from_nanosecond(i128::from(ns)).unwrap();
        Some(then.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    #[test]
    fn moments_are_durations_times_of_day_and_dates() {
        for (text, want) in [
            ("90s", "2026-11-21 11:58:30"),
            ("1h30m", "2026-11-21 10:30:00"),
            ("2d", "2026-11-19 12:00:00"),
            ("12:00", "2026-11-21 12:00:00"),
            ("11:59", "2026-11-21 11:59:00"),
            ("14:00", "2026-11-20 14:00:00"),
            ("2026-11-20", "2026-11-20 00:00:00"),
            ("2026-11-20 14:00", "2026-11-20 14:00:00"),
            (" 2026-11-20T14:00:30 ", "2026-11-20 14:00:30"),
            ("2026-11-20T14:00:30Z", "2026-11-20 15:00:30"),
            ("2026-11-20 14:00:30+02:00", "2026-11-20 13:00:30"),
            ("2026-11-20T14:00[Asia/Tokyo]", "2026-11-20 06:00:00"),
        ] {
            assert_eq!(at(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn where_a_mistake_moves_files_a_time_to_come_is_an_error() {
        let now: Zoned = "2026-11-21T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        for text in ["1h", "12:00", "11:59", "2026-11-20", "2026-11-21T10:59:59Z"] {
            assert_eq!(past_at(text, &now), moment_at(text, &now), "{text}");
        }
        let refused = |text| past_at(text, &now).unwrap_err();
        assert!(refused("14:00").contains("\"2026-11-20 14:00\""), "{}", refused("14:00"));
        for text in ["2026-11-22", "2026-11-21 12:00:01", "2026-11-21T11:00:01Z"] {
            assert_eq!(refused(text), "that time is still to come", "{text}");
        }
        assert!(refused("soon").starts_with("not a time"));
    }

    #[test]
    fn everything_else_is_an_error() {
        for text in [
            "",
            "1",
            "h",
            "5m1h",
            "5m5m",
            "-5m",
            "1.5h",
            "25:00",
            "14",
            "2026-13-01",
            "2026-11-20 25:00",
            "yesterday",
            "99999999999999999999d",
            "999999999d",
            "5\u{fc}",
            "14:00\u{1b}",
        ] {
            assert_eq!(at(text), None, "{text:?}");
        }
        assert!(moment("soon").unwrap_err().contains("1h30m"));
        assert!(duration("14:00").unwrap_err().contains("90s"));
    }

    #[test]
    fn durations_have_units() {
        for (text, ms) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1s5ms", 1005),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn targets_are_operations_or_batches() {
        assert_eq!("12".parse(), Ok(Target::Operation(12)));
        assert_eq!("batch:3".parse(), Ok(Target::Batch(3)));
        for text in ["", "batch:", "batch:x", "-1", "12x", "op:3"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn directories_on_the_way_are_resolved_and_the_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", real.join("dangling")).unwrap();
        let file = |name: &str| path(&real.join(name)).unwrap().0;
        assert_eq!(file("link/a"), real.join("a"));
        assert_eq!(
            file("link/gone/too/a"),
            real.join("gone/too/a"),
            "what is gone is named all the same"
        );
        assert_eq!(file("link/dangling"), real.join("dangling"));
        assert_eq!(file("link"), real.join("link"), "a file is meant, and this is one");
        assert_eq!(directory(&real.join("link")).unwrap().0, real);
        assert_eq!(directory(&real.join("link/gone")).unwrap().0, real.join("gone"));
        assert_eq!(file("link/.."), real.parent().unwrap());
    }
}
