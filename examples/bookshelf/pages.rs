//! The pages as HTML. Everything that is put into them is escaped by `html!`.

use maud::{DOCTYPE, Markup, html};

use crate::shelf::{Author, Book};

/// How many colours `style.css` has for covers.
const COLOURS: i64 = 9;

/// What all pages know.
pub(crate) struct Pages<'a> {
    /// Where the application is mounted, percent-encoded: the start of every link.
    pub(crate) root: &'a str,
    /// The author that was looked for last, or nothing.
    pub(crate) last: &'a str,
}

impl Pages<'_> {
    pub(crate) fn home(&self, books: &[Book], authors: &[String]) -> Markup {
        let content = html! {
            h1 { "Books worth keeping" }
            p.lead { (books.len()) " of them, by " (authors.len()) " authors, from a thousand years." }
            (self.search_form(self.last, authors))
            @if !self.last.is_empty() {
                p.last {
                    "Last time you looked for " a href=(self.search_link(self.last)) { (self.last) } ". "
                    a.quiet href={ (self.root) "/search?author=" } { "Forget it" }
                }
            }
            (self.covers(books))
        };
        self.frame("Bookshelf", content)
    }

    pub(crate) fn found(&self, wanted: &str, books: &[Book], authors: &[String]) -> Markup {
        let content = html! {
            h1 { "Books by “" (wanted) "”" }
            (self.search_form(wanted, authors))
            p.last role="status" {
                @match books.len() {
                    0 => "No author’s name has that in it.",
                    1 => "One book.",
                    count => { (count) " books." }
                }
                " " a href={ (self.root) "/" } { "All books" }
                @if !self.last.is_empty() && self.last != wanted {
                    ". Before that you looked for " a href=(self.search_link(self.last)) { (self.last) }
                }
            }
            (self.covers(books))
        };
        self.frame(&format!("Books by “{wanted}”"), content)
    }

    pub(crate) fn book(&self, book: &Book, beside: &[Book]) -> Markup {
        let content = html! {
            article.book {
                // It says what is written beside it once more.
                div.front aria-hidden="true" { (cover(book)) }
                div {
                    h1 { (book.title) }
                    p.lead { "by " a href=(self.search_link(&book.author.name)) { (book.author.name) } (life(&book.author)) }
                    p.about { (book.about) }
                    dl {
                        dt { "First published" } dd { (book.year) }
                        dt { "Written in" } dd { (book.language.name) }
                        @if let Some(original) = book.original.as_ref().filter(|original| **original != book.title) {
                            dt { "Original title" } dd lang=(book.language.code) { (original) }
                        }
                    }
                }
            }
            @if !beside.is_empty() {
                h2 { "Also by " (book.author.name) }
                (self.covers(beside))
            }
            p.back { a href={ (self.root) "/" } { "All books" } }
        };
        self.frame(&format!("{} by {}", book.title, book.author.name), content)
    }

    pub(crate) fn no_such_book(&self) -> Markup {
        self.apology("No such book", "There is no book of that number on this shelf.")
    }

    pub(crate) fn not_found(&self) -> Markup {
        self.apology("Nothing here", "There is no page at this address.")
    }

    pub(crate) fn not_allowed(&self) -> Markup {
        self.apology("Only for reading", "The books on this shelf can be looked at, not changed.")
    }

    fn apology(&self, title: &str, what: &str) -> Markup {
        let content = html! {
            h1 { (title) }
            p.lead { (what) }
            p.back { a href={ (self.root) "/" } { "All books" } }
        };
        self.frame(title, content)
    }

    fn search_form(&self, value: &str, authors: &[String]) -> Markup {
        html! {
            form.search role="search" action={ (self.root) "/search" } {
                label for="author" { "Author" }
                input #author type="search" name="author" value=(value) list="authors" maxlength="60"
                    autocomplete="off" placeholder="Woolf";
                button { "Search" }
                datalist #authors { @for author in authors { option value=(author) {} } }
            }
        }
    }

    fn search_link(&self, author: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("author", author).finish();
        format!("{}/search?{query}", self.root)
    }

    fn covers(&self, books: &[Book]) -> Markup {
        html! {
            ul.covers {
                @for book in books {
                    li { a href={ (self.root) "/book/" (book.id) } { (cover(book)) } }
                }
            }
        }
    }

    fn frame(&self, title: &str, content: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="stylesheet" href={ (self.root) "/style.css" };
                }
                body {
                    header { a href={ (self.root) "/" } { "Bookshelf" } }
                    main { (content) }
                }
            }
        }
    }
}

fn cover(book: &Book) -> Markup {
    html! {
        span class={ "cover colour-" (book.author.id % COLOURS) } {
            span.title { (book.title) }
            span.author { (book.author.name) }
            span.year { (book.year) }
        }
    }
}

/// When an author lived, as far as that is known.
fn life(author: &Author) -> String {
    match (author.born, author.died) {
        (Some(born), Some(died)) => format!(", {born}–{died}"),
        (Some(born), None) => format!(", born {born}"),
        _ => String::new(),
    }
}
