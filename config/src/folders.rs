//! What the built-in folders are called in a person's language.
//!
//! In: a language, and the person's own folders (xdg-user-dirs). Out: names for the folders of `[default]`. A person whose
//! pictures are in `~/Bilder` gets `Bilder/`.
//!
//! `auto` asks files that stay the same whoever starts the daemon, never the environment's `LANG`: a service and a shell
//! must agree on where files go.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tidy_core::ignore;

use crate::locations::Environment;
use crate::model::{Config, OthersConfig};
use crate::walk::At;

/// The names of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// ISO 639-1, with a country where that makes a difference.
    code: &'static str,
    /// By category, in the order of [`CATEGORIES`], and the folder for duplicates.
    words: [&'static str; 8],
}

impl Words {
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

/// Whose names [`Words`] has, and the entry of `user-dirs.dirs` that goes before it.
const CATEGORIES: [(&str, Option<&str>); 7] = [
    ("document", Some("XDG_DOCUMENTS_DIR")),
    ("audio", Some("XDG_MUSIC_DIR")),
    ("image", Some("XDG_PICTURES_DIR")),
    ("video", Some("XDG_VIDEOS_DIR")),
    ("archive", None),
    ("installer", None),
    ("font", None),
];

const DUPLICATES: usize = 7;

macro_rules! languages {
    ($($code:literal: $($word:literal)*;)*) => { &[$(Words { code: $code, words: [$($word),*] }),*] };
}

/// Documents, music, pictures and videos are what xdg-user-dirs 0.18 calls them (`po/*.po`), since that is what a person has
/// in the home directory; the others are ours. English comes first: it stands in for every other.
const LANGUAGES: &[Words] = languages! {
    "en": "Documents" "Music" "Pictures" "Videos" "Archives" "Installers" "Fonts" "Duplicates";
    "ca": "Documents" "Música" "Imatges" "Vídeos" "Comprimits" "Instal·ladors" "Tipus de lletra" "Duplicats";
    "cs": "Dokumenty" "Hudba" "Obrázky" "Videa" "Archivy" "Instalátory" "Písma" "Duplikáty";
    "da": "Dokumenter" "Musik" "Billeder" "Videoklip" "Arkiver" "Installationsfiler" "Skrifttyper" "Dubletter";
    "de": "Dokumente" "Musik" "Bilder" "Videos" "Archive" "Installationsdateien" "Schriftarten" "Duplikate";
    "el": "Έγγραφα" "Μουσική" "Εικόνες" "Βίντεο" "Συμπιεσμένα" "Προγράμματα εγκατάστασης" "Γραμματοσειρές" "Διπλότυπα";
    "es": "Documentos" "Música" "Imágenes" "Vídeos" "Comprimidos" "Instaladores" "Fuentes" "Duplicados";
    "fi": "Asiakirjat" "Musiikki" "Kuvat" "Videot" "Arkistot" "Asennusohjelmat" "Fontit" "Kaksoiskappaleet";
    "fr": "Documents" "Musique" "Images" "Vidéos" "Archives" "Installation" "Polices" "Doublons";
    "hu": "Dokumentumok" "Zenék" "Képek" "Videók" "Archívumok" "Telepítők" "Betűkészletek" "Másolatok";
    "it": "Documenti" "Musica" "Immagini" "Video" "Archivi" "Installazione" "Caratteri" "Duplicati";
    "ja": "ドキュメント" "音楽" "画像" "ビデオ" "アーカイブ" "インストーラー" "フォント" "重複ファイル";
    "ko": "문서" "음악" "사진" "비디오" "압축 파일" "설치 파일" "글꼴" "중복 파일";
    "nb": "Dokumenter" "Musikk" "Bilder" "Videoklipp" "Arkiver" "Installasjonsfiler" "Skrifttyper" "Duplikater";
    "nl": "Documenten" "Muziek" "Afbeeldingen" "Video's" "Archieven" "Installatiebestanden" "Lettertypen" "Duplicaten";
    "pl": "Dokumenty" "Muzyka" "Obrazy" "Wideo" "Archiwa" "Instalatory" "Czcionki" "Duplikaty";
    "pt": "Documentos" "Música" "Imagens" "Vídeos" "Arquivos comprimidos" "Instaladores" "Tipos de letra" "Duplicados";
    "pt_BR": "Documentos" "Músicas" "Imagens" "Vídeos" "Compactados" "Instaladores" "Fontes" "Duplicados";
    "ro": "Documente" "Muzică" "Poze" "Video" "Arhive" "Programe de instalare" "Fonturi" "Duplicate";
    "ru": "Документы" "Музыка" "Изображения" "Видео" "Архивы" "Установщики" "Шрифты" "Дубликаты";
    "sv": "Dokument" "Musik" "Bilder" "Video" "Arkiv" "Installationsfiler" "Typsnitt" "Dubbletter";
    "tr": "Belgeler" "Müzik" "Resimler" "Videolar" "Arşivler" "Kurulum dosyaları" "Yazı tipleri" "Kopyalar";
    "uk": "Документи" "Музика" "Картинки" "Відео" "Архіви" "Інсталятори" "Шрифти" "Дублікати";
    "zh_CN": "文档" "音乐" "图片" "视频" "压缩文件" "安装程序" "字体" "重复文件";
    "zh_TW": "文件" "音樂" "圖片" "影片" "壓縮檔" "安裝程式" "字型" "重複檔案";
};

/// Every language with its code, for the key `language`.
pub(crate) fn languages() -> impl Iterator<Item = (&'static str, &'static Words)> {
    LANGUAGES.iter().map(|l| (l.code, l))
}

/// The names for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderNames {
    language: &'static Words,
    /// Of the person's own folders, by category.
    own: Vec<(&'static str, String)>,
}

impl FolderNames {
    /// The person's own names where `user-dirs.dirs` has them. The language is that of `user-dirs.locale`, else the one of
    /// most of those names, else of `locale` (`de_DE.UTF-8`), else English.
    pub fn of_person(env: &Environment, locale: Option<&str>) -> Self {
        let read = |name: &str| text_of(&env.config_home.join(name));
        let dirs = read("user-dirs.dirs");
        // Where files arrive is no folder that one of them belongs to.
        let arrive = ["XDG_DOWNLOAD_DIR", "XDG_DESKTOP_DIR"].map(|v| user_dir(&dirs, v, &env.home));
        let mut own: Vec<(&'static str, String)> = Vec::new();
        for (category, variable) in CATEGORIES {
            let dir = variable.and_then(|v| user_dir(&dirs, v, &env.home));
            let dir = dir.filter(|dir| !arrive.iter().flatten().any(|there| there == dir));
            let name = dir.as_deref().and_then(Path::file_name).and_then(|n| n.to_str());
            // Nothing is filed out of sight.
            let name = name.filter(|name| !ignore::is_hidden(OsStr::new(name)));
            // Two of them in one folder would say nothing of where a file belongs.
            if let Some(name) = name.filter(|name| !own.iter().any(|(_, n)| n == name)) {
                own.push((category, name.to_owned()));
            }
        }
        let language = of_locale(read("user-dirs.locale").trim())
            .or_else(|| of_names(&own))
            .or_else(|| of_locale(locale?))
            .unwrap_or(&LANGUAGES[0]);
        Self { language, own }
    }

    /// Those of a language, whatever the person's folders are called.
    pub(crate) fn of_language(language: &'static Words) -> Self {
        Self { language, own: Vec::new() }
    }

    /// Its language.
    pub fn language(&self) -> &'static str {
        self.language.code
    }

