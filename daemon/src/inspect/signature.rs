//! Signatures: what the first bytes say, ours first and then those of `file-format`.
//!
//! `file-format` is used without its readers: looking inside is done here, within the room's
//! budget of bytes.

use file_format::FileFormat;
use tidy_core::facts::Source;

use super::bytes::{Window, be32, contains, le16};
use super::combine::Guess;
use super::table::{self, Type, known};
use super::{compressed, disk, fields, isobmff, listed, ole, plausible, streams, tiff, zip};

/// Leading bytes that `file-format` does not know, or whose format it gets wrong: offset, bytes, type.
const MAGICS: &[(usize, &[u8], &str)] = &[
    (0, b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"%!FontType1", "application/x-font-type1"),
    (0, b"%!PS-AdobeFont", "application/x-font-type1"),
    (0, b"\0MRM", "image/x-minolta-mrw"),
    (0, b"\x00\x00\x1A\x00", "application/vnd.lotus-1-2-3"),
    (0, b"\x01fcp", "application/x-font-pcf"),
    (0, b"\x03\xD9\xA2\x9A", "application/x-keepass2"),
    (0, b"\x09\x02\x06\x00", "application/vnd.ms-excel"),
    (0, b"\x09\x04\x06\x00", "application/vnd.ms-excel"),
    (0, b"\x09\x08\x08\x00\x00\x05", "application/vnd.ms-excel"),
    (0, b"\x0E\x03\x13\x01", "application/x-hdf5"),
    (0, b"\x1F\x07\x00", "video/dv"),
    (0, b"\x72\xB5\x4A\x86\xBE", "application/x-affinity"),
    (0, b"\x78\x9F\x3E\x22", "application/vnd.ms-tnef"),
    (0, b"\x1F\xFF\xE8\x00", "audio/vnd.dts"),
    (0, b"\x7F\xFE\x80\x01", "audio/vnd.dts"),
    (0, b"\xFE\x7F\x01\x80", "audio/vnd.dts"),
    (0, b"\xFF\x1F\x00\xE8", "audio/vnd.dts"),
    (0, b"\x89HDF\r\n\x1A\n", "application/x-hdf5"),
    (0, b"\x93NUMPY", "application/x-npy"),
    (0, b"\x97JB2\r\n\x1A\n", "image/x-jbig2"),
    (0, b"\xA3\x0D\x0D\x0A", "application/x-python-code"),
    (0, b"\xE4\x52\x5C\x7B\x8C\xD8\xA7\x4D", "application/onenote"),
    (0, b"\xFE\xED\xFE\xED", "application/x-java-keystore"),
    (0, b"$FL2", "application/x-spss-sav"),
    (0, b"$FL3", "application/x-spss-sav"),
    (0, b"<stata_dta>", "application/x-stata-dta"),
    (0, b"ADIF", "audio/aac"),
    (0, b"BIKi", "video/x-bink"),
    (0, b"CDF\x01", "application/netcdf"),
    (0, b"CDF\x02", "application/netcdf"),
    (0, b"CDF\x05", "application/netcdf"),
    (0, b"DKIF", "video/x-ivf"),
    (0, b"FOVb", "image/x-sigma-x3f"),
    (0, b"FRM8", "audio/x-dff"),
    (0, b"GGUF", "application/x-safetensors"),
    (0, b"HWP Document File", "application/x-hwp"),
    (0, b"II*\0\x10\0\0\0CR", "image/x-canon-cr2"),
    (0, b"IIRO", "image/x-olympus-orf"),
    (0, b"IIRS", "image/x-olympus-orf"),
    (0, b"IIU\0", "image/x-panasonic-rw2"),
    (0, b"MATLAB 5.0 MAT-file", "application/x-matlab-data"),
    (0, b"MATLAB 7.3 MAT-file", "application/x-hdf5"),
    (0, b"NSVf", "video/x-nsv"),
    (0, b"OFR ", "audio/x-ofr"),
    (0, b"ORC", "application/vnd.apache.orc"),
    (0, b"PSID", "audio/x-sid"),
    (0, b"Paint Shop Pro Image File", "image/x-paintshop"),
    (0, b"PuTTY-User-Key-File", "application/x-putty-key"),
    (0, b"RF64", "audio/vnd.wave"),
    (0, b"RSID", "audio/x-sid"),
    (0, b"SIMPLE  =", "image/fits"),
    (0, b"SMK2", "video/x-smk"),
    (0, b"SMK4", "video/x-smk"),
    (0, b"TTA1", "audio/x-tta"),
    (0, b"TWIN", "audio/x-vqf"),
    (0, b"WARC/0.1", "application/warc"),
    (0, b"WARC/1.0", "application/warc"),
    (0, b"WARC/1.1", "application/warc"),
    (0, b"YUV4MPEG2", "video/x-y4m"),
    (0, b"\xFD\x37\x7A\x58\x5A", "application/x-xz"),
    (0, b"ajkg", "audio/x-shorten"),
    (0, b"bplist0", "application/x-plist"),
    (0, b"caff", "audio/x-caf"),
    (0, b"nut/multimedia", "video/x-nut"),
    (0, b"tBaK", "audio/x-tak"),
    (0, b"xof 0302", "application/x-3ds"),
    (0, b"xof 0303", "application/x-3ds"),
    (0, b"\xF7\x02", "application/x-dvi"),
    (16, b"{\"files\":{", "application/x-asar"),
    (0, b"ANDROID!", "application/x-raw-disk-image"),
    (0, b"\x3A\xFF\x26\xED\x01\x00", "application/x-raw-disk-image"),
    (4, b"\xEF\xCD\xAB\x89", "application/x-ms-ese"),
    (8, b"LWO2", "model/x-lwo"),
    (8, b"LWO3", "model/x-lwo"),
    (8, b"LWOB", "model/x-lwo"),
    (20, b"GIMP", "image/x-gimp-gbr"),
    (20, b"GPAT", "image/x-gimp-pat"),
    (2048, b"PCD_IPI", "image/x-photo-cd"),
    (6, b"HEAPCCDR", "image/x-canon-crw"),
    (60, b"BOOKMOBI", "application/x-mobipocket-ebook"),
    (60, b"TEXtREAd", "application/x-mobipocket-ebook"),
    (0, b"TPZ", "application/x-mobipocket-ebook"),
    (128, b"DICM", "application/dicom"),
    (64, b"\x7F\x10\xDA\xBE", "application/x-virtualbox-vdi"),
    (60, b"\x7F\x10\xDA\xBE", "application/x-virtualbox-vdi"),
];

