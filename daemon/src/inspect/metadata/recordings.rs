//! Music and other recordings, and films: tags, lengths, sizes, when they were made.

use std::io::BufReader;
use std::time::Duration;

use jiff::civil::DateTime;
use lofty::config::ParseOptions;
use lofty::file::{AudioFile, FileType, TaggedFileExt};
use lofty::probe::Probe;
use lofty::tag::{Accessor, ItemKey, Tag};
use nom_exif::{EntryValue, MediaParser, MediaSource, TrackInfoTag};
use tidy_core::UnixNanos;
use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata, Moment, Value};

use super::pictures::plausible;
use super::{Limited, Why};

/// Longest length that is believed.
const LENGTH_MAX: Duration = Duration::from_secs(1000 * 3600);

pub(super) fn knows_tags(media_type: &str) -> bool {
    media_type.starts_with("audio/") || media_type == "application/ogg"
}

pub(super) fn knows_films(media_type: &str) -> bool {
    media_type.starts_with("video/")
}

/// ID3, Vorbis comments, APE, MP4 atoms, RIFF.
pub(super) fn tags(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let probe = Probe::new(BufReader::new(file)).guess_file_type().map_err(|e| e.to_string())?;
    let Some(kind) = probe.file_type() else { return Ok(()) };
    // lofty 0.25 reckons the length of a Musepack file with numbers that it takes from there as they are, and panics.
    let options = ParseOptions::new().read_cover_art(false).read_properties(kind != FileType::Mpc);
    let found = probe.options(options).read().map_err(|e| format!("its tags are damaged: {e}"))?;
    let main = found.primary_tag().into_iter();
    for tag in main.chain(found.tags()) {
        one_tag(tag, into);
    }
    put_length(found.properties().duration(), into);
    Ok(())
}

fn one_tag(tag: &Tag, into: &mut Metadata) {
    let from = Source::Tags;
    into.put_text(Key::Title, tag.title().as_deref(), from);
    into.put_text(Key::Artist, tag.artist().as_deref(), from);
    into.put_text(Key::Album, tag.album().as_deref(), from);
    into.put_text(Key::Genre, tag.genre().as_deref(), from);
    into.put_text(Key::AlbumArtist, tag.get_string(ItemKey::AlbumArtist), from);
    into.put_text(Key::Software, tag.get_string(ItemKey::EncoderSoftware), from);
    into.put_number(Key::Track, tag.track().map(u64::from), from);
    into.put_number(Key::Disc, tag.disk().map(u64::from), from);
    let written = || tag.get_string(ItemKey::Year)?.get(..4)?.parse().ok();
    let year = tag.date().map(|d| u64::from(d.year)).or_else(written);
    into.put_number(Key::Year, year, from);
}

/// MP4, QuickTime, 3GP, Matroska, WebM.
pub(super) fn film(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let Ok(source) = MediaSource::seekable(file) else { return Ok(()) };
    let Ok(found) = MediaParser::new().parse_track(source) else { return Ok(()) };
    let from = Source::Container;
    let text = |tag| found.get(tag).and_then(EntryValue::as_str);
    into.put_text(Key::Camera, text(TrackInfoTag::Model).or(text(TrackInfoTag::Make)), from);
    into.put_text(Key::Software, text(TrackInfoTag::Software), from);
    into.put_number(Key::Width, found.get(TrackInfoTag::Width).and_then(number), from);
    into.put_number(Key::Height, found.get(TrackInfoTag::Height).and_then(number), from);
    if let Some(ms) = found.get(TrackInfoTag::DurationMs).and_then(number) {
        put_length(Duration::from_millis(ms), into);
    }
    if let Some(taken) = found.get(TrackInfoTag::CreateDate).and_then(moment) {
        into.put(Key::Taken, Value::Moment(taken), from);
    }
    Ok(())
}

fn number(value: &EntryValue) -> Option<u64> {
    match value {
        EntryValue::U8(n) => Some(u64::from(*n)),
        EntryValue::U16(n) => Some(u64::from(*n)),
        EntryValue::U32(n) => Some(u64::from(*n)),
        EntryValue::U64(n) => Some(*n),
        _ => None,
    }
}

