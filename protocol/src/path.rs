//! Paths on the wire: bytes, as the kernel has them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path that need not be UTF-8.
///
/// CBOR: a byte string. JSON: a string; for a path that is not UTF-8 an object with `text` (escaped
/// for reading) and `base64` (the bytes).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct WirePath(pub PathBuf);

impl WirePath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl From<PathBuf> for WirePath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<&Path> for WirePath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Serialize for WirePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.as_os_str().as_bytes();
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut both = serializer.serialize_struct("WirePath", 2)?;
                both.serialize_field("text", &bytes.escape_ascii().to_string())?;
                both.serialize_field("base64", &STANDARD.encode(bytes))?;
                both.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for WirePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathVisitor)
    }
}

struct PathVisitor;

impl<'de> Visitor<'de> for PathVisitor {
    type Value = WirePath;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path as bytes or text")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<WirePath, E> {
        Ok(WirePath(OsStr::from_bytes(bytes).into()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<WirePath, E> {
        Ok(WirePath(std::ffi::OsString::from_vec(bytes).into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WirePath, E> {
        Ok(WirePath(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WirePath, A::Error> {
        let mut bytes = None;
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if key == "base64" {
                bytes = Some(STANDARD.decode(value).map_err(de::Error::custom)?);
            }
        }
        let bytes = bytes.ok_or_else(|| de::Error::missing_field("base64"))?;
        self.visit_byte_buf(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_bytes_in_either_encoding() {
        for bytes in [&b"/a/plain name"[..], b"/a/\xff\xfe", b"/a/new\nline", b""] {
            let path = WirePath(OsStr::from_bytes(bytes).into());
            let cbor = crate::encode(&path).unwrap();
            assert_eq!(crate::decode::<WirePath>(&cbor).unwrap(), path);
            let json = serde_json::to_string(&path).unwrap();
            assert_eq!(serde_json::from_str::<WirePath>(&json).unwrap(), path, "{json}");
        }
    }
}
