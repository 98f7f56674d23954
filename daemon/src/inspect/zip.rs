//! ZIP: which of the many formats built on it, told from the member names.
//!
//! Names come from the central directory (APPNOTE.TXT 4.3.12), or from the local headers in the
//! head when the directory is cut off. Of one member the beginning is unpacked where the names leave it open.

use tidy_core::facts::Source;

use super::bytes::{Window, contains, le16, le32};
use super::combine::Guess;
use super::compressed;
use super::table::{self, known};

/// The end record with a short comment; then with the longest comment there can be.
const TAILS: [usize; 2] = [512, 22 + 65_535];
/// Bytes of central directory looked at.
const MAX_DIRECTORY: usize = 48 * 1024;
/// Members looked at.
const MAX_MEMBERS: usize = 512;

/// What the headers of the directory, and those before each member, begin with.
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const LOCAL: &[u8; 4] = b"PK\x03\x04";

const PRESENTATION: &str =
    "application/vnd.openxmlformats-officedocument.presentationml.presentation";

/// What the list of an OOXML package's parts mentions (ECMA-376-2).
const OFFICE: &[(&str, &str)] = &[
    (
        "wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("spreadsheetml.sheet", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("presentationml.presentation.main", PRESENTATION),
    ("presentationml.slideshow.main", PRESENTATION),
    ("presentationml.template.main", PRESENTATION),
    ("ms-visio.", "application/vnd.ms-visio.drawing.main+xml"),
    ("3dmanufacturing", "application/vnd.ms-3mfdocument"),
    ("fixeddocument", "application/oxps"),
];

/// A member that settles the type by being there, in order of trust.
const MEMBERS: &[(&str, &str)] = &[
    ("AndroidManifest.xml", "application/vnd.android.package-archive"),
    ("classes.dex", "application/vnd.android.package-archive"),
    ("BundleConfig.pb", "application/vnd.android.aab"),
    ("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("visio/", "application/vnd.ms-visio.drawing.main+xml"),
    ("3D/3dmodel.model", "application/vnd.ms-3mfdocument"),
    ("FixedDocumentSequence.fdseq", "application/oxps"),
    ("FixedDocSeq.fdseq", "application/oxps"),
    ("_rels/FixedDocumentSequence.fdseq.rels", "application/oxps"),
    ("AppxManifest.xml", "application/vnd.ms-appx"),
    ("AppxMetadata/AppxBundleManifest.xml", "application/vnd.ms-appx.bundle"),
    ("extension.vsixmanifest", "application/vsix"),
    ("AppManifest.xaml", "application/x-silverlight-app"),
    ("META-INF/AIR/application.xml", "application/vnd.adobe.air-application-installer-package+zip"),
    ("META-INF/container.xml", "application/epub+zip"),
    ("META-INF/mozilla.rsa", "application/x-xpinstall"),
    ("install.rdf", "application/x-xpinstall"),
    ("Contents/content.hpf", "application/hwp+zip"),
    ("designmap.xml", "application/vnd.adobe.indesign-idml-package"),
    ("maindoc.kra", "application/x-krita"),
    ("GuiDocument.xml", "application/x-freecad"),
    ("doc.kml", "application/vnd.google-earth.kmz"),
    ("index.apxl", "application/vnd.apple.keynote"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
    ("WEB-INF/web.xml", "application/java-archive"),
];

/// A member whose name ends so settles it when no whole name did.
const SUFFIXES: &[(&str, &str)] = &[
    (".fb2", "application/x-zip-compressed-fb2"),
    (".usdc", "model/vnd.usdz+zip"),
    (".nuspec", "application/x-nuget"),
    (".dist-info/WHEEL", "application/x-wheel+zip"),
    (".app/Info.plist", "application/x-ios-app"),
    (".class", "application/java-archive"),
    ("build/gradle/app-metadata.properties", "application/vnd.android.package-archive"),
];

/// Members that are archives themselves: in a file that is cut off, what follows may be theirs.
const NESTED: &[&str] =
    &[".apk", ".docx", ".epub", ".jar", ".odt", ".pptx", ".war", ".xlsx", ".zip"];

/// A member, and where its local header begins.
struct Member {
    name: String,
    at: u64,
}

/// The same with its name as it is: not UTF-8 in many an archive.
struct Raw {
    name: Vec<u8>,
    at: u64,
}

impl From<Raw> for Member {
    fn from(Raw { name, at }: Raw) -> Self {
        let lossy =
            |e: std::string::FromUtf8Error| String::from_utf8_lossy(e.as_bytes()).into_owned();
        Self { name: String::from_utf8(name).unwrap_or_else(lossy), at }
    }
}

/// The media type, as far as the members say.
pub(super) fn look(w: &mut Window<'_>) -> Guess {
    let sure = |media| Guess::sure(known(media), Source::Content);
    if let Some(declared) = declared(w.head()) {
        return sure(declared);
    }
    let members: Vec<Member> = members(w).into_iter().map(Member::from).collect();
    if let Some(guess) = old_iwork(&members, w) {
        return guess;
    }
    if let Some(media) = by_members(&members, w) {
        return sure(media);
    }
    sure(by_manifest(&members, w).unwrap_or(table::ZIP))
}

/// The first member `mimetype`, stored: what OpenDocument, EPUB, OpenRaster and others begin with.
fn declared(head: &[u8]) -> Option<&'static str> {
    let name_len = usize::from(le16(head, 26)?);
    let extra_len = usize::from(le16(head, 28)?);
    let stored = le16(head, 8)? == 0;
    if !stored || head.get(30..30 + name_len)? != b"mimetype" {
        return None;
    }
    let body = head.get(30 + name_len + extra_len..)?;
    // The size may be left to a data descriptor; then the next header ends the text.
    let len = match le32(head, 18)? as usize {
        0 => body.windows(2).position(|w| w == b"PK")?,
        n => n.min(128),
    };
    let text = std::str::from_utf8(body.get(..len)?).ok()?.trim();
    let ty = table::by_media(text)?;
    Some(ty.media)
}

/// The names of the members, as many as are looked at.
pub(super) fn names(w: &mut Window<'_>) -> Vec<Vec<u8>> {
    members(w).into_iter().map(|member| member.name).collect()
}

fn members(w: &mut Window<'_>) -> Vec<Raw> {
    let directory = TAILS.iter().find_map(|&tail| {
        let start = w.len().saturating_sub(tail as u64);
        let bytes = w.at(start, tail);
        let end = (0..bytes.len().saturating_sub(21))
            .rev()
            .find(|&i| bytes[i..].starts_with(b"PK\x05\x06"))?;
        let size = le32(&bytes, end + 12)? as usize;
        let offset = u64::from(le32(&bytes, end + 16)?);
        // What stands before the archive (a self-extractor) shifts every offset.
        let end_at = start + end as u64;
        let real = end_at.checked_sub(size as u64).unwrap_or(offset);
        let directory = w.at(real, size.min(MAX_DIRECTORY));
        let shift = real.saturating_sub(offset);
        directory.starts_with(CENTRAL).then_some((directory, shift))
    });
    match directory {
        Some((bytes, shift)) => {
            let offset = |header: &[u8], _| u64::from(le32(header, 42).unwrap_or(0)) + shift;
            headers(&bytes, CENTRAL, 46, 28, offset)
        }
        None => headers(w.head(), LOCAL, 30, 26, |_, at| at as u64),
    }
}

/// The members in a run of headers of one kind: central ones follow each other, local ones are looked for.
fn headers(
    bytes: &[u8],
    magic: &[u8; 4],
    fixed: usize,
    name_len_at: usize,
    place: impl Fn(&[u8], usize) -> u64,
) -> Vec<Raw> {
    let mut members = Vec::new();
    let mut at = 0;
    while members.len() < MAX_MEMBERS {
        let Some(found) = bytes[at..].windows(4).position(|w| w == magic) else { break };
        let header = &bytes[at + found..];
        let Some(len) = le16(header, name_len_at).map(usize::from) else { break };
        let Some(name) = header.get(fixed..fixed + len) else { break };
        let name = name.to_vec();
        let nested = magic == LOCAL
            && NESTED.iter().any(|e| name.to_ascii_lowercase().ends_with(e.as_bytes()));
        members.push(Raw { name, at: place(header, at + found) });
        if nested {
            break;
        }
        at += found + fixed + len;
    }
    members
}

/// The beginning of a member's content, if it is stored or deflated.
fn beginning(w: &mut Window<'_>, member: &Member) -> Option<Vec<u8>> {
    let header = w.at(member.at, 30);
    if !header.starts_with(LOCAL) {
        return None;
    }
    let skipped = 30 + u64::from(le16(&header, 26)?) + u64::from(le16(&header, 28)?);
    let content = w.at(member.at.checked_add(skipped)?, compressed::PACKED);
    match le16(&header, 8)? {
        0 => Some(content),
        8 => Some(compressed::inflate(&content)),
        _ => None,
    }
}

fn member<'m>(members: &'m [Member], name: &str) -> Option<&'m Member> {
    members.iter().find(|m| m.name == name)
}

