//! Texts whose lines begin with the signs of one format: marked-up prose, directory entries, and patches with a letter on top.

/// What the text says by how its lines begin.
pub(super) fn look(text: &str) -> Option<&'static str> {
    patch(text)
        .or_else(|| ldif(text))
        .or_else(|| pod(text))
        .or_else(|| texinfo(text))
        .or_else(|| tex(text))
}

/// A patch as `git format-patch` and Debian (DEP-3) keep it: who wrote it and why, and then the changes.
fn patch(text: &str) -> Option<&'static str> {
    const FIRST: [&str; 9] = [
        "from:",
        "subject:",
        "date:",
        "description:",
        "author:",
        "origin:",
        "bug:",
        "last-update:",
        "forwarded:",
    ];
    let first = text.lines().next()?.to_ascii_lowercase();
    let is_letter = FIRST.iter().any(|name| first.starts_with(name));
    // What was sent has been somewhere.
    let sent = ["\nReceived:", "\nMessage-I", "\nMIME-Version:", "\nDelivered-To:"];
    let is_sent = sent.iter().any(|header| text.contains(header));
    (is_letter && !is_sent && has_changes(text)).then_some("text/x-diff")
}

/// Whether the changes of a unified diff begin in the text, or git's list of the files they are of.
pub(super) fn has_changes(text: &str) -> bool {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("diff --git a/") {
            return true;
        }
        if line == "---" && lines.peek().is_some_and(|next| is_counted(next)) {
            return true;
        }
        let next = lines.peek().is_some_and(|next| next.starts_with("+++ "));
        if line.starts_with("--- ") && next && text.contains("\n@@ ") {
            return true;
        }
    }
    false
}

/// ` src/main.rs | 12 +++--`
fn is_counted(line: &str) -> bool {
    let counted = line.strip_prefix(' ').and_then(|line| line.rsplit_once(" | "));
    let number = counted.and_then(|(_, rest)| rest.split_whitespace().next());
    number.is_some_and(|n| n == "Bin" || n.bytes().all(|b| b.is_ascii_digit()))
}

/// Entries of a directory (RFC 2849): the first line that is said names one.
fn ldif(text: &str) -> Option<&'static str> {
    let mut said = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut first = said.next()?;
    if first.starts_with("version: 1") {
        first = said.next()?;
    }
    let name = first.strip_prefix("dn:")?;
    let named = name.strip_prefix(' ').is_some_and(|name| name.contains('='));
    // In Base64, or of the one entry that has no name.
    (named || name.starts_with(": ") || name.trim().is_empty() && said.next()?.contains(": "))
        .then_some("text/x-ldif")
}

/// Perl's documents (perlpod), alone: a module that is told of in the same file has code below.
fn pod(text: &str) -> Option<&'static str> {
    const DIRECTIVES: [&str; 12] = [
        "head1", "head2", "head3", "head4", "over", "item", "back", "pod", "encoding", "begin",
        "for", "cut",
    ];
    let is_directive = |line: &str| {
        let word = line.strip_prefix('=').and_then(|l| l.split_whitespace().next());
        word.is_some_and(|word| DIRECTIVES.contains(&word))
    };
    let first = text.lines().find(|l| !l.trim().is_empty())?;
    let several = text.lines().filter(|l| is_directive(l)).count() >= 2;
    let code = ["\npackage ", "\nuse strict", "\nuse warnings", "\nsub "];
    (is_directive(first) && several && !code.iter().any(|c| text.contains(c)))
        .then_some("text/x-pod")
}

