//! XML and HTML: the root element.

use super::super::table::XML;

/// Root elements (local name, lower case) with their type. Sorted.
const ROOTS: &[(&str, &str)] = &[
    ("abiword", "application/x-abiword"),
    ("ableton", "audio/x-ableton-live"),
    ("amf", "application/x-amf"),
    ("appinstaller", "application/appinstaller"),
    ("article", "application/docbook+xml"),
    ("asx", "video/x-ms-asx"),
    ("book", "application/docbook+xml"),
    ("cml", "chemical/x-cml"),
    ("collada", "model/vnd.collada+xml"),
    ("definitions", "application/wsdl+xml"),
    ("eagle", "application/x-eagle"),
    ("feed", "application/atom+xml"),
    ("fictionbook", "application/x-fictionbook+xml"),
    ("gml", "application/gml+xml"),
    ("gpx", "application/gpx+xml"),
    ("html", "text/html"),
    ("icalendar", "application/calendar+xml"),
    ("jnlp", "application/x-java-jnlp-file"),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("math", "application/mathml+xml"),
    ("metalink", "application/metalink4+xml"),
    ("mets", "application/mets+xml"),
    ("mods", "application/mods+xml"),
    ("modscollection", "application/mods+xml"),
    ("mpd", "application/dash+xml"),
    ("mxfile", "application/vnd.jgraph.mxfile"),
    ("ncx", "application/x-dtbncx+xml"),
    ("nzb", "application/x-nzb"),
    ("opml", "application/x-opml+xml"),
    ("osm", "application/x-osm+xml"),
    ("playlist", "application/xspf+xml"),
    ("plist", "application/x-plist"),
    ("rdf", "application/rdf+xml"),
    ("rsd", "application/rsd+xml"),
    ("rss", "application/rss+xml"),
    ("sbml", "application/sbml+xml"),
    ("schema", "application/x-xsd+xml"),
    ("score-partwise", "application/vnd.recordare.musicxml+xml"),
    ("score-timewise", "application/vnd.recordare.musicxml+xml"),
    ("scribusutf8", "application/x-scribus"),
    ("scribusutf8new", "application/x-scribus"),
    ("smil", "application/smil+xml"),
    ("sparql", "application/sparql-results+xml"),
    ("stylesheet", "application/xslt+xml"),
    ("svg", "image/svg+xml"),
    ("tei", "application/tei+xml"),
    ("teicorpus", "application/tei+xml"),
    ("tmx", "application/x-tmx+xml"),
    ("trainingcenterdatabase", "application/vnd.garmin.tcx+xml"),
    ("transform", "application/xslt+xml"),
    ("tt", "application/ttml+xml"),
    ("usfsubtitles", "application/x-usf"),
    ("virtualbox", "application/x-virtualbox-vbox"),
    ("visiodocument", "application/vnd.ms-visio.viewer"),
    ("wpl", "application/vnd.ms-wpl"),
    ("x3d", "model/x3d+xml"),
    ("xdp", "application/vnd.adobe.xdp+xml"),
    ("xliff", "application/xliff+xml"),
    ("xmpmeta", "application/rdf+xml"),
];

/// Elements only HTML begins with when it has no `<html>`. Sorted.
const HTML: &[&str] = &[
    "a", "b", "base", "body", "br", "center", "div", "font", "form", "h1", "h2", "h3", "head",
    "hr", "i", "img", "link", "meta", "ol", "p", "pre", "script", "section", "span", "style",
    "table", "title", "tr", "ul",
];

/// Elements that a page in Markdown may begin with: a title or a picture in the middle.
const PROSE: &[&str] = &["a", "br", "center", "div", "h1", "h2", "h3", "img", "p", "picture"];

/// Whether there are marks of Markdown as well: a heading, a list of links, a block of code.
fn is_marked(text: &str) -> bool {
    let marks = text.lines().filter(|l| {
        let heading = l.trim_start_matches('#');
        (heading.len() < l.len() && heading.starts_with(' '))
            || l.starts_with("```")
            || (l.contains("](") && l.contains('['))
    });
    marks.take(2).count() == 2
}

/// Instructions, comments and declarations stepped over before the root.
const MAX_PROLOG: usize = 64;

/// The media type, when the text begins with an element.
pub(super) fn look(text: &str) -> Option<&'static str> {
    let mut rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let declared = rest.starts_with("<?xml");
    for _ in 0..MAX_PROLOG {
        let end = if rest.starts_with("<?php") || rest.starts_with("<?=") {
            return Some("application/x-php");
        } else if rest.starts_with("<%") {
            return Some("application/x-jsp");
        } else if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!") {
            if starts_ignoring_case(rest, "<!doctype html") {
                return Some(html(text));
            }
            if ["<!ELEMENT", "<!ENTITY", "<!ATTLIST"].iter().any(|d| rest.starts_with(d)) {
                return Some("application/xml-dtd");
            }
            declaration_end(rest)
        } else {
            break;
        };
        let Some(at) = rest.find(end) else {
            return declared.then_some(XML);
        };
        rest = rest[at + end.len()..].trim_start();
    }
    element(text, rest, declared)
}

