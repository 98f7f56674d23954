//! Texts that say what they are: a first line, a set of headers, a data syntax.

use super::super::table::JSON;
use super::marked;

/// First words that settle it. Compared as they are, after a byte order mark and blank lines.
const BEGINNINGS: &[(&str, &str)] = &[
    ("#EXTM3U", "audio/x-mpegurl"),
    ("#EXTINF", "audio/x-mpegurl"),
    ("#VRML", "model/vrml"),
    ("#usda", "model/x-usd"),
    ("#?RADIANCE", "image/vnd.radiance"),
    ("-----BEGIN PGP", "application/pgp-keys"),
    ("-----BEGIN ", "application/x-pem-file"),
    ("---- BEGIN SSH2", "application/x-ssh-public-key"),
    // As `openssl x509 -text` writes it, the certificate itself below.
    ("Certificate:\n    Data:", "application/x-pem-file"),
    ("Certificate Request:\n    Data:", "application/x-pem-file"),
    ("ssh-rsa ", "application/x-ssh-public-key"),
    ("ssh-ed25519 ", "application/x-ssh-public-key"),
    ("ecdsa-sha2-", "application/x-ssh-public-key"),
    ("age-encryption.org/", "application/x-age-encryption"),
    ("BEGIN:VCALENDAR", "text/calendar"),
    ("BEGIN:VCARD", "text/vcard"),
    ("%PDF-", "application/pdf"),
    ("%FDF-", "application/fdf"),
    ("BEGMF ", "image/cgm"),
    ("BegMF ", "image/cgm"),
    ("Metric (key", "model/vnd.opengex"),
    ("solid\t", "model/stl"),
    ("newmtl ", "model/mtl"),
    ("<![LOG[", "text/x-log"),
    ("%YAML", "application/yaml"),
    ("/* XPM */", "image/x-xpixmap"),
    ("ISO-10303-21;", "model/step"),
    ("StartFontMetrics", "application/x-font-afm"),
    ("STARTFONT ", "application/x-font-bdf"),
    ("WEBVTT", "text/vtt"),
    ("[InternetShortcut]", "application/x-mswinurl"),
    ("[Desktop Entry]", "text/x-ini"),
    ("[Script Info]", "text/x-ssa"),
    ("[playlist]", "audio/x-scpls"),
    ("\\documentclass", "text/x-tex"),
    ("\\documentstyle", "text/x-tex"),
    ("\\input texinfo", "text/x-texinfo"),
    ("{\\rtf", "application/rtf"),
    ("<?php", "application/x-php"),
    ("diff --git ", "text/x-diff"),
    ("d8:announce", "application/x-bittorrent"),
    ("ply\nformat ", "model/ply"),
    ("ply\r\nformat ", "model/ply"),
    ("solid ", "model/stl"),
    ("@echo off", "application/x-bat"),
    ("@ECHO OFF", "application/x-bat"),
    ("@Echo Off", "application/x-bat"),
    ("# -*- coding: utf-8 -*-", "text/x-python"),
    ("# vtk DataFile", "chemical/x-xyz"),
    ("Scc_V1.0", "text/x-scc"),
    ("<SAMI>", "application/x-sami"),
    ("{1}{1}", "text/x-microdvd"),
    ("{0}{", "text/x-microdvd"),
];

/// What the text declares itself to be.
pub(super) fn look(text: &str, whole: bool) -> Option<&'static str> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let declared = BEGINNINGS.iter().find(|(begin, _)| text.starts_with(begin));
    if let Some((_, media)) = declared
        && (*media != "model/stl" || text.contains("facet"))
    {
        return Some(media);
    }
    marked::look(text)
        .or_else(|| mail(text))
        .or_else(|| subtitles(text))
        .or_else(|| json(text, whole))
        .or_else(|| dxf(text))
        .or_else(|| diff(text))
        .or_else(|| model(text))
        .or_else(|| armour(text))
}

/// Text lines to which none of these rules apply: blank, or a comment of a configuration or model.
fn said(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_end).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// Wavefront's models and materials: a keyword in front of every line, and points of three numbers.
fn model(text: &str) -> Option<&'static str> {
    const KEYWORDS: [&str; 12] =
        ["v", "vn", "vt", "vp", "f", "l", "p", "o", "g", "s", "usemtl", "mtllib"];
    const MATERIAL: [&str; 4] = ["Ka", "Kd", "Ks", "Ns"];
    let (mut lines, mut keyed, mut points, mut colours) = (0, 0, 0, 0);
    if said(text).next().is_some_and(|l| l.starts_with("newmtl ")) {
        return Some("model/mtl");
    }
    for line in said(text).take(200) {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or("");
        lines += 1;
        keyed += usize::from(KEYWORDS.contains(&first));
        let numbers = words.filter(|w| w.parse::<f64>().is_ok()).count();
        points += usize::from(first == "v" && numbers >= 3);
        colours += usize::from(MATERIAL.contains(&first) && numbers >= 1);
    }
    if points >= 3 && keyed * 10 >= lines * 9 {
        return Some("model/obj");
    }
    (colours >= 2 && text.contains("newmtl ")).then_some("model/mtl")
}