    /// What the folder of a category is called; `None` where only its English name is known.
    pub fn category(&self, category: &str) -> Option<&str> {
        if let Some((_, name)) = self.own.iter().find(|(c, _)| *c == category) {
            return Some(name);
        }
        let at = CATEGORIES.iter().position(|(c, _)| *c == category)?;
        Some(self.language.words[at])
    }

    /// What the folder of duplicates is called.
    pub fn duplicates(&self) -> &str {
        self.language.words[DUPLICATES]
    }
}

/// The text of a small file; nothing of what could keep us waiting (a pipe) or is no such file.
fn text_of(path: &Path) -> String {
    let is_small = fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= 64 * 1024);
    is_small.then(|| fs::read_to_string(path).ok()).flatten().unwrap_or_default()
}

/// `de_DE.UTF-8`, `pt_BR`, `sv`: with the country, else without.
fn of_locale(locale: &str) -> Option<&'static Words> {
    let plain = locale.split(['.', '@']).next().unwrap_or_default();
    let language = plain.split('_').next().unwrap_or_default();
    let find = |code: &str| LANGUAGES.iter().find(|l| l.code == code);
    let near = match language {
        "no" | "nn" => Some("nb"),
        "zh" if plain.ends_with("HK") || plain.ends_with("MO") => Some("zh_TW"),
        "zh" => Some("zh_CN"),
        _ => None,
    };
    find(plain).or_else(|| find(language)).or_else(|| find(near?))
}