/// A document type with an internal subset ends with its bracket.
fn declaration_end(rest: &str) -> &'static str {
    match (rest.find('['), rest.find('>')) {
        (Some(open), Some(close)) if open < close => "]>",
        _ => ">",
    }
}

fn element(text: &str, rest: &str, declared: bool) -> Option<&'static str> {
    let tag = rest.strip_prefix('<')?;
    let name_len = tag.find(|c: char| !(c.is_alphanumeric() || "_-.:".contains(c)))?;
    let name = tag[..name_len].to_ascii_lowercase();
    let after = &tag[name_len..];
    if name.is_empty() || !after.starts_with(|c: char| c.is_whitespace() || ">/".contains(c)) {
        return None;
    }
    let local = name.rsplit(':').next().unwrap_or(&name);
    if let Ok(at) = ROOTS.binary_search_by(|(n, _)| (*n).cmp(local)) {
        return Some(match ROOTS[at].1 {
            "text/html" => html(text),
            other => other,
        });
    }
    let attributes = &after[..after.find('>').unwrap_or(after.len())];
    if let Some(media) = by_namespace(local, attributes) {
        return Some(media);
    }
    if HTML.binary_search(&local).is_ok() && !declared {
        let marked = PROSE.contains(&local) && is_marked(text);
        return Some(if marked { "text/markdown" } else { "text/html" });
    }
    // Without a declaration, markup closes an element or carries a namespace.
    let markup = declared || attributes.contains("xmlns") || text.contains("</");
    markup.then_some(XML)
}

/// Vocabularies that share their root's name with nobody but need the name space to be told.
fn by_namespace(local: &str, attributes: &str) -> Option<&'static str> {
    let has = |part: &str| attributes.contains(part);
    if has("urn:oasis:names:tc:opendocument") {
        return Some(if has("opendocument.spreadsheet") {
            "application/vnd.oasis.opendocument.spreadsheet-flat"
        } else if has("opendocument.presentation") {
            "application/vnd.oasis.opendocument.presentation-flat"
        } else {
            "application/vnd.oasis.opendocument.flat"
        });
    }
    if has("loc.gov/MARC21") {
        return Some("application/marcxml+xml");
    }
    match local {
        "diagram" if has("/dia/") => Some("application/x-dia-diagram"),
        "envelope" if has("dmtf.org/ovf") => Some("application/x-virtualbox-ovf"),
        "envelope" => Some("application/soap+xml"),
        "grammar" if has("relaxng") => Some("application/relax-ng+xml"),
        "map" if has("version=") && !has("orientation=") => Some("application/x-freemind"),
        "package" if has("idpf.org") || has("openebook.org") => {
            Some("application/oebps-package+xml")
        }
        "package" if has("2006/xmlPackage") => Some("application/vnd.ms-wordml"),
        "style" if has("xbiblio/csl") => Some("application/vnd.citationstyles.style+xml"),
        "workbook" if has("gnumeric") => Some("application/x-gnumeric"),
        "worddocument" => Some("application/vnd.ms-wordml"),
        "workbook" if has("urn:schemas-microsoft-com:office") => Some("application/vnd.ms-excel"),
        "project" if has("msbuild") || has("Sdk=") => Some("application/vnd.ms-project-file"),
        _ if has("there.is.only.xul") => Some("application/vnd.mozilla.xul+xml"),
        _ if has("winfx/2006/xaml") => Some("application/xaml+xml"),
        _ => None,
    }
}

fn html(text: &str) -> &'static str {
    let begin: String = text.chars().take(600).collect();
    let strict = begin.contains("www.w3.org/1999/xhtml") && begin.trim_start().starts_with("<?xml");
    if strict { "application/xhtml+xml" } else { "text/html" }
}

fn starts_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::super::table;
    use super::*;

    #[test]
    fn the_root_element_decides() {
        for (text, media) in [
            ("<?xml version='1.0'?>\n<!-- c --><svg xmlns='x'>", Some("image/svg+xml")),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><rss>", Some("application/rss+xml")),
            ("<x:xmpmeta xmlns:x='adobe:ns:meta/'>", Some("application/rdf+xml")),
            ("<!doctype HTML><p>", Some("text/html")),
            ("<div class='a'>", Some("text/html")),
            ("<?xml version='1.0'?><a/>", Some("application/xml")),
            ("<?xml version='1.0'?><!-- cut off", Some("application/xml")),
            ("<?php echo 1;", Some("application/x-php")),
            ("<a@b.c> wrote:", None),
            (
                "<p align='center'>\n<img src='a'>\n</p>\n\n# Tool\n\nIt [does](x).\n",
                Some("text/markdown"),
            ),
            ("< 5 is small", None),
            ("<", None),
        ] {
            assert_eq!(look(text), media, "{text}");
        }
    }

    #[test]
    fn the_tables_are_sorted_and_name_known_types() {
        assert!(ROOTS.is_sorted_by(|a, b| a.0 < b.0) && HTML.is_sorted());
        assert!(ROOTS.iter().all(|(_, media)| table::by_media(media).is_some()));
    }
}