/// A certificate or key in Base64 below what a program says of it in words (RFC 7468, 5.2 and 2).
fn armour(text: &str) -> Option<&'static str> {
    const WHAT: [&str; 5] = ["CERTIFICATE", "KEY", "PKCS", "CRL", "PARAMETERS"];
    let mut lines = text.lines();
    let line = lines.find(|l| {
        l.strip_prefix("-----BEGIN ").is_some_and(|rest| WHAT.iter().any(|w| rest.contains(w)))
    })?;
    let at = text.find(line)?;
    // What stands above it is no program in which it is a text.
    let is_told = !text[..at].contains(['"', '`', ';', '{', '<']);
    let next = lines.next()?;
    let is_code = |l: &str| {
        l.len() >= 40 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    (is_told && (is_code(next) || next.starts_with("Proc-Type:")))
        .then_some("application/x-pem-file")
}

/// Internet messages (RFC 5322), mailboxes (RFC 4155), saved web pages (RFC 2557).
fn mail(text: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "bcc",
        "cc",
        "content-transfer-encoding",
        "content-type",
        "date",
        "delivered-to",
        "dkim-signature",
        "from",
        "in-reply-to",
        "list-id",
        "message-id",
        "mime-version",
        "newsgroups",
        "received",
        "references",
        "reply-to",
        "return-path",
        "sender",
        "subject",
        "to",
    ];
    let mut lines = text.lines();
    let mailbox = text.starts_with("From ");
    if mailbox && text.lines().next().is_some_and(is_separator) && !text.contains("\ndiff --git ") {
        return Some("application/mbox");
    }
    if mailbox {
        lines.next();
    }
    let (mut known, mut addressed) = (0, false);
    let mut web_page = false;
    for line in lines {
        if line.starts_with([' ', '\t']) {
            web_page |= line.contains("multipart/related");
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { break };
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        if !is_name {
            break;
        }
        let name = name.to_ascii_lowercase();
        known += usize::from(KNOWN.contains(&name.as_str()));
        addressed |=
            matches!(name.as_str(), "from" | "to" | "received" | "message-id" | "return-path");
        web_page |= name == "snapshot-content-location"
            || value.contains("<Saved by")
            || (name == "content-type" && value.contains("multipart/related"));
    }
    let received = text.contains("\nReceived:") || text.contains("\nMessage-I");
    match known {
        2.. if web_page && !received => Some("application/x-mimearchive"),
        // What `git format-patch` writes is a mailbox too, but meant as a patch.
        2.. if mailbox && text.contains("\ndiff --git ") => Some("text/x-diff"),
        2.. if mailbox => Some("application/mbox"),
        2.. if !received && marked::has_changes(text) => Some("text/x-diff"),
        3.. if addressed => Some("message/rfc822"),
        2 if addressed && text.contains("\nSubject:") => Some("message/rfc822"),
        _ => None,
    }
}

/// The line before each message: `From`, a sender, and when it came as asctime(3) writes it.
fn is_separator(line: &str) -> bool {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let words: Vec<&str> = line.split_whitespace().skip(2).collect();
    let [day, _, _, time, ..] = words.as_slice() else { return false };
    DAYS.contains(day) && time.split(':').count() >= 2
}

/// SubRip: a number, then a line with two times.
fn subtitles(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let number = lines.next()?;
    let times = lines.next()?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let timed = |l: &str| {
        l.contains(" --> ") && l.starts_with(|c: char| c.is_ascii_digit()) && l.contains(':')
    };
    (is_number && timed(times)).then_some("application/x-subrip")
}

/// JSON (RFC 8259), perhaps with comments, and the formats written in it.
fn json(text: &str, whole: bool) -> Option<&'static str> {
    let body = skip_comments(text)?;
    let inner = body[1..].trim_start();
    let inner = skip_comments_anywhere(inner);
    let object = body.starts_with('{');
    let begins = if object {
        inner.is_empty() || inner.starts_with('}') || quoted_key(inner)
    } else {
        inner.starts_with(['{', '[', '"', ']', '-'])
            || inner.starts_with(|c: char| c.is_ascii_digit())
            || ["true", "false", "null"].iter().any(|w| inner.starts_with(w))
    };
    // `[1]` may begin anything; a list that is not closed where the text ends is no JSON.
    let closed = !whole || body.trim_end().ends_with(['}', ']']);
    if !begins || !closed || (!object && !list_goes_on(inner)) {
        return None;
    }
    let has = |part: &str| body.contains(part);
    Some(if object && has("\"nbformat\"") || has("\"cell_type\"") {
        "application/x-ipynb+json"
    } else if has("\"type\"") && (has("\"FeatureCollection\"") || has("\"coordinates\"")) {
        "application/geo+json"
    } else if object && is_gltf(body) {
        "model/gltf+json"
    } else if has("\"@context\"") {
        "application/ld+json"
    } else if has("}\n{\"") {
        "application/x-ndjson"
    } else {
        JSON
    })
}

