//! Small documents, made as the programs that write them would.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A ZIP file of these parts.
pub fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a name");
        zip.write_all(content.as_bytes()).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// A Word document with an author and a text.
pub fn docx(author: &str, text: &str) -> Vec<u8> {
    let core = format!(
        "<cp:coreProperties><dc:title>About {author}</dc:title><dc:creator>{author}</dc:creator>\
         <dcterms:created>2024-05-06T10:00:00Z</dcterms:created></cp:coreProperties>"
    );
    package(&[
        ("[Content_Types].xml", "<Types/>"),
        ("docProps/core.xml", &core),
        ("docProps/app.xml", "<Properties><Pages>3</Pages></Properties>"),
        ("word/document.xml", &format!("<w:document><w:p><w:t>{text}</w:t></w:p></w:document>")),
    ])
}

/// A PDF file of one page with an author and a text.
pub fn pdf(author: &str, text: &str) -> Vec<u8> {
    let page = format!("BT /F 12 Tf 50 700 Td ({text}) Tj ET");
    format!(
        "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n\
         2 0 obj <</Type/Pages/Kids[5 0 R]/Count 1>> endobj\n\
         3 0 obj <</Author({author})/CreationDate(D:20240506100000Z)>> endobj\n\
         4 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>> endobj\n\
         5 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 6 0 R\
         /Resources<</Font<</F 4 0 R>>>>>> endobj\n\
         6 0 obj <</Length {}>> stream\n{page}\nendstream endobj\n\
         trailer <</Root 1 0 R/Info 3 0 R>>\n",
        page.len()
    )
    .into_bytes()
}
