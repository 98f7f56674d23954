//! Parts of a category that the media type alone does not tell: photos and screenshots among pictures,
//! music among recordings.
//!
//! A file's own category stays the whole (`image`, `audio`); whether it is one of these parts is asked
//! only where a rule or a `[default]` names the part, since it may take the file's metadata. A
//! configuration that puts a type or an extension into a part (`[category.photo]`) needs none of this.

use std::ffi::OsStr;

use crate::category::Category;
use crate::facts::{Fact, Kind};
use crate::metadata::{Key, Metadata, Value};
use crate::name;

/// What is known of one file's being such a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Yes,
    No,
    /// The metadata has to be read first.
    Ask,
    /// The metadata could not be read; why.
    Unknown(std::sync::Arc<str>),
}

const PHOTO: &str = "photo";
const SCREENSHOT: &str = "screenshot";
const MUSIC: &str = "music";

/// Every such part with its whole.
pub const PARTS: [(&str, &str); 3] = [(MUSIC, "audio"), (PHOTO, "image"), (SCREENSHOT, "image")];

/// How the names of screenshots begin, lower case: what systems and programs call them in the
/// languages they come in.
const SCREENSHOTS: &[&str] = &[
    "bildschirmfoto",
    "capture d'écran",
    "capture d’écran",
    "captura de ecrã",
    "captura de pantalla",
    "captura de tela",
    "captură de ecran",
    "cuplikan layar",
    "ekran alıntısı",
    "ekran görüntüsü",
    "ekran resmi",
    "ekraanipilt",
    "ekrano kopija",
    "ekrānuzņēmums",
    "istantanea",
    "képernyőfotó",
    "képernyőkép",
    "kuvakaappaus",
    "näyttökuva",
    "posnetek zaslona",
    "schermafbeelding",
    "schermata",
    "schermopname",
    "screen capture",
    "screen shot",
    "screen_shot",
    "screencap",
    "screenshot",
    "simplescreenrecorder",
    "skærmbillede",
    "skärmavbild",
    "skärmbild",
    "skjermbilde",
    "skjermdump",
    "skjáskot",
    "snímek obrazovky",
    "snímka obrazovky",
    "snimak ekrana",
    "snimka zaslona",
    "tangkapan layar",
    "zrzut ekranu",
    "ảnh chụp màn hình",
    "ảnh màn hình",
    "στιγμιότυπο",
    "екранна снимка",
    "знімок екрана",
    "скриншот",
    "снимок экрана",
    "снимак екрана",
    "צילום מסך",
    "لقطة الشاشة",
    "لقطة شاشة",
    "स्क्रीनशॉट",
    "ภาพหน้าจอ",
    "スクリーンショット",
    "截图",
    "截圖",
    "截屏",
    "屏幕快照",
    "屏幕截图",
    "屏幕截圖",
    "熒幕截圖",
    "螢幕快照",
    "螢幕截圖",
    "스크린샷",
    "화면 캡처",
];

/// Programs that take screenshots, and what they or the systems write into them, lower case.
const TAKERS: &[&str] = &[
    "flameshot",
    "greenshot",
    "grim",
    "ksnip",
    "lightshot",
    "scrot",
    "sharex",
    "shutter",
    "snagit",
    "snipping tool",
    "spectacle",
];

/// Raw files of cameras that are not named `image/x-<maker>-…`.
const RAW: &[&str] = &["image/x-adobe-dng", "image/x-raw"];

/// Makers of cameras, as they stand in the media types of their raw files.
const MAKERS: &[&str] = &[
    "canon",
    "epson",
    "fuji",
    "kodak",
    "leica",
    "mamiya",
    "minolta",
    "nikon",
    "olympus",
    "panasonic",
    "pentax",
    "samsung",
    "sigma",
    "sony",
];

/// Recordings that hold notes, not sound: music by what they are.
const NOTES: &[&str] = &["audio/midi", "audio/x-it", "audio/x-mod", "audio/x-s3m", "audio/x-xm"];

