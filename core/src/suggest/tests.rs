use proptest::prelude::*;

use super::*;

fn file(name: &str, category: &str) -> Example {
    Example { category: Some(Category::new(category)), ..Example::of_name(name) }
}

fn from(name: &str, host: &str) -> Example {
    Example { host: Some(host.into()), ..file(name, "document") }
}

fn name(words: &[&str]) -> Clause {
    Clause::Name(words.iter().map(|w| (*w).to_owned()).collect())
}

fn ext(list: &[&str]) -> Clause {
    Clause::Extension(list.iter().map(|w| (*w).to_owned()).collect())
}

#[test]
fn names_have_words() {
    let table: &[(&str, &[&str])] = &[
        ("ACME_Invoice-2024 (3).pdf", &["acme", "invoice"]),
        ("Rechnung2024Nr17.pdf", &["rechnung"]),
        ("IMG_0001.jpg", &["img"]),
        ("2024-05-06.pdf", &[]),
        ("請求書2024.pdf", &["請求書"]),
        ("e\u{301}tude.txt", &["étude"]),
    ];
    for (name, want) in table {
        assert_eq!(words(name), *want, "{name}");
    }
}

#[test]
fn the_most_general_condition_that_is_true_to_what_was_done() {
    let invoices = [
        file("acme invoice 1.pdf", "document"),
        file("Invoice-2024-02.pdf", "document"),
        file("invoice_17 (2).pdf", "document"),
    ];
    let pdfs =
        [file("a.pdf", "document"), file("b 2.pdf", "document"), file("thesis.pdf", "document")];
    let others = [file("x.zip", "archive"), file("y.jpg", "image"), file("z.mp3", "audio")];
    let letters =
        [file("a.docx", "document"), file("b.odt", "document"), file("c.txt", "document")];

    // Nothing else is known: their names say most.
    assert_eq!(guess(&invoices, &[]), Some(vec![name(&["invoice"])]));
    // Others of the same kind stayed: what is in their names it is.
    assert_eq!(guess(&invoices, &pdfs), Some(vec![name(&["invoice"])]));
    // Everything else is of other kinds: it is the kind.
    assert_eq!(guess(&invoices, &others), Some(vec![Clause::Kind(Category::new("document"))]));
    // Other documents stayed, but no PDF.
    assert_eq!(guess(&pdfs, &letters), Some(vec![ext(&["pdf"])]));
    // An invoice that is a picture stayed, and a PDF that is none.
    let mixed =
        [file("invoice.jpg", "image"), file("thesis.pdf", "document"), file("x.zip", "archive")];
    let both = vec![Clause::Kind(Category::new("document")), name(&["invoice"])];
    assert_eq!(guess(&invoices, &mixed), Some(both));
    // An invoice like the others stayed: there is nothing to tell them by.
    assert_eq!(guess(&invoices, &[file("invoice 9.pdf", "document")]), None);
    // Nothing is known of it, so it may be one.
    assert_eq!(guess(&pdfs, &[Example::of_name("q.pdf")]), None);
    assert_eq!(guess(&invoices[..2], &[]), None, "twice is not several times");
}

#[test]
fn hosts_and_wider_kinds_and_words_in_order() {
    let bank = [
        from("a.pdf", "bank.example"),
        from("b.pdf", "bank.example"),
        from("c.pdf", "bank.example"),
    ];
    let elsewhere =
        [from("d.pdf", "news.example"), from("e.pdf", "x.example"), from("f.pdf", "y.example")];
    assert_eq!(guess(&bank, &elsewhere), Some(vec![Clause::Origin("bank.example".into())]));
    let office =
        [file("a.ods", "spreadsheet"), file("b.odt", "document"), file("c.odp", "presentation")];
    let photos = [file("a.jpg", "image"), file("b.jpg", "image"), file("c.jpg", "image")];
    assert_eq!(guess(&office, &photos), Some(vec![Clause::Kind(Category::new("document"))]));

    let own = [
        file("tax return 1.pdf", "document"),
        file("tax my return.pdf", "document"),
        file("Tax Return.pdf", "document"),
    ];
    let near = [
        file("tax form.pdf", "document"),
        file("return ticket.pdf", "document"),
        file("return of tax.pdf", "document"),
    ];
    assert_eq!(guess(&own, &near), Some(vec![name(&["tax", "return"])]));
}

fn any_example() -> impl Strategy<Value = Example> {
    let name = "(invoice|scan|tax|ab)?[ _-]?[0-9]{0,3}[a-z]{0,4}\\.(pdf|jpg|txt)";
    let category =
        prop::option::of(prop::sample::select(vec!["document", "image", "ebook", "unknown"]));
    let host = prop::option::of(prop::sample::select(vec!["a.example", "b.example"]));
    (name, category, host).prop_map(|(name, category, host)| Example {
        category: category.map(Category::new),
        host: host.map(str::to_owned),
        ..Example::of_name(&name)
    })
}

proptest! {
    #[test]
    fn a_guess_holds_for_all_of_these_and_none_of_those(
        like in prop::collection::vec(any_example(), 3..7),
        unlike in prop::collection::vec(any_example(), 0..7),
    ) {
        let Some(clauses) = guess(&like, &unlike) else { return Ok(()) };
        prop_assert!(!clauses.is_empty());
        let holds = |f: &Example| clauses.iter().all(|c| c.holds(f));
        prop_assert!(like.iter().all(holds), "{:?}", clauses);
        prop_assert!(!unlike.iter().any(holds), "{:?}", clauses);
    }

    #[test]
    fn the_order_of_the_files_does_not_matter(
        like in prop::collection::vec(any_example(), 3..6),
        unlike in prop::collection::vec(any_example(), 0..6),
    ) {
        let turned = |files: &[Example]| files.iter().rev().cloned().collect::<Vec<_>>();
        prop_assert_eq!(guess(&like, &unlike), guess(&turned(&like), &turned(&unlike)));
    }

    #[test]
    fn files_that_share_a_word_are_told_from_those_without_it(
        numbers in prop::collection::vec(0u32..1000, 3..6),
        unlike in prop::collection::vec("[a-h]{1,8}\\.pdf", 0..6),
    ) {
        let like: Vec<_> = numbers.iter().map(|n| file(&format!("statement {n}.pdf"), "document")).collect();
        let unlike: Vec<_> = unlike.iter().map(|n| file(n, "document")).collect();
        prop_assert!(guess(&like, &unlike).is_some());
    }

    #[test]
    fn any_names_may_be_asked_about(names in prop::collection::vec(any::<String>(), 3..6)) {
        let like: Vec<_> = names.iter().map(|n| Example::of_name(n)).collect();
        let _ = guess(&like, &[]);
    }
}