/// Formats of `file-format` known by two or three bytes, or by bytes that ordinary text may begin
/// with. They are believed only where nothing contradicts: not the extension, and not text.
const WEAK: &[FileFormat] = &[
    FileFormat::AdvancedAudioCoding,
    FileFormat::AmigaDiskFile,
    FileFormat::AndroidBinaryXml,
    FileFormat::AndroidResourceStorageContainer,
    FileFormat::AppleDiskImage,
    FileFormat::ArchivedByRobertJung,
    FileFormat::AudioCodec3,
    FileFormat::AutodeskAnimator,
    FileFormat::AutodeskAnimatorPro,
    FileFormat::BdavMpeg2TransportStream,
    FileFormat::Bzip,
    FileFormat::Commodore64Program,
    FileFormat::CommonObjectFileFormat,
    FileFormat::Cpio,
    FileFormat::DerCertificate,
    FileFormat::FlexibleAndInteroperableDataTransfer,
    FileFormat::Mpeg12AudioLayer2,
    FileFormat::Mpeg12AudioLayer3,
    FileFormat::Mpeg2TransportStream,
    FileFormat::Mtv,
    FileFormat::PictureExchange,
    FileFormat::Seqbox,
    FileFormat::SiliconGraphicsImage,
    FileFormat::UnixCompress,
    FileFormat::WindowsCursor,
    FileFormat::WindowsIcon,
    FileFormat::WindowsMetafile,
    FileFormat::Zoo,
];

/// Formats `file-format` tells by a text's first words; our reading of text does that better.
const TEXTUAL: &[FileFormat] = &[
    FileFormat::ExtensibleMarkupLanguage,
    FileFormat::HypertextMarkupLanguage,
    FileFormat::JpegXl,
    FileFormat::Model3dAscii,
    FileFormat::MsDosBatch,
    FileFormat::MsDosExecutable,
    FileFormat::Postscript,
    FileFormat::SubripText,
    FileFormat::WebassemblyText,
];

