//! Reading what the programs answer in JSON.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use serde_json::Value;

/// A path of an answer: text, or, where it is not UTF-8, an object with its bytes in `base64` (RFC 4648, section 4).
///
/// # Panics
/// It is neither.
#[track_caller]
pub fn path(value: &Value) -> PathBuf {
    if let Some(text) = value.as_str() {
        return text.into();
    }
    let bytes = value["base64"].as_str().and_then(decode);
    let Some(bytes) = bytes else { panic!("not a path: {value}") };
    assert!(std::str::from_utf8(&bytes).is_err(), "this one is text: {value}");
    assert!(value["text"].is_string(), "nothing for people to read: {value}");
    OsString::from_vec(bytes).into()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|d| *d == digit)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_whatever_their_bytes() {
        assert_eq!(path(&Value::from("/a b")), PathBuf::from("/a b"));
        let raw = serde_json::json!({ "text": "/\\xff\\xfe", "base64": "L//+" });
        assert_eq!(path(&raw), PathBuf::from(OsString::from_vec(b"/\xff\xfe".to_vec())));
        // The vectors of RFC 4648, section 10.
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode("!"), None);
    }
}
