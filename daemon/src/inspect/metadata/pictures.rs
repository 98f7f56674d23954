//! Pictures: Exif by two readers that know different formats, and the size by their headers.

use std::io::BufReader;

use exif::{Exif, In, Tag, Value as Raw};
use jiff::civil::DateTime;
use nom_exif::{EntryValue, ExifTag, MediaParser, MediaSource};
use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata, Moment, Value};

use super::{Limited, Why};

/// Pictures that neither reader understands are as common as pictures without Exif, so that what
/// cannot be parsed counts as "says nothing"; only what cannot be read is an error, and Exif of which nothing is left.
pub(super) fn knows(media_type: &str) -> bool {
    media_type.starts_with("image/") && media_type != "image/svg+xml"
}

/// JPEG, TIFF and raws made like it, HEIF, AVIF, PNG, WebP.
pub(super) fn exif(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let mut reader = BufReader::new(file);
    let found = exif::Reader::new().continue_on_error(true).read_from_container(&mut reader);
    let found = match found {
        Ok(found) => found,
        Err(exif::Error::PartialResult(part)) => {
            let (found, _) = part.into_inner();
            // There is Exif, and nothing of it can be told: that is another thing than none.
            if found.fields().len() == 0 {
                return Err("its Exif data is damaged".to_owned());
            }
            found
        }
        Err(exif::Error::Io(e)) if e.kind() == std::io::ErrorKind::Other => {
            return Err(e.to_string());
        }
        Err(_) => return Ok(()),
    };
    let text = |tag| found.get_field(tag, In::PRIMARY).and_then(|f| first_text(&f.value));
    let camera = text(Tag::Model).or_else(|| text(Tag::Make));
    into.put_text(Key::Camera, camera.as_deref(), Source::Exif);
    into.put_text(Key::Lens, text(Tag::LensModel).as_deref(), Source::Exif);
    into.put_text(Key::Software, text(Tag::Software).as_deref(), Source::Exif);
    into.put_text(Key::Artist, text(Tag::Artist).as_deref(), Source::Exif);
    let comment = found.get_field(Tag::UserComment, In::PRIMARY).and_then(|f| comment(&f.value));
    let comment = comment.or_else(|| text(Tag::ImageDescription));
    into.put_text(Key::Comment, comment.as_deref(), Source::Exif);
    let taken = date(&found, Tag::DateTimeOriginal)
        .or_else(|| date(&found, Tag::DateTimeDigitized))
        // Programs write this one when they save; a camera, when it takes the picture.
        .or_else(|| camera.and_then(|_| date(&found, Tag::DateTime)));
    if let Some(taken) = taken {
        into.put(Key::Taken, Value::Moment(Moment::Local(taken)), Source::Exif);
    }
    Ok(())
}

fn first_text(value: &Raw) -> Option<String> {
    let Raw::Ascii(parts) = value else { return None };
    let text = String::from_utf8_lossy(parts.first()?);
    Some(text.trim_matches(['\0', ' ']).to_owned()).filter(|t| !t.is_empty())
}

/// Eight bytes name its code (Exif 2.3, section 4.6.5); most are in ASCII.
fn comment(value: &Raw) -> Option<String> {
    let Raw::Undefined(bytes, _) = value else { return None };
    let text = bytes.strip_prefix(b"ASCII\0\0\0")?;
    Some(String::from_utf8_lossy(text).trim_matches(['\0', ' ']).to_owned())
}

fn date(found: &Exif, tag: Tag) -> Option<DateTime> {
    let Raw::Ascii(parts) = &found.get_field(tag, In::PRIMARY)?.value else { return None };
    let d = exif::DateTime::from_ascii(parts.first()?).ok()?;
    let small = |n: u8| i8::try_from(n).ok();
    let at = DateTime::new(
        i16::try_from(d.year).ok()?,
        small(d.month)?,
        small(d.day)?,
        small(d.hour)?,
        small(d.minute)?,
        small(d.second)?.min(59),
        0,
    );
    at.ok().filter(plausible)
}

/// Before there were photographs, or far from now, a clock was not set.
pub(super) fn plausible(at: &DateTime) -> bool {
    (1826..=2200).contains(&at.year())
}

/// CR3, RAF, IIQ and others that the first one does not know.
pub(super) fn other(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let Ok(source) = MediaSource::seekable(file) else { return Ok(()) };
    let Ok(entries) = MediaParser::new().parse_exif(source) else { return Ok(()) };
    let found: nom_exif::Exif = entries.into();
    let text = |tag| found.get(tag).and_then(EntryValue::as_str);
    into.put_text(Key::Camera, text(ExifTag::Model).or(text(ExifTag::Make)), Source::Exif);
    into.put_text(Key::Lens, text(ExifTag::LensModel), Source::Exif);
    into.put_text(Key::Software, text(ExifTag::Software), Source::Exif);
    let taken = [ExifTag::DateTimeOriginal, ExifTag::CreateDate]
        .into_iter()
        .find_map(|tag| found.get(tag).and_then(on_the_cameras_clock));
    if let Some(taken) = taken {
        into.put(Key::Taken, Value::Moment(Moment::Local(taken)), Source::Exif);
    }
    Ok(())
}

