//! PNG: the texts beside the picture (W3C PNG, section 11.3.3), where programs that take screenshots
//! leave their names.

use std::io::{Read, Seek, SeekFrom};

use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata};

use super::{Limited, Why};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Chunks that are looked at; a picture has a few hundred.
const CHUNKS: usize = 10_000;

/// Of one text.
const TEXT_MAX: u32 = 4096;

pub(super) fn knows(media_type: &str) -> bool {
    matches!(media_type, "image/png" | "image/apng")
}

pub(super) fn texts(mut file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let mut signature = [0; 8];
    if file.read_exact(&mut signature).is_err() || signature != SIGNATURE {
        return Ok(());
    }
    for _ in 0..CHUNKS {
        let mut head = [0; 8];
        if file.read_exact(&mut head).is_err() {
            break;
        }
        let [a, b, c, d, kind @ ..] = head;
        let len = u32::from_be_bytes([a, b, c, d]);
        let mut left = i64::from(len) + 4;
        if matches!(&kind, b"tEXt" | b"iTXt") && len <= TEXT_MAX {
            let mut body = vec![0; len as usize];
            file.read_exact(&mut body).map_err(|e| e.to_string())?;
            text(&body, &kind == b"iTXt", into);
            left = 4;
        }
        if &kind == b"IEND" || file.seek(SeekFrom::Current(left)).is_err() {
            break;
        }
    }
    Ok(())
}

fn text(body: &[u8], international: bool, into: &mut Metadata) {
    let mut parts = body.splitn(2, |b| *b == 0);
    let (Some(keyword), Some(rest)) = (parts.next(), parts.next()) else { return };
    let value = if international {
        // A flag, a method, a language and the translated keyword stand before an uncompressed text.
        let Some([0, _, rest @ ..]) = Some(rest) else { return };
        let Some(text) = rest.splitn(3, |b| *b == 0).nth(2) else { return };
        String::from_utf8_lossy(text).into_owned()
    } else {
        rest.iter().map(|b| char::from(*b)).collect()
    };
    let key = match keyword {
        b"Author" => Key::Author,
        b"Comment" | b"Description" => Key::Comment,
        b"Software" => Key::Software,
        b"Title" => Key::Title,
        _ => return,
    };
    into.put_text(key, Some(&value), Source::Tags);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::metadata::testing::{of, text as value};

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&len, kind.as_slice(), body, b"\0\0\0\0"].concat()
    }

    #[test]
    fn a_picture_says_which_program_made_it() {
        let header = chunk(b"IHDR", b"\0\0\0\x10\0\0\0\x08\x08\x02\0\0\0");
        let png = [
            SIGNATURE,
            &header,
            &chunk(b"tEXt", b"Software\0gnome-screenshot"),
            &chunk(b"iTXt", "Title\0\0\0de\0Titel\0Schön".as_bytes()),
            &chunk(b"tEXt", b"Comment"),
            &chunk(b"IEND", b""),
        ]
        .concat();
        let m = of("image/png", &png);
        assert_eq!(value(&m, Key::Software), "gnome-screenshot");
        assert_eq!(value(&m, Key::Title), "Schön");
        assert_eq!((value(&m, Key::Width), value(&m, Key::Height)), ("16".into(), "8".into()));
        assert_eq!(m.get(Key::Comment), None);
    }
}