/// What the first bytes say; `None` when they say nothing. `named` is what the name says: letters that a text
/// may begin with are a signature where the name says so, too.
pub(super) fn look(w: &mut Window<'_>, is_text: bool, named: &[&Type]) -> Option<Guess> {
    match w.head() {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, b'P', b'K', ..] => {
            return Some(zip::look(w));
        }
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => return Some(ole::look(w)),
        _ => {}
    }
    if let Some(media) = inside(w) {
        return Some(Guess::sure(known(media), Source::Content));
    }
    let letters = Letters { is_text, named };
    let found = MAGICS.iter().find(|(at, magic, media)| {
        matches(w.head(), *at, magic) && letters.may_be(known(media), magic.len() >= UNMISTAKABLE)
    });
    if let Some((_, magic, media)) = found {
        let guess = Guess::sure(known(media), Source::Signature);
        return Some(if magic.len() < 4 { guess.weaker() } else { guess });
    }
    match by_file_format(w, letters) {
        Some(guess) if guess.is_sure() => Some(guess),
        weak => far(w).or_else(|| from_lists(w.head(), letters)).or(weak),
    }
}

/// Bytes that no file has by chance, nor a text by its words.
const UNMISTAKABLE: usize = 8;

/// What public lists of signatures say.
fn from_lists(head: &[u8], letters: Letters<'_>) -> Option<Guess> {
    let (ty, bytes) = listed::look(head)?;
    let guess = Guess::sure(ty, Source::Signature);
    match bytes {
        UNMISTAKABLE.. => Some(guess),
        // Held against no extension, and of a text only where its name says so, too.
        _ if !letters.is_text || letters.named.contains(&ty) => Some(guess.weaker()),
        _ => None,
    }
}

/// Whether letters may be a signature: a text may begin with "true", "ZOO" or "caff".
#[derive(Clone, Copy)]
struct Letters<'n> {
    is_text: bool,
    named: &'n [&'n Type],
}

impl Letters<'_> {
    fn may_be(self, ty: &Type, unmistakable: bool) -> bool {
        let binary = ty.form == table::Form::Binary;
        !self.is_text || (unmistakable || !binary) || self.named.contains(&ty)
    }
}

fn matches(head: &[u8], at: usize, magic: &[u8]) -> bool {
    head.get(at..).is_some_and(|h| h.starts_with(magic))
}

/// Containers, whose signature alone says too little.
fn inside(w: &mut Window<'_>) -> Option<&'static str> {
    let head = w.head();
    match head {
        [0x1a, 0x45, 0xdf, 0xa3, ..] => return Some(streams::ebml(w)),
        [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, ..] => return Some(streams::asf(w)),
        [b'O', b'g', b'g', b'S', ..] => return Some(streams::ogg(head)),
        [b'I', b'D', b'3', 2..=4, ..] => return Some(streams::behind_id3(w)),
        [b'I', b'I', 0x2a | 0x2b, 0, ..] | [b'M', b'M', 0, 0x2a | 0x2b, ..] => {
            return Some(tiff::look(w));
        }
        [b'R', b'I', b'F', b'F' | b'X', ..] => return riff(head),
        [b'M', b'Z', ..] if !looks_like_text(head) => {
            return Some("application/vnd.microsoft.portable-executable");
        }
        [_, _, 0x0d, 0x0a, ..] if plausible::python_code(head) => {
            return Some("application/x-python-code");
        }
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => return Some("image/jxl"),
        [b'%', b'P', b'D', b'F', b'-', ..] => return Some(pdf(head)),
        [b'%', b'!', ..] | [0xc5, 0xd0, 0xd3, 0xc6, ..] => return Some(postscript(head)),
        [0x80, 1, _, _, _, _, b'%', b'!', ..] => return Some("application/x-font-type1"),
        [0x7f, b'E', b'L', b'F', ..] if relocatable(head) => return Some("application/x-object"),
        [0xca, 0xfe, 0xba, 0xbe, ..] => return Some(java_or_mach(head)),
        [0x1f, 0x8b, 8, ..] => return Some(compressed::gzip(head)),
        [0x89, b'P', b'N', b'G', ..] => {
            let animated = contains(&head[..head.len().min(256)], b"acTL");
            return Some(if animated { "image/apng" } else { "image/png" });
        }
        _ => {}
    }
    if let Some(media) = plausible::mpeg_frames(head).filter(|_| head.len() > 32) {
        return Some(media);
    }
    if let Some(media) = fields::look(head, w.len()) {
        return Some(media);
    }
    isobmff::look(w)
}

fn looks_like_text(head: &[u8]) -> bool {
    !head.is_empty() && head.iter().all(|b| !matches!(b, 0..=8 | 14..=26))
}

fn riff(head: &[u8]) -> Option<&'static str> {
    const FORMS: &[(&[u8], &str)] = &[
        (b"WEBP", "image/webp"),
        (b"WAVE", "audio/vnd.wave"),
        (b"AVI ", "video/x-msvideo"),
        (b"ACON", "application/x-navi-animation"),
        (b"CDR", "application/x-coreldraw"),
        (b"CMX", "application/x-coreldraw"),
        (b"RMID", "audio/midi"),
        (b"QLCM", "audio/qcelp"),
        (b"sfbk", "audio/x-soundfont"),
        (b"PAL ", "application/x-adobe-swatch"),
    ];
    let form = head.get(8..12)?;
    FORMS.iter().find(|(f, _)| form.starts_with(f)).map(|(_, media)| *media)
}