/// A scene in glTF 2.0 (5.17): an asset, and arrays that nothing else has; a long one cuts off the rest.
fn is_gltf(body: &str) -> bool {
    const ARRAYS: [&str; 6] = ["accessors", "bufferViews", "buffers", "meshes", "nodes", "scenes"];
    let has = |key: &&str| body.contains(&format!("\"{key}\""));
    let arrays = ARRAYS.iter().filter(|key| has(key)).count();
    let views = has(&"accessors") && has(&"bufferViews");
    views || (has(&"asset") && has(&"version") && arrays >= 2)
}

/// After the first value comes a comma, the end, or more of the value.
fn list_goes_on(inner: &str) -> bool {
    let first = inner.lines().next().unwrap_or("");
    inner.starts_with(['{', '[', ']'])
        || first.contains([',', ']'])
        || first.trim_end().ends_with('"')
}

fn quoted_key(inner: &str) -> bool {
    let Some(rest) = inner.strip_prefix('"') else { return false };
    let Some(end) = rest.find('"') else { return rest.len() > 1000 };
    rest[end + 1..].trim_start().starts_with(':')
}

fn skip_comments(text: &str) -> Option<&str> {
    let body = skip_comments_anywhere(text);
    body.starts_with(['{', '[']).then_some(body)
}

fn skip_comments_anywhere(mut text: &str) -> &str {
    loop {
        let skipped = if text.starts_with("//") {
            text.find('\n').map(|at| &text[at..])
        } else if text.starts_with("/*") {
            text.find("*/").map(|at| &text[at + 2..])
        } else {
            return text;
        };
        match skipped {
            Some(rest) => text = rest.trim_start(),
            None => return text,
        }
    }
}

/// Group code 0, then SECTION; comments with group code 999 may stand before.
fn dxf(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().map(str::trim);
    loop {
        match (lines.next()?, lines.next()?) {
            ("999", _) => {}
            ("0", "SECTION") => return Some("image/vnd.dxf"),
            _ => return None,
        }
    }
}

fn diff(text: &str) -> Option<&'static str> {
    let lines: Vec<&str> = text.lines().take(40).collect();
    let header = lines.windows(2).any(|w| w[0].starts_with("--- ") && w[1].starts_with("+++ "));
    (header && lines.iter().any(|l| l.starts_with("@@ "))).then_some("text/x-diff")
}

#[cfg(test)]
mod tests {
    use super::super::super::table;
    use super::*;

    #[test]
    fn texts_that_say_what_they_are() {
        for (text, media) in [
            ("From: a\nTo: b\nSubject: c\n\nx", Some("message/rfc822")),
            ("From a@b Mon\nFrom: a\nTo: b\n", Some("application/mbox")),
            ("From a@b Mon Jun 01 10:00:00 2009\n\nHello\n", Some("application/mbox")),
            ("From the beginning Mon was late\n", None),
            ("Note: buy milk\nAlso: eggs\n", None),
            ("1\n00:00:01,000 --> 00:00:02,000\nHi\n", Some("application/x-subrip")),
            ("{\"a\": 1}", Some("application/json")),
            ("// c\n{ /* d */ \"a\": 1}", Some("application/json")),
            ("[section]\nkey = 1\n", None),
            ("{ return 1; }", None),
            ("[1, 2]", Some("application/json")),
            ("  0\nSECTION\n", Some("image/vnd.dxf")),
            ("--- a\n+++ b\n@@ -1 +1 @@\n", Some("text/x-diff")),
            ("# a cube\no c\nv 1 1 1\nv 1 0 1\nv 0 0 1\nf 1 2 3\n", Some("model/obj")),
            ("v 1 1 1 is what he wrote\nand more of it\nin words\n", None),
            ("newmtl red\nKd 1 0 0\n", Some("model/mtl")),
            (
                "{\"asset\": {\"version\": \"2.0\"}, \"nodes\": [], \"scenes\": []}",
                Some("model/gltf+json"),
            ),
            ("solid\tball\nfacet normal 0 0 1\n", Some("model/stl")),
            ("solid advice\n", None),
            (
                "Subject: CN=a\n\n-----BEGIN CERTIFICATE-----\nMIIEdDCCA1ygAwIBAgIQRL4Mi1AAJLQR0zYqmUKTANBg\n",
                Some("application/x-pem-file"),
            ),
            (
                "KEY = \"\"\"\n-----BEGIN CERTIFICATE-----\nMIIEdDCCA1ygAwIBAgIQRL4Mi1AAJLQR0zYqmUKTANBg\n",
                None,
            ),
            ("", None),
            ("{", None),
        ] {
            assert_eq!(look(text, true), media, "{text:?}");
        }
    }

    #[test]
    fn the_table_names_known_types() {
        assert!(BEGINNINGS.iter().all(|(_, media)| table::by_media(media).is_some()));
    }
}