/// GNU's manuals, of which a chapter has no head that says so. Decorators and annotations begin alike.
fn texinfo(text: &str) -> Option<&'static str> {
    const COMMANDS: [&str; 36] = [
        "node",
        "chapter",
        "section",
        "subsection",
        "subsubsection",
        "menu",
        "itemize",
        "cindex",
        "findex",
        "vindex",
        "kindex",
        "pindex",
        "settitle",
        "setfilename",
        "unnumbered",
        "unnumberedsec",
        "appendix",
        "deffn",
        "defun",
        "noindent",
        "example",
        "smallexample",
        "smalldisplay",
        "enumerate",
        "direntry",
        "dircategory",
        "ifnottex",
        "contents",
        "top",
        "bye",
        "lisp",
        "quotation",
        "heading",
        "subheading",
        "majorheading",
        "copying",
    ];
    let mut found: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix('@')?.split_whitespace().next())
        .filter(|word| COMMANDS.contains(word))
        .collect();
    found.sort_unstable();
    found.dedup();
    (found.len() >= 2).then_some("text/x-texinfo")
}

/// Macros and documents of TeX without `\documentclass` in sight: a good part of what is no comment begins with a command,
/// and some of these are TeX's own.
fn tex(text: &str) -> Option<&'static str> {
    const OWN: [&str; 16] = [
        "def",
        "gdef",
        "edef",
        "newcommand",
        "renewcommand",
        "providecommand",
        "usepackage",
        "RequirePackage",
        "ProvidesPackage",
        "ProvidesClass",
        "NeedsTeXFormat",
        "begin",
        "section",
        "chapter",
        "newif",
        "input",
    ];
    let (mut said, mut commands, mut own) = (0, 0, 0);
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('%')) {
        said += 1;
        let Some(rest) = line.strip_prefix('\\') else { continue };
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        commands += usize::from(end > 1);
        own += usize::from(
            OWN.contains(&&rest[..end]) && rest[end..].starts_with(['{', '\\', '[', ' ']),
        );
    }
    (own >= 2 && commands * 3 >= said).then_some("text/x-tex")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::table;
    use super::*;

    proptest! {
        #[test]
        fn any_text_is_one_of_these_or_none(text in "([-=@\\\\+# a-zé:|\n]|dn:|---|diff --git a/){0,200}") {
            look(&text);
            has_changes(&text);
        }
    }

    #[test]
    fn lines_tell_what_they_are_lines_of() {
        for (text, media) in [
            (
                "From: A B <a@b>\nDate: Mon\nSubject: Mend it\n\nWhy.\n---\n x | 2 +-\n\ndiff --git a/x b/x\n",
                Some("text/x-diff"),
            ),
            (
                "Description: mend it\nAuthor: a\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n",
                Some("text/x-diff"),
            ),
            ("From: a\nSubject: c\n\nWhy.\n---\n src/x.c | 12 +++--\n", Some("text/x-diff")),
            ("From: a\nSubject: c\n\nWhy.\n---\n a | b\n", None),
            // Somebody was asked about it.
            (
                "From: a\nMessage-ID: <1>\nReceived: by b\nSubject: c\n\nLook:\ndiff --git a/x b/x\n",
                None,
            ),
            ("Received: by b\nFrom: a\n\ndiff --git a/x b/x\n", None),
            ("# all\nversion: 1\n\ndn: cn=a,dc=b\nobjectClass: person\n", Some("text/x-ldif")),
            ("dn:: Y249w6Q=\ncn: a\n", Some("text/x-ldif")),
            ("dn: a note\nmore: of it\n", None),
            ("=head1 NAME\n\nx - does it\n\n=cut\n", Some("text/x-pod")),
            ("=head1 NAME\n\nx\n\n=cut\n\npackage X;\nuse strict;\n", None),
            ("=====\nTitle\n=====\n", None),
            ("@node Top\n@chapter One\n\nText.\n", Some("text/x-texinfo")),
            ("@property\ndef top(self):\n    pass\n@node\n", None),
            ("@interface A\n@end\n", None),
            (
                "% a style\n\\ProvidesPackage{x}\n\\newcommand{\\y}{1}\n\\relax\n",
                Some("text/x-tex"),
            ),
            ("A \\section{x} in prose,\nand more\nof it.\n\\begin{x}\n", None),
            ("", None),
        ] {
            assert_eq!(look(text), media, "{text:?}");
            assert!(media.is_none_or(|m| table::by_media(m).is_some()), "{media:?}");
        }
    }
}