/// The language that calls at least two of the folders so, and more of them than any other does.
fn of_names(own: &[(&'static str, String)]) -> Option<&'static Words> {
    let count = |language: &Words| {
        let same = |(i, (category, _)): (usize, &(&str, Option<&str>))| {
            own.iter().any(|(c, name)| c == category && name == language.words[i])
        };
        CATEGORIES.iter().enumerate().filter(|x| same(*x)).count()
    };
    let mut best: Option<(usize, &'static Words)> = None;
    for language in LANGUAGES {
        let n = count(language);
        if n >= 2 && best.is_none_or(|(most, _)| n > most) {
            best = Some((n, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A line `NAME="$HOME/…"` or `NAME="/…"`, as user-dirs.dirs(5) has it. The home directory itself means that there is no
/// such folder.
fn user_dir(file: &str, name: &str, home: &Path) -> Option<PathBuf> {
    let value = file.lines().rev().find_map(|line| {
        line.trim_start()
            .strip_prefix(name)?
            .trim_start()
            .strip_prefix('=')?
            .trim()
            .strip_prefix('"')
    })?;
    let mut path = String::new();
    let mut chars = value.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => path.push(chars.next()?),
            c => path.push(c),
        }
    }
    let path = match path.strip_prefix("$HOME") {
        Some("") => home.to_owned(),
        Some(rest) => home.join(rest.strip_prefix('/')?),
        None => PathBuf::from(path),
    };
    // Components, so that a slash at the end makes no difference.
    let path: PathBuf = path.components().collect();
    (path.is_absolute() && path != home).then_some(path)
}

impl Config {
    /// Calls the built-in folders as this person would. What the file names itself stays; and where a watched folder has
    /// `Pictures/` but no `Bilder/`, that goes on being used, unless the file says which language to take.
    pub fn for_person(mut self, env: &Environment, person: &FolderNames) -> Self {
        let of_language = self.language.map(FolderNames::of_language);
        let names = of_language.as_ref().unwrap_or(person);
        let roots: Vec<PathBuf> = self.watch.iter().map(|w| env.expand(&w.value)).collect();
        let is_there = |name: &str| roots.iter().any(|root| root.join(name).is_dir());
        let go_on = self.language.is_none();
        let call = |at: &mut At<String>, name: Option<&str>| {
            let english = at.value.trim_end_matches('/');
            if let Some(name) = name.filter(|name| !(go_on && is_there(english) && !is_there(name)))
            {
                at.value = format!("{}/", name.replace('{', "{{").replace('}', "}}"));
            }
        };
        if self.default_is_built_in {
            for (category, destination) in &mut self.default {
                call(&mut destination.at, names.category(category.as_str()));
            }
        }
        if let OthersConfig::Folder(at) = &mut self.duplicates.others
            && self.duplicates.others_is_built_in
        {
            call(at, Some(names.duplicates()));
        }
        self
    }
}

impl Environment {
    /// The Downloads folder: `XDG_DOWNLOAD_DIR` of `user-dirs.dirs` (xdg-user-dirs), else `~/Downloads`.
    pub fn downloads(&self) -> PathBuf {
        let file = text_of(&self.config_home.join("user-dirs.dirs"));
        user_dir(&file, "XDG_DOWNLOAD_DIR", &self.home)
            .unwrap_or_else(|| self.home.join("Downloads"))
    }

    /// The Desktop folder: `XDG_DESKTOP_DIR` of `user-dirs.dirs`, else `~/Desktop`.
    pub fn desktop(&self) -> PathBuf {
        let file = text_of(&self.config_home.join("user-dirs.dirs"));
        user_dir(&file, "XDG_DESKTOP_DIR", &self.home).unwrap_or_else(|| self.home.join("Desktop"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a home directory of the test's own")]
    fn person(files: &[(&str, &str)], locale: Option<&str>) -> FolderNames {
        let home = tempfile::tempdir().unwrap();
        let env = Environment::of_home(home.path());
        for (name, text) in files {
            let path = env.config_home.join(name);
            fs::create_dir_all(&env.config_home).unwrap();
            fs::write(path, text).unwrap();
        }
        FolderNames::of_person(&env, locale)
    }

    const GERMAN: &str = "XDG_PICTURES_DIR=\"$HOME/Bilder\"\nXDG_MUSIC_DIR=\"$HOME/Musik\"\n\
                          XDG_VIDEOS_DIR=\"$HOME/Videos\"\nXDG_DOCUMENTS_DIR=\"$HOME/\"\n";

    #[test]
    fn a_person_gets_the_names_of_the_folders_they_have() {
        let names = person(&[("user-dirs.dirs", GERMAN)], Some("en_US.UTF-8"));
        assert_eq!(names.language(), "de");
        let of = |c| names.category(c).unwrap();
        assert_eq!([of("image"), of("audio"), of("document")], ["Bilder", "Musik", "Dokumente"]);
        assert_eq!((of("archive"), names.duplicates()), ("Archive", "Duplikate"));
        assert_eq!(names.category("nothing"), None);

        // What they call it goes before what it is called.
        let dirs = "XDG_PICTURES_DIR=\"/data/Fotos\"\nXDG_VIDEOS_DIR=\"/media/Fotos\"";
        let names = person(&[("user-dirs.dirs", dirs), ("user-dirs.locale", "pt_BR\n")], None);
        assert_eq!((names.language(), names.category("image")), ("pt_BR", Some("Fotos")));
        assert_eq!(names.category("video"), Some("Vídeos"), "not the folder of another kind");
    }

    #[test]
    fn a_folder_of_another_use_or_out_of_sight_gives_no_name() {
        for dir in ["Downloads", ".pictures"] {
            let dirs =
                format!("XDG_DOWNLOAD_DIR=\"$HOME/Downloads\"\nXDG_PICTURES_DIR=\"$HOME/{dir}/\"");
            let names = person(&[("user-dirs.dirs", &dirs)], None);
            assert_eq!(names.category("image"), Some("Pictures"), "{dir}");
        }
    }

    #[test]
    fn a_language_is_found_by_locale_and_is_english_otherwise() {
        for (locale, want) in [
            ("sv_SE.UTF-8", "sv"),
            ("de_AT", "de"),
            ("pt_PT", "pt"),
            ("zh_HK.UTF-8", "zh_TW"),
            ("zh", "zh_CN"),
            ("nn_NO", "nb"),
            ("ca_ES@valencia", "ca"),
            ("C.UTF-8", "en"),
            ("tlh", "en"),
            ("", "en"),
        ] {
            assert_eq!(person(&[], Some(locale)).language(), want, "{locale}");
        }
        assert_eq!(person(&[], None).language(), "en");
    }

    #[test]
    fn every_name_is_one_folder_and_no_two_are_the_same() {
        for (code, language) in languages() {
            let mut words = language.words.to_vec();
            assert!(words.iter().all(|w| !w.contains(['/', '{', '}']) && w.trim() == *w), "{code}");
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), 8, "{code}");
        }
    }

    #[test]
    fn the_folders_are_those_of_the_desktop() {
        let home = Path::new("/home/a");
        let of = |line: &str| user_dir(line, "XDG_DOWNLOAD_DIR", home);
        let table = [
            ("XDG_DOWNLOAD_DIR=\"$HOME/Téléchargements\"", Some("/home/a/Téléchargements")),
            ("# c\nXDG_DOWNLOAD_DIR = \"/data/dl/\"\n", Some("/data/dl")),
            ("XDG_DOWNLOAD_DIR=\"$HOME/a \\\"b\\\"\"", Some("/home/a/a \"b\"")),
            ("XDG_DOWNLOAD_DIR=\"$HOME/\"", None),
            ("XDG_DOWNLOAD_DIR=\"$HOME\"", None),
            ("XDG_DOWNLOAD_DIR=\"$HOMEWORK/x\"", None),
            ("XDG_DOWNLOAD_DIR=\"relative\"", None),
            ("XDG_DOWNLOAD_DIR=\"unfinished", None),
            ("#XDG_DOWNLOAD_DIR=\"/x\"", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(of(line).as_deref(), want.map(Path::new), "{line}");
        }
    }
}