fn by_members(members: &[Member], w: &mut Window<'_>) -> Option<&'static str> {
    let has = |name: &str| {
        members.iter().any(|m| match name.ends_with('/') {
            true => m.name.starts_with(name),
            false => m.name == name,
        })
    };
    let is_office = has("[Content_Types].xml") || has("_rels/.rels");
    for (name, media) in MEMBERS {
        // `word/` alone may be any folder; with the package's parts beside it, it is not.
        if has(name) && (!name.ends_with('/') || is_office) {
            return Some(media);
        }
    }
    if let Some(iwork) = iwork(members, w) {
        return Some(iwork);
    }
    for (suffix, media) in SUFFIXES {
        if members.iter().any(|m| m.name.ends_with(suffix)) {
            return Some(media);
        }
    }
    // A map, with its pictures in folders; beside other files it is one of them.
    let mut top = members.iter().filter(|m| !m.name.contains('/')).peekable();
    if top.peek().is_some() && top.all(|m| m.name.to_ascii_lowercase().ends_with(".kml")) {
        return Some("application/vnd.google-earth.kmz");
    }
    let all = |exts: &[&str]| {
        let mut files = members.iter().filter(|m| !m.name.ends_with('/')).peekable();
        files.peek().is_some()
            && files.all(|m| exts.iter().any(|e| m.name.to_ascii_lowercase().ends_with(e)))
    };
    all(&[".npy"]).then_some("application/x-npz")
}

/// What a part says that lists the others: packages of office programs whose parts have other names than
/// usual, or whose `mimetype` does not come first.
fn by_manifest(members: &[Member], w: &mut Window<'_>) -> Option<&'static str> {
    let list = |w: &mut Window<'_>, name| beginning(w, member(members, name)?);
    if let Some(text) = list(w, "META-INF/manifest.xml") {
        let text = String::from_utf8_lossy(&text);
        let mut names = text.split(['"', '\'']).filter(|t| t.starts_with("application/"));
        if let Some(media) = names.find_map(by_name) {
            return Some(media);
        }
    }
    if let Some(text) = list(w, "[Content_Types].xml") {
        let named = OFFICE.iter().find(|(part, _)| contains(&text, part.as_bytes()));
        return named.map(|(_, media)| *media);
    }
    let opendocument = member(members, "content.xml").and(member(members, "styles.xml"));
    opendocument.map(|_| "application/vnd.oasis.opendocument.text")
}

const PAGES: &str = "application/vnd.apple.pages";
const NUMBERS: &str = "application/vnd.apple.numbers";
const KEYNOTE: &str = "application/vnd.apple.keynote";

/// A type of OpenDocument or of the format before it.
fn by_name(name: &str) -> Option<&'static str> {
    let office = name.contains("opendocument") || name.contains("sun.xml");
    table::by_media(name).filter(|_| office).map(|ty| ty.media)
}

/// The '09 office files of Apple: one XML file, whose root names the program.
fn old_iwork(members: &[Member], w: &mut Window<'_>) -> Option<Guess> {
    member(members, "buildVersionHistory.plist")?;
    let index = member(members, "index.xml")?;
    let text = beginning(w, index).unwrap_or_default();
    let root = [("<ls:document", NUMBERS), ("<sl:document", PAGES)];
    let media = root.iter().find(|(root, _)| contains(&text, root.as_bytes()));
    // Pages is the commoner.
    let pages = || Guess::sure(known(PAGES), Source::Content).weaker();
    Some(media.map_or_else(pages, |(_, media)| Guess::sure(known(media), Source::Content)))
}

/// Apple's office files keep their parts in `Index/*.iwa`, stored.
fn iwork(members: &[Member], w: &mut Window<'_>) -> Option<&'static str> {
    let any = |part: &str| members.iter().any(|m| m.name.contains(part));
    if any("Index/Slide") || any("Index/MasterSlide") || any("Index/TemplateSlide") {
        return Some(KEYNOTE);
    }
    if !any("Index/Document.iwa") && !any("Index.zip") {
        return None;
    }
    // A nested Index.zip begins in the head; its parts' names are in clear there.
    let head = w.head();
    if contains(head, b"Index/Slide") || contains(head, b"MasterSlide") {
        return Some(KEYNOTE);
    }
    // The archive of a document of Pages is of type 10000, that of Numbers of type 1: a field and a number before
    // the version of the format, in clear in what Snappy makes of so few bytes.
    let document = member(members, "Index/Document.iwa").and_then(|m| beginning(w, m));
    if document.is_some_and(|d| contains(&d[..d.len().min(48)], b"\x08\x90\x4e\x12")) {
        return Some(PAGES);
    }
    let tables = members.iter().filter(|m| m.name.contains("Index/Tables/")).count();
    let sections = any("Index/Section") || any("Index/ThemeStylesheet");
    Some(if tables > 0 && !sections { NUMBERS } else { PAGES })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let members: Vec<_> = members.iter().map(|(n, body)| (n.as_bytes(), *body)).collect();
        archive_of(&members)
    }

    /// A ZIP of stored members with empty CRCs, as far as a directory reader cares.
    pub(in super::super) fn archive_of(members: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for (name, body) in members {
            let offset = out.len() as u32;
            let sizes: Vec<u8> =
                [body.len() as u32; 2].iter().flat_map(|n| n.to_le_bytes()).collect();
            out.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
            out.extend(&sizes);
            out.extend((name.len() as u16).to_le_bytes());
            out.extend([0, 0]);
            out.extend(*name);
            out.extend(*body);
            directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
            directory.extend(&sizes);
            directory.extend((name.len() as u16).to_le_bytes());
            directory.extend([0; 12]);
            directory.extend(offset.to_le_bytes());
            directory.extend(*name);
        }
        let start = out.len() as u32;
        out.extend(&directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend((members.len() as u16).to_le_bytes());
        out.extend((members.len() as u16).to_le_bytes());
        out.extend((directory.len() as u32).to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0, 0]);
        out
    }

    fn of(bytes: &[u8]) -> &'static str {
        let mut source = bytes;
        look(&mut Window::open(&mut source, bytes.len() as u64).unwrap()).ty.media
    }

    #[test]
    fn members_tell_the_format() {
        let body = [0u8; 5000].as_slice();
        let word = [("a.bin", body), ("[Content_Types].xml", b"x"), ("word/document.xml", b"x")];
        assert_eq!(of(&archive(&word)), OFFICE[0].1);
        assert_eq!(of(&archive(&[("word/letter.txt", b"x")])), "application/zip");
        let odt = b"application/vnd.oasis.opendocument.text".as_slice();
        assert_eq!(of(&archive(&[("mimetype", odt), ("content.xml", b"")])).as_bytes(), odt);
        assert_eq!(of(&archive(&[("a/B.class", b"x")])), "application/java-archive");
        assert_eq!(of(&archive(&[])), "application/zip");
        let map = [("a.kml", body), ("files/a.png", b"x")];
        assert_eq!(of(&archive(&map)), "application/vnd.google-earth.kmz");
        assert_eq!(of(&archive(&[("a.kml", body), ("a.csv", b"x")])), "application/zip");
    }

    #[test]
    fn a_document_of_pages_may_have_tables() {
        let with = |document: &[u8]| {
            of(&archive(&[("Index/Document.iwa", document), ("Index/Tables/Tile.iwa", b"x")]))
        };
        assert_eq!(
            with(b"\0\x15\x16\0\xd0\x48\xf0\x52\x27\x08\x01\x12\x23\x08\x90\x4e\x12\x03"),
            PAGES
        );
        assert_eq!(
            with(b"\0\xdf\x10\0\x93\x36\xf0\x4e\x23\x08\x01\x12\x1f\x08\x01\x12\x03"),
            NUMBERS
        );
    }

    #[test]
    fn a_cut_off_archive_is_told_by_its_local_headers() {
        let whole = archive(&[("META-INF/MANIFEST.MF", b"x"), ("a", &[7; 9000])]);
        assert_eq!(of(&whole[..6000]), "application/java-archive");
    }

    #[test]
    fn the_table_names_known_types() {
        for (_, media) in MEMBERS.iter().chain(SUFFIXES) {
            assert!(super::super::table::by_media(media).is_some(), "{media}");
        }
    }
}