/// Genres of recordings that are spoken, lower case.
const SPOKEN: &[&str] = &[
    "audiobook",
    "audiolibro",
    "hörbuch",
    "hörspiel",
    "livre audio",
    "podcast",
    "radio",
    "speech",
    "spoken",
    "vocal memo",
    "voice memo",
];

/// Whether a file is `part`; `None` when that is no such part, or not one of the file's category.
pub fn told(part: &Category, kind: &Kind, name: &OsStr, metadata: &Fact<Metadata>) -> Option<Told> {
    let (part, whole) = PARTS.iter().find(|(name, _)| *name == part.as_str())?;
    if kind.category.as_str() != *whole {
        return None;
    }
    let by_type = match *part {
        SCREENSHOT => named_like_a_screenshot(name).then_some(true),
        PHOTO if named_like_a_screenshot(name) => Some(false),
        PHOTO => is_raw(&kind.media_type).then_some(true),
        _ => NOTES.contains(&&*kind.media_type).then_some(true),
    };
    Some(match (by_type, metadata) {
        (Some(true), _) => Told::Yes,
        (Some(false), _) => Told::No,
        (None, Fact::Unread) => Told::Ask,
        (None, Fact::Unreadable(why)) => Told::Unknown(why.clone()),
        (None, Fact::Absent) => Told::No,
        (None, Fact::Known(says, _)) => {
            let yes = match *part {
                SCREENSHOT => says_screenshot(says),
                PHOTO => says.get(Key::Taken).is_some() && !says_screenshot(says),
                _ => says_music(says),
            };
            if yes { Told::Yes } else { Told::No }
        }
    })
}

/// The part a file is, as far as the metadata that has been read tells.
pub fn part(kind: &Kind, name: &OsStr, metadata: &Fact<Metadata>) -> Option<Category> {
    let mut parts = PARTS.iter().map(|(part, _)| Category::new(part));
    parts.find(|part| told(part, kind, name, metadata) == Some(Told::Yes))
}

fn named_like_a_screenshot(file: &OsStr) -> bool {
    let name = name::normalized(file).to_string_lossy().to_lowercase();
    SCREENSHOTS.iter().any(|begin| name.starts_with(begin)) || name.contains("screenshot")
}

fn is_raw(media_type: &str) -> bool {
    RAW.contains(&media_type)
        || media_type
            .strip_prefix("image/x-")
            .and_then(|rest| rest.split('-').next())
            .is_some_and(|maker| MAKERS.contains(&maker))
}

fn lower(says: &Metadata, key: Key) -> Option<String> {
    match says.get(key)? {
        (Value::Text(text), _) => Some(text.to_lowercase()),
        _ => None,
    }
}

fn says_screenshot(says: &Metadata) -> bool {
    let by = lower(says, Key::Software);
    let taker =
        by.is_some_and(|by| by.contains("screenshot") || TAKERS.iter().any(|t| by.starts_with(t)));
    // What iOS and macOS write.
    taker || lower(says, Key::Comment).is_some_and(|c| c == "screenshot")
}

