//! Tables, and pictures with the data behind them.

use maud::{Markup, html};

/// The first cell of a row names it; the others are figures unless they are words.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A picture, what it says in a sentence, and its data.
pub(super) fn figure(title: &str, picture: &Markup, says: &str, head: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        figure {
            h3 { (title) }
            (picture)
            figcaption { (says) }
            details { summary { "Data" } (table(head, rows)) }
        }
    }
}