/// Containers count in UTC; a phone that says in which zone it was means the time on its clock.
fn moment(value: &EntryValue) -> Option<Moment> {
    let (at, zone) = match value {
        EntryValue::DateTime(at) => (at.naive_local().to_string(), at.offset().local_minus_utc()),
        EntryValue::NaiveDateTime(at) => (at.to_string(), 0),
        _ => return None,
    };
    let clock: DateTime = at.parse().ok().filter(plausible)?;
    // The first moment that a QuickTime clock can tell stands for "not set".
    if clock.year() == 1904 {
        return None;
    }
    if zone != 0 {
        return Some(Moment::Local(clock));
    }
    let at = clock.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
    Some(Moment::Instant(UnixNanos::from_parts(at.as_second(), nanos)))
}

fn put_length(length: Duration, into: &mut Metadata) {
    if length > Duration::ZERO && length < LENGTH_MAX {
        into.put(Key::Duration, Value::Length(length), Source::Container);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::inspect::metadata::testing::{of, text};

    fn frame(id: &str, value: &str) -> Vec<u8> {
        let body = [b"\x03".as_slice(), value.as_bytes()].concat();
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [id.as_bytes(), &len, b"\0\0", &body].concat()
    }

    /// An ID3v2.3 tag in front of some frames of silence.
    pub(in crate::inspect) fn mp3(frames: &[(&str, &str)]) -> Vec<u8> {
        let body: Vec<u8> = frames.iter().flat_map(|(id, value)| frame(id, value)).collect();
        let n = body.len();
        let size = [0, 0, u8::try_from(n >> 7).unwrap(), (n & 0x7f) as u8];
        // MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
        let silence = [b"\xff\xfb\x90\x00".as_slice(), &[0; 413]].concat();
        [b"ID3\x03\0\0".as_slice(), &size, &body, &silence.repeat(8)].concat()
    }

    #[test]
    fn a_song_says_who_plays_it() {
        let song = mp3(&[
            ("TPE1", "Nina Simone"),
            ("TPE2", "Various"),
            ("TALB", "Pastel Blues"),
            ("TIT2", "Sinnerman"),
            ("TRCK", "9/9"),
            ("TPOS", "1/2"),
            ("TYER", "1965"),
        ]);
        let m = of("audio/mpeg", &song);
        assert_eq!(text(&m, Key::Artist), "Nina Simone");
        assert_eq!(text(&m, Key::AlbumArtist), "Various");
        assert_eq!((text(&m, Key::Track), text(&m, Key::Disc)), ("9".into(), "1".into()));
        assert_eq!(text(&m, Key::Year), "1965");
        assert_eq!(m.get(Key::Title).unwrap().1, Source::Tags);
    }

    /// Found by fuzzing: a count of samples that cannot be.
    #[test]
    fn a_musepack_file_with_senseless_numbers_is_read_for_its_tags_alone() {
        let content = b"MPCKSH.\0\0\xff\x9f\xff\xff\xff\xff\xff\xff\xff\xff\x9fOWNE\x9f;\x9f+\x9f\x9f\x9f$\x9fY\x9f\x9f\x9f\0";
        assert_eq!(of("audio/x-musepack", content), Metadata::default());
    }

    fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
        [&len, kind.as_slice(), body].concat()
    }

    /// A film of 90 s without a single picture, made at a moment in seconds since 1904.
    pub(in crate::inspect) fn mp4(made: u32) -> Vec<u8> {
        let mut mvhd = vec![0; 4];
        mvhd.extend(made.to_be_bytes());
        mvhd.extend(made.to_be_bytes());
        mvhd.extend(600u32.to_be_bytes());
        mvhd.extend((90 * 600u32).to_be_bytes());
        mvhd.extend([0; 80]);
        let mut tkhd = vec![0, 0, 0, 7];
        tkhd.extend([0; 16]);
        tkhd.extend((90 * 600u32).to_be_bytes());
        tkhd.extend([0; 52]);
        tkhd.extend((1920u32 << 16).to_be_bytes());
        tkhd.extend((1080u32 << 16).to_be_bytes());
        let trak = atom(b"trak", &atom(b"tkhd", &tkhd));
        let moov = atom(b"moov", &[atom(b"mvhd", &mvhd), trak].concat());
        [atom(b"ftyp", b"isom\0\0\x02\0isommp42"), moov].concat()
    }

    #[test]
    fn a_film_says_when_it_was_made_and_how_long_it_is() {
        // 2024-05-06T10:00:00Z
        let m = of("video/mp4", &mp4(1_714_989_600 + 2_082_844_800));
        assert_eq!(text(&m, Key::Duration), "1m30s");
        assert_eq!(text(&m, Key::Taken), "2024-05-06T10:00:00Z");
        // A clock that was not set.
        assert_eq!(of("video/mp4", &mp4(0)).get(Key::Taken), None);
    }
}
