//! Moments and spans for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `2026-11-20T14:00:00+01:00`. A moment that no calendar has is shown as its number.
pub(crate) fn absolute(ns: i64, tz: &TimeZone) -> String {
    moment(ns, tz, "%Y-%m-%dT%H:%M:%S%:z")
}

/// As `--since` takes it: `2026-11-20 14:00:05`, local time.
pub(crate) fn for_since(ns: i64, tz: &TimeZone) -> String {
    moment(ns, tz, "%Y-%m-%d %H:%M:%S")
}

/// `just now`, `3 min ago`, `2 h ago`, `yesterday 14:00`, then the date. What lies in the future is shown as it is.
pub(crate) fn ago(ns: i64, now: Timestamp, tz: &TimeZone) -> String {
    let Ok(then) = Timestamp::from_nanosecond(i128::from(ns)) else { return ns.to_string() };
    let seconds = now.as_second() - then.as_second();
    let days = now.to_zoned(tz.clone()).date() - then.to_zoned(tz.clone()).date();
    match seconds {
        0..10 => "just now".to_owned(),
        10..MINUTE => format!("{seconds} s ago"),
        MINUTE..HOUR => format!("{} min ago", seconds / MINUTE),
        s if (HOUR..DAY).contains(&s) && (s < 6 * HOUR || days.get_days() == 0) => {
            format!("{} h ago", s / HOUR)
        }
        s if s > 0 && days.get_days() == 1 => moment(ns, tz, "yesterday %H:%M"),
        _ => moment(ns, tz, "%Y-%m-%d %H:%M"),
    }
}

/// `42 s`, `3 min`, `2 h 5 min`, `4 d 2 h`.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

fn moment(ns: i64, tz: &TimeZone, format: &str) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(then) => then.to_zoned(tz.clone()).strftime(format).to_string(),
        Err(_) => ns.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{before, terminal};
    use super::*;

    #[test]
    fn the_nearer_the_finer() {
        let look = terminal();
        let table = [
            (3, "just now"),
            (59, "59 s ago"),
            (61, "1 min ago"),
            (3599, "59 min ago"),
            (2 * HOUR, "2 h ago"),
            (22 * HOUR, "yesterday 14:00"),
            (26 * HOUR, "yesterday 10:00"),
            (49 * HOUR, "2026-11-19 11:00"),
            (-90, "2026-11-21 12:01"),
        ];
        for (seconds, want) in table {
            assert_eq!(ago(before(seconds), look.now, &look.tz), want);
        }
    }

    #[test]
    fn absolute_times_carry_their_offset_and_extremes_do_no_harm() {
        let tz = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(absolute(before(0), &tz), "2026-11-21T14:00:00+02:00");
        for ns in [i64::MIN, i64::MAX, 0] {
            assert!(!absolute(ns, &tz).is_empty());
            assert!(!ago(ns, terminal().now, &tz).is_empty());
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, want) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (360_000, "4 d 4 h")]
        {
            assert_eq!(span(seconds), want);
        }
    }
}
