//! Sizes for people.

use bytesize::ByteSize;

/// `512 B`, `1.5 MB`: powers of 1,000, as file managers and disks count.
pub(crate) fn readable(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

/// A size on the command line: `10MB`, `1.5 GiB`, `4096`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| size.0)
        .map_err(|_| "not a size; write 4096, 10MB or 1.5GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_in_the_same_units() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("10MB", 10_000_000), ("1 GiB", 1 << 30)] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        assert!(parse("ten").is_err() && parse("").is_err() && parse("-1").is_err());
        assert_eq!(readable(10_000_000), "10.0 MB");
        assert_eq!(readable(999), "999 B");
        assert_eq!(parse(&readable(1_500_000)), Ok(1_500_000));
    }
}
