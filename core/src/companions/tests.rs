use std::path::Path;

use proptest::prelude::*;

use super::*;

fn main_of(of: &Companions, names: &[&str], name: &str) -> Option<String> {
    let pairs = Pairs::new(of, names.iter().map(OsStr::new));
    pairs.main_of(OsStr::new(name)).map(|p| p.main.to_string_lossy().into_owned())
}

#[test]
fn the_conventions_hold_and_nothing_else_does() {
    let known = Companions::default();
    let table: &[(&[&str], &str, Option<&str>)] = &[
        (&["IMG_1.CR2", "IMG_1.xmp"], "IMG_1.xmp", Some("IMG_1.CR2")),
        // Programs write the sidecar for the raw file.
        (&["IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp"], "IMG_1.xmp", Some("IMG_1.CR2")),
        (&["IMG_1.CR2", "IMG_1.JPG", "IMG_1.JPG.xmp"], "IMG_1.JPG.xmp", Some("IMG_1.JPG")),
        // Raw and JPEG are two pictures unless the configuration says otherwise.
        (&["IMG_1.CR2", "IMG_1.JPG"], "IMG_1.JPG", None),
        (&["IMG_1.HEIC", "IMG_1.MOV"], "IMG_1.MOV", Some("IMG_1.HEIC")),
        (&["IMG_1.JPG", "IMG_1.MOV"], "IMG_1.MOV", None),
        (&["IMG_1.HEIC", "IMG_1.MOV", "IMG_1.MOV.xmp"], "IMG_1.MOV.xmp", Some("IMG_1.HEIC")),
        (&["IMG_1.HEIC", "IMG_1.AAE"], "IMG_1.AAE", Some("IMG_1.HEIC")),
        (&["a.nef", "a.nef.pp3"], "a.nef.pp3", Some("a.nef")),
        (&["film.mkv", "film.srt"], "film.srt", Some("film.mkv")),
        (&["film.mkv", "film.en.srt"], "film.en.srt", Some("film.mkv")),
        (&["film.mkv", "film.pt-BR.forced.srt"], "film.pt-BR.forced.srt", Some("film.mkv")),
        (&["film.mkv", "film.German.vtt"], "film.German.vtt", Some("film.mkv")),
        // Another part of a series, whose film may still come.
        (&["film.mkv", "film.2.srt"], "film.2.srt", None),
        (&["film.1999.mkv", "film.mkv", "film.1999.srt"], "film.1999.srt", Some("film.1999.mkv")),
        (&["film.mkv", "film2.srt"], "film2.srt", None),
        (&["film.txt", "film.srt"], "film.srt", None),
        (&["a.jpg", "a.jpg.json"], "a.jpg.json", Some("a.jpg")),
        (&["a.jpg", "a.json"], "a.json", None),
        (
            &["a.jpg", "a.jpg.supplemental-metadata.json"],
            "a.jpg.supplemental-metadata.json",
            Some("a.jpg"),
        ),
        (&["a.jpg", "a.jpg.supplem.json"], "a.jpg.supplem.json", Some("a.jpg")),
        (&["a(1).jpg", "a.jpg", "a.jpg(1).json"], "a.jpg(1).json", Some("a(1).jpg")),
        (&["data.csv", "data.csv.json"], "data.csv.json", None),
        (&["b.jpg", "a.xmp"], "a.xmp", None),
        (&["a.xmp"], "a.xmp", None),
        (&["song.flac", "song.lrc"], "song.lrc", Some("song.flac")),
        (&[".xmp", "x.jpg"], ".xmp", None),
    ];
    for (names, name, main) in table {
        assert_eq!(main_of(&known, names, name).as_deref(), *main, "{name} among {names:?}");
    }
}

#[test]
fn a_list_names_the_extensions_that_travel_with_any_file() {
    let listed = Companions { known: false, listed: vec!["jpg".into(), "txt".into()] };
    let names = ["IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp", "notes.txt", "IMG_1.txt"];
    assert_eq!(main_of(&listed, &names, "IMG_1.JPG").as_deref(), Some("IMG_1.CR2"));
    assert_eq!(main_of(&listed, &names, "IMG_1.txt").as_deref(), Some("IMG_1.CR2"));
    assert_eq!(main_of(&listed, &names, "IMG_1.xmp"), None);
    assert_eq!(main_of(&listed, &names, "notes.txt"), None);
    // Two listed ones have nobody to go with.
    assert_eq!(main_of(&listed, &["a.jpg", "a.txt"], "a.txt"), None);
    assert_eq!(main_of(&Companions::none(), &["a.jpg", "a.xmp"], "a.xmp"), None);
}

#[test]
fn a_companions_name_follows() {
    let table = [
        ("IMG_1.CR2", "IMG_1.xmp", "2024-05.CR2", "2024-05.xmp"),
        ("IMG_1.CR2", "IMG_1.CR2.xmp", "IMG_1 (2).CR2", "IMG_1 (2).CR2.xmp"),
        ("film.mkv", "film.en.forced.srt", "Film (1999).mkv", "Film (1999).en.forced.srt"),
        ("a(1).jpg", "a.jpg(1).json", "b.jpg", "b.jpg.json"),
    ];
    for (main, name, new, expected) in table {
        let tail = Companions::default().tail(OsStr::new(main), OsStr::new(name)).unwrap();
        assert_eq!(tail.of(OsStr::new(new)), expected, "{name}");
    }
}

proptest! {
    /// Whatever the names: nobody belongs to himself or to a companion, both ways agree, the order does
    /// not matter, keys are shared, and a name that is made from the main file's new one belongs to it.
    #[test]
    fn pairs_are_sound(
        names in prop::collection::btree_set(
            "(a|b|a\\(1\\))(\\.(jpg|cr2|heic|mkv|en|2)){0,2}\\.(jpg|cr2|HEIC|mov|xmp|srt|json|mkv|aae)", 0..12),
        listed in prop::sample::select(vec![vec![], vec!["jpg".to_owned()], vec!["mov".to_owned(), "xmp".into()]]),
        known in any::<bool>(),
    ) {
        let of = Companions { known, listed };
        let pairs = Pairs::new(&of, names.iter().map(OsStr::new));
        let turned = Pairs::new(&of, names.iter().rev().map(OsStr::new));
        prop_assert_eq!(&pairs, &turned);
        for name in names.iter().map(OsStr::new) {
            let Some(pair) = pairs.main_of(name) else { continue };
            prop_assert!(pair.main != name && names.contains(&*pair.main.to_string_lossy()));
            prop_assert!(pairs.main_of(&pair.main).is_none());
            prop_assert!(pairs.of(&pair.main).any(|(n, _)| n == name));
            prop_assert_eq!(key(&pair.main), key(name));
            prop_assert!(of.may_be(name) && of.may_have(&pair.main));
            let ext = name::extension(&pair.main).unwrap();
            let new = Path::new("elsewhere").with_extension(ext);
            prop_assert!(pair.tail.of(new.as_os_str()).to_string_lossy().starts_with("elsewhere"));
        }
    }
}