/// Adobe Illustrator keeps its own data in a PDF; one that it exported only names it as its creator.
fn pdf(head: &[u8]) -> &'static str {
    let own: [&[u8]; 3] = [b"/Illustrator", b"/AIMetaData", b"/AIPrivateData"];
    let artwork = own.iter().any(|key| contains(head, key));
    if artwork { "application/illustrator" } else { "application/pdf" }
}

fn postscript(head: &[u8]) -> &'static str {
    let first_line = head.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or(head);
    let begin = &head[..head.len().min(1024)];
    if contains(first_line, b"Font") {
        "application/x-font-type1"
    } else if contains(begin, b"%%Creator: Adobe Illustrator") {
        "application/illustrator"
    } else if contains(first_line, b"EPSF") || head.starts_with(b"\xc5\xd0") {
        "image/x-eps"
    } else {
        table::PS
    }
}

/// Both begin alike: a class file has its version there (45 and up), a fat binary its few slices.
fn java_or_mach(head: &[u8]) -> &'static str {
    match be32(head, 4) {
        Some(n) if n & 0xffff >= 43 => "application/java-vm",
        _ => "application/x-mach-binary",
    }
}

/// Compiled, but no program yet: the type at 16 is `ET_REL` (elf(5)).
fn relocatable(head: &[u8]) -> bool {
    matches!((head.get(5), head.get(16..18)), (Some(1), Some([1, 0])) | (Some(2), Some([0, 1])))
}

fn by_file_format(w: &Window<'_>, letters: Letters<'_>) -> Option<Guess> {
    let format = FileFormat::from_bytes(w.head());
    let nothing = [FileFormat::ArbitraryBinaryData, FileFormat::Empty, FileFormat::PlainText];
    if nothing.contains(&format) || TEXTUAL.contains(&format) {
        return None;
    }
    let ty = table::by_media(format.media_type())
        .or_else(|| table::by_ext(format.extension()).first().copied())
        .filter(|t| t.media != table::OCTETS)?;
    let weak = WEAK.contains(&format);
    let named = letters.named.contains(&ty);
    if letters.is_text && !named && (weak || !letters.may_be(ty, false)) {
        return None;
    }
    let guess = Guess::sure(ty, Source::Signature);
    match plausible::holds(format, w.head(), w.len()).filter(|_| weak) {
        Some(true) => Some(guess),
        Some(false) if !named => None,
        _ => Some(if weak { guess.weaker() } else { guess }),
    }
}