/// The time as the camera showed it.
fn on_the_cameras_clock(value: &EntryValue) -> Option<DateTime> {
    let text = match value {
        EntryValue::DateTime(at) => at.naive_local().to_string(),
        EntryValue::NaiveDateTime(at) => at.to_string(),
        _ => return None,
    };
    text.parse().ok().filter(plausible)
}

/// Width and height in pixels.
pub(super) fn size(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    if let Ok(size) = imagesize::reader_size(BufReader::new(file)) {
        into.put_number(Key::Width, u64::try_from(size.width).ok(), Source::Container);
        into.put_number(Key::Height, u64::try_from(size.height).ok(), Source::Container);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tidy_core::facts::Fact;

    use crate::inspect::metadata::testing::{of, read, text};

    fn tiff(fields: &[(Tag, &str)]) -> Vec<u8> {
        let fields: Vec<exif::Field> = fields
            .iter()
            .map(|(tag, text)| exif::Field {
                tag: *tag,
                ifd_num: In::PRIMARY,
                value: Raw::Ascii(vec![text.as_bytes().to_vec()]),
            })
            .collect();
        let mut writer = exif::experimental::Writer::new();
        fields.iter().for_each(|f| writer.push_field(f));
        let mut tiff = std::io::Cursor::new(Vec::new());
        writer.write(&mut tiff, false).unwrap();
        tiff.into_inner()
    }

    /// A JPEG that holds nothing but Exif.
    pub(in crate::inspect) fn jpeg(fields: &[(Tag, &str)]) -> Vec<u8> {
        let body = [b"Exif\0\0".as_slice(), &tiff(fields)].concat();
        let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [b"\xff\xd8\xff\xe1".as_slice(), &len, &body, b"\xff\xd9"].concat()
    }

    #[test]
    fn damaged_exif_is_unknown_and_not_none() {
        let body = [b"Exif\0\0II*\0\xff\xff\xff\xff".as_slice(), &[0; 20]].concat();
        let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        // A header of a picture of 16 by 16 (ITU-T T.81, B.2.2).
        let size = b"\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0\xff\xd9".as_slice();
        let damaged = [b"\xff\xd8\xff\xe1".as_slice(), &len, &body, size].concat();
        let read = read("image/jpeg", &damaged);
        assert!(matches!(read, Fact::Unreadable(_)), "{read:?}");
        let bare = of("image/jpeg", &[b"\xff\xd8".as_slice(), size].concat());
        assert_eq!(text(&bare, Key::Width), "16");
    }

    #[test]
    fn png_webp_and_raw_files_say_so_too() {
        let exif = tiff(&[(Tag::Model, "X100V"), (Tag::DateTimeOriginal, "2024:05:06 10:00:00")]);
        let chunk = |kind: &[u8], body: &[u8]| {
            let len = u32::try_from(body.len()).unwrap().to_be_bytes();
            [&len, kind, body, b"\0\0\0\0"].concat()
        };
        let png = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0"),
            chunk(b"eXIf", &exif),
            chunk(b"IEND", b""),
        ]
        .concat();
        let part = |kind: &[u8], body: &[u8]| {
            let len = u32::try_from(body.len()).unwrap().to_le_bytes();
            [kind, &len, body, &vec![0; body.len() % 2]].concat()
        };
        let parts = [part(b"VP8X", b"\x08\0\0\0\0\0\0\0\0\0"), part(b"EXIF", &exif)].concat();
        let webp = part(b"RIFF", &[b"WEBP".as_slice(), &parts].concat());
        for (media_type, content) in
            [("image/png", png), ("image/webp", webp), ("image/x-nikon-nef", exif)]
        {
            let m = of(media_type, &content);
            assert_eq!(text(&m, Key::Taken), "2024-05-06T10:00:00", "{media_type}");
            assert_eq!(text(&m, Key::Camera), "X100V", "{media_type}");
        }
    }

    #[test]
    fn a_photo_says_when_and_with_what_it_was_taken() {
        let photo = jpeg(&[
            (Tag::Make, "FUJIFILM"),
            (Tag::Model, "X100V\0"),
            (Tag::Software, "Digital Camera X100V Ver1.00"),
            (Tag::DateTimeOriginal, "2024:05:06 10:00:00"),
            (Tag::DateTime, "2025:01:01 00:00:00"),
        ]);
        let m = of("image/jpeg", &photo);
        assert_eq!(text(&m, Key::Camera), "X100V");
        assert_eq!(text(&m, Key::Taken), "2024-05-06T10:00:00");
        assert_eq!(m.get(Key::Taken).unwrap().1, Source::Exif);
    }

    #[test]
    fn a_clock_that_was_not_set_says_nothing() {
        for odd in ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:13:45 99:99:99", ""] {
            let m = of("image/jpeg", &jpeg(&[(Tag::Model, "x"), (Tag::DateTimeOriginal, odd)]));
            assert_eq!(m.get(Key::Taken), None, "{odd:?}");
        }
        // What a program writes when it saves is no capture date without a camera.
        let saved = of("image/jpeg", &jpeg(&[(Tag::DateTime, "2024:05:06 10:00:00")]));
        assert_eq!(saved.get(Key::Taken), None);
    }

    #[test]
    fn a_picture_has_a_size() {
        let gif = b"GIF89a\x40\x01\xf0\x00\x00\x00\x00;";
        let m = of("image/gif", gif);
        assert_eq!((text(&m, Key::Width), text(&m, Key::Height)), ("320".into(), "240".into()));
    }
}