fn says_music(says: &Metadata) -> bool {
    let spoken = lower(says, Key::Genre).is_some_and(|g| SPOKEN.iter().any(|s| g.contains(s)));
    !spoken && [Key::Artist, Key::Album, Key::AlbumArtist].iter().any(|k| says.get(*k).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Source;
    use crate::metadata::Moment;

    fn kind(media_type: &'static str, category: &str) -> Kind {
        let category = Category::new(category);
        Kind { media_type: media_type.into(), category, mismatch: false, true_ext: None }
    }

    fn says(texts: &[(Key, &str)]) -> Fact<Metadata> {
        let mut found = Metadata::default();
        for (key, text) in texts {
            found.put_text(*key, Some(text), Source::Tags);
        }
        Fact::Known(found, Source::Content)
    }

    fn taken() -> Metadata {
        let mut found = Metadata::default();
        let at = Moment::Local("2024-05-06T10:00:00".parse().unwrap());
        found.put(Key::Taken, Value::Moment(at), Source::Exif);
        found
    }

    #[track_caller]
    fn is(part: &str, of: &Kind, name: &str, metadata: &Fact<Metadata>) -> Option<Told> {
        told(&Category::new(part), of, OsStr::new(name), metadata)
    }

    #[test]
    fn a_photo_has_a_capture_date() {
        let jpeg = kind("image/jpeg", "image");
        assert_eq!(is("photo", &jpeg, "a.jpg", &Fact::Unread), Some(Told::Ask));
        assert_eq!(is("photo", &jpeg, "a.jpg", &Fact::Absent), Some(Told::No));
        let photo = Fact::Known(taken(), Source::Content);
        assert_eq!(is("photo", &jpeg, "a.jpg", &photo), Some(Told::Yes));
        assert_eq!(is("screenshot", &jpeg, "a.jpg", &photo), Some(Told::No));
        let damaged = Fact::Unreadable("damaged".into());
        assert_eq!(is("photo", &jpeg, "a.jpg", &damaged), Some(Told::Unknown("damaged".into())));
        // A raw file is one whatever it says, and a film is none.
        assert_eq!(
            is("photo", &kind("image/x-nikon-nef", "image"), "a.nef", &Fact::Unread),
            Some(Told::Yes)
        );
        assert_eq!(is("photo", &kind("video/mp4", "video"), "a.mp4", &photo), None);
        // One that the configuration calls so is no whole that could have the part.
        assert_eq!(is("photo", &kind("image/jpeg", "photo"), "a.jpg", &Fact::Unread), None);
    }

    #[test]
    fn a_screenshot_is_told_by_its_name_in_many_languages_or_by_what_took_it() {
        let png = kind("image/png", "image");
        for name in [
            "Screenshot 2024-05-06 at 10.00.00.png",
            "Screenshot_20240506_100000_com.android.chrome.jpg",
            "Bildschirmfoto vom 2024-05-06 10-00-00.png",
            "Capture d’e\u{301}cran 2024-05-06.png",
            "Снимок экрана 2024-05-06.png",
            "スクリーンショット 2024-05-06.png",
            "截图 2024-05-06.png",
        ] {
            assert_eq!(is("screenshot", &png, name, &Fact::Unread), Some(Told::Yes), "{name}");
            assert_eq!(is("photo", &png, name, &Fact::Unread), Some(Told::No), "{name}");
        }
        let by = says(&[(Key::Software, "gnome-screenshot")]);
        assert_eq!(is("screenshot", &png, "a.png", &by), Some(Told::Yes));
        // A telephone dates its screenshots like photos.
        let mut dated = taken();
        dated.put_text(Key::Comment, Some("Screenshot"), Source::Exif);
        let dated = Fact::Known(dated, Source::Content);
        assert_eq!(is("screenshot", &png, "IMG_1.PNG", &dated), Some(Told::Yes));
        assert_eq!(is("photo", &png, "IMG_1.PNG", &dated), Some(Told::No));
        assert_eq!(part(&png, OsStr::new("IMG_1.PNG"), &dated), Some(Category::new("screenshot")));
        assert_eq!(part(&png, OsStr::new("a.png"), &says(&[(Key::Software, "GIMP")])), None);
    }

    #[test]
    fn music_has_an_artist_or_an_album_and_is_not_spoken() {
        let mp3 = kind("audio/mpeg", "audio");
        assert_eq!(is("music", &mp3, "a.mp3", &says(&[(Key::Artist, "x")])), Some(Told::Yes));
        assert_eq!(is("music", &mp3, "a.mp3", &says(&[(Key::Title, "Memo 1")])), Some(Told::No));
        let book = says(&[(Key::Artist, "x"), (Key::Genre, "Hörbuch")]);
        assert_eq!(is("music", &mp3, "a.mp3", &book), Some(Told::No));
        assert_eq!(
            is("music", &kind("audio/midi", "audio"), "a.mid", &Fact::Unread),
            Some(Told::Yes)
        );
    }
}