/// Signatures that stand further in or at the end.
fn far(w: &mut Window<'_>) -> Option<Guess> {
    let sure = |media| Some(Guess::sure(known(media), Source::Signature));
    if w.len() > 512 && w.at(w.len() - 512, 4) == b"koly" {
        return sure("application/x-apple-diskimage");
    }
    if w.len() > 512 && w.at(w.len() - 512, 8) == b"conectix" {
        return sure("application/x-vhd");
    }
    // Readers of PDF look for its beginning in the first kilobyte (ISO 32000-1, annex H).
    if contains(&w.head()[..w.head().len().min(1024)], b"%PDF-1.") {
        return sure("application/pdf");
    }
    if let Some(media) = disk::look(w) {
        return sure(media);
    }
    if w.len() > 64 && contains(&w.at(w.len() - 26, 26), b"TRUEVISION-XFILE.") {
        return sure("image/x-tga");
    }
    if targa(w.head(), w.len()) {
        return sure("image/x-tga");
    }
    if old_tar(w.head()) {
        return sure(table::TAR);
    }
    transport_stream(w.head()).then(|| Guess::sure(known("video/mp2t"), Source::Signature))
}

/// A Targa picture from before the footer: a header that makes sense, and where nothing is compressed, as many
/// bytes as the picture takes (Truevision TGA, field 1 to 6).
fn targa(head: &[u8], len: u64) -> bool {
    let [id, map, kind, _, _, map_a, map_b, map_bits, ..] = *head else { return false };
    let (Some(width), Some(height)) = (le16(head, 12), le16(head, 14)) else { return false };
    let Some([depth, flags]) = head.get(16..18) else { return false };
    let sides = u64::from(width) * u64::from(height);
    let mapped = u64::from(u16::from_le_bytes([map_a, map_b])) * u64::from(map_bits.div_ceil(8));
    let stated = 18 + u64::from(id) + mapped + sides * u64::from(depth.div_ceil(8));
    let sensible =
        map <= 1 && matches!(depth, 8 | 15 | 16 | 24 | 32) && flags & 0xc0 == 0 && sides > 0;
    // Packed, it is of any length: then nothing may stand where a picture without a map of colours has nothing.
    let bare = id == 0 && map == 0 && head.get(3..8) == Some(&[0; 5]) && flags & 0xf <= 8;
    let packed = matches!(kind, 10 | 11) && bare && width <= 8192 && height <= 8192 && len > 26;
    sensible && (packed || (matches!(kind, 1..=3) && (stated..stated + 600).contains(&len)))
}

/// A tar header from before `ustar` has no magic, but a checksum: the sum of its 512 bytes, its own
/// field taken as spaces (tar(5)).
fn old_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let field = std::str::from_utf8(&header[148..156]).unwrap_or("");
    let field = field.trim_matches(|c: char| c == '\0' || c == ' ');
    let Ok(stated) = u32::from_str_radix(field, 8) else { return false };
    let sum = |bytes: &[u8]| bytes.iter().map(|b| u32::from(*b)).sum::<u32>();
    header[0] != 0 && stated == sum(&header[..148]) + 8 * 32 + sum(&header[156..])
}

/// Packets of 188 bytes, or of 192 with a time stamp, each beginning with 0x47.
fn transport_stream(head: &[u8]) -> bool {
    [(0, 188), (4, 192)].iter().any(|&(first, step)| {
        let mut marks = head.iter().skip(first).step_by(step);
        head.len() >= first + 3 * step && marks.all(|b| *b == 0x47)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<&'static str> {
        let mut source = bytes;
        let mut w = Window::open(&mut source, bytes.len() as u64).unwrap();
        look(&mut w, false, &[]).map(|g| g.ty.media)
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (bytes, media) in [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), "image/png"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/x-eps"),
            (b"%!PS-AdobeFont-1.0: X\n", "application/x-font-type1"),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", "application/java-vm"),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", "application/x-mach-binary"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"bplist00", "application/x-plist"),
            (b"FORM\0\0\x01\0LWO2TAGS", "model/x-lwo"),
            (b"\x34\xbf\xd4\x5f\xef\xcd\xab\x89\x20\x06\0\0", "application/x-ms-ese"),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0", "application/x-object"),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", "application/x-executable"),
            (
                b"\0\0\x0a\0\0\0\0\0\0\0\0\0\x80\0\x80\0\x20\x20\xff\0\0\0\0\xff\0\0\0\0\xff",
                "image/x-tga",
            ),
        ] {
            assert_eq!(of(bytes), Some(media));
        }
        assert_eq!(of(b"\x01\x02\x03\x04\x05"), None);
    }

    #[test]
    fn every_signature_names_a_known_type() {
        for (_, _, media) in MAGICS {
            assert!(table::by_media(media).is_some(), "{media}");
        }
    }
}
